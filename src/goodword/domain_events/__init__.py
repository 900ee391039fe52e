"""Domain events: what happened in one feature, for the features above it."""
