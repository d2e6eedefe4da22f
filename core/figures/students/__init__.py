"""Fidelity against bytes, and a training as it runs, as figures."""
