"""The markets that the gateway is linked with."""
