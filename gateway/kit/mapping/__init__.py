"""Mapping documents: declarative, and compiled to columns."""
