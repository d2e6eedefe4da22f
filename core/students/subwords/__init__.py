"""Vectors of words from the pieces of their spelling."""
