"""Texts as trajectories: next tokens, lenses, statistics, steering, shapes."""
