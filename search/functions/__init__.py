"""A user's training function, made a file that a sweep names."""
