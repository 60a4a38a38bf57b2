"""The terminal: screens, tables, live display, progress."""
