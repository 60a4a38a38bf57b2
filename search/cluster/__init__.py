"""Ray clusters: job submission, packaging, the head's MLflow, idle shutdown."""
