"""What a sweep or a benchmark leaves for its readers: tables, figures, HTML."""
