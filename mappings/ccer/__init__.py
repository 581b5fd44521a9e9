"""How the rows of the national CCER registry are read, and the trading rules as data."""
