"""Statistics of scores, differences and winners: pure functions on arrays."""
