"""Sweeps that fire by a file; champion against challenger."""
