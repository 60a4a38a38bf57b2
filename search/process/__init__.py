"""The process of a command: variables, folders, code, Ray's home."""
