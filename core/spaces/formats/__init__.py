"""The files in which people have vectors, one format a module."""
