"""A user's own training function: what it gets, and what becomes of its answer."""
