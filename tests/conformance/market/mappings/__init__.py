"""How the rows of Harbour are read."""
