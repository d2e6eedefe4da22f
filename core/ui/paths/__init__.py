"""The Paths page: through a space, between two concepts, among three."""
