"""Code lists that all markets share."""
