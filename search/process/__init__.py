"""The process a command runs in: launchers' variables, folders, whose code, Ray's home."""
