"""Cleaning steps by name, one a file.

Each defines CLEANING, a function from a text to a text.
"""
