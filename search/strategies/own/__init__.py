"""Strategies of the user's own, as sources of configs."""
