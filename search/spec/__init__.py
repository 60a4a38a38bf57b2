"""The sweep as a value: of fields, a file, typed words."""
