"""What a folder of a transformers model holds: weights, tokenizer, pooling, revision."""
