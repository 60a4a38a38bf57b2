"""Policies that pick the next cells of a sweep, one a file."""
