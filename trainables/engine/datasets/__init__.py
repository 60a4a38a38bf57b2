"""A file, a hub id or a wheel -> labelled rows, each fault with its place."""
