"""States, similarity and probes of a model layer by layer, as figures."""
