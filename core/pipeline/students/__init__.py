"""Students: made, evaluated, compared with baselines, and asked."""
