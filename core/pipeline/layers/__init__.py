"""A model layer by layer: pictures, measures, probes, senses, nearest states, attention."""
