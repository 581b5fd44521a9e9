"""The unified schema: what credits are, whoever registers them. Pure; every floor above may use it."""
