"""A user's own training function: its rows and its answer."""
