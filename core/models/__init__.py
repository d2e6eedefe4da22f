"""What holds for any transformers model and its tokenizer, whoever reads them."""
