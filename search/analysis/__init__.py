"""After a sweep: explain, representations, ablation, ensembles, worst rows."""
