"""Results of a sweep: score matrix, standings, leaders, the document of `--json`."""
