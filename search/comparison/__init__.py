"""Sweeps held against one another: paired by cell where they share cells."""
