"""Time and money of a sweep, before it trains."""
