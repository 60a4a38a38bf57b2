"""Folds, inner validation, subsets, and the audit of the data."""
