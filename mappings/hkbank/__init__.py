"""How the rows of the settlement bank are read."""
