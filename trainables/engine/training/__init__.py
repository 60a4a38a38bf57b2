"""One cell: loop, checkpoint, averages, scores, read-out, distributed means."""
