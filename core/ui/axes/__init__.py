"""The Axes page."""
