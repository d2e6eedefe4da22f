"""What each layer knows, asked with linear probes: tasks, controls, probes, verdict."""
