"""Cleaning steps by name: a file each, with a CLEANING that takes a text and gives one."""
