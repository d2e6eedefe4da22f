"""Small transformers as students: their parts, their training, their quantisation."""
