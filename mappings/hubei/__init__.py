"""Mapping documents of the allowance registry in Wuhan (中碳登), and the schema of its day-end files."""
