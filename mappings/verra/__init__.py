"""How the rows of the Verra registry are read."""
