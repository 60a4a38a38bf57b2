"""The record of cells, configs and sweeps: spool, queue, delivery, writer; no MLflow."""
