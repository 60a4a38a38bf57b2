"""Cleaning steps, one a file; each defines CLEANING, a function on texts."""
