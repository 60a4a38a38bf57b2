"""The vocabulary in which a space is declared: Space and Protocol."""
