"""The Trajectories page: path, lens, statistics, steering, shapes."""
