"""What a sweep has come to: score matrix, standings, leaders, labels, document."""
