"""Paths through a space, between two concepts and among three."""
