"""The home venue: offers, trades and positions, and the admission rules beside them."""
