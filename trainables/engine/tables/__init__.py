"""Local files as columns, each fault with its place."""
