"""A sweep run, resumed and loaded; nested cross-validation."""
