"""Two spaces over the same items."""
