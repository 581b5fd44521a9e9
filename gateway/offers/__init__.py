"""What the home venue may offer, and why not; and how its offers are kept in step with what is so."""
