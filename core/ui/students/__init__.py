"""The Students page."""
