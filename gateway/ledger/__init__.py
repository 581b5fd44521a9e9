"""What we hold: the journal, and the balances and blocks that it adds up to."""
