"""How the rows of Climate Impact X are read."""
