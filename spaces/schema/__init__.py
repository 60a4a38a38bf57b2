"""The vocabulary of spaces: axes, inert rules, protocols."""
