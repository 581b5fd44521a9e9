"""For the tests of whoever links with us: stand-ins of every market, mounted under their own addresses."""
