"""Ray clusters: submit a job, pack the code, serve MLflow on the head, shut down when idle."""
