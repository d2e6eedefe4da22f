"""Coding of vectors: transforms and codebooks to symbols, and symbols to bytes."""
