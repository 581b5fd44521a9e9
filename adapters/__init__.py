"""The adapters: one package a market, found through the entry points ``carbon_gateway.adapters``."""
