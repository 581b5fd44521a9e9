"""The tables, one module an owner."""
