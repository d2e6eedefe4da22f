"""Whole texts: the library, its windows, topics and pairs, and a document of one's own."""
