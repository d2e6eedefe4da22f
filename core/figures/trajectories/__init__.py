"""Texts as trajectories, their next tokens, lenses, statistics, steering and shapes, as figures."""
