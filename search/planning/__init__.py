"""Space x protocol x data -> Plan: bound, audited, priced."""
