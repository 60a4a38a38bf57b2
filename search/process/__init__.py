"""Process of a command: environment, folders, code, Ray's home."""
