"""Ray clusters: submitted jobs, packages, MLflow on the head, idle shutdown."""
