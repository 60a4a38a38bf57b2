"""Whole tables: every column typed, for a user's own training function."""
