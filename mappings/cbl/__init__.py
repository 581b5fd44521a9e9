"""How the rows of CBL and Xpansiv Connect are read."""
