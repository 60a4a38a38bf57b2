"""Who comes next: one policy a file, all of them over the same board of cells."""
