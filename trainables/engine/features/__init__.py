"""Frozen features: the contract of representations, extraction, stores."""
