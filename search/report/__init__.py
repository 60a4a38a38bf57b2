"""Reports of sweeps and benchmarks: tables, figures, HTML."""
