"""Record of cells, configs and sweeps, free of MLflow."""
