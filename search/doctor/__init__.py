"""State of ledger, spool, caches, Ray and machine, only looked at."""
