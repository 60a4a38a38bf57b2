"""WHAT to try: declarations of search spaces and protocols; no torch, ray, mlflow, no I/O."""
