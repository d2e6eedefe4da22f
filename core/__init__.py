"""Meaning Space: see and question the latent space of language models."""

__version__ = "0.1.0"
