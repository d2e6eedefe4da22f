"""Every layer of a transformer as vectors: of tokens, words, texts, and documents of any length."""
