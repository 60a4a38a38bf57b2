"""Strategies judged on finished tables."""
