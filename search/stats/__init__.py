"""What a score, a difference and a winner are worth: pure functions on arrays."""
