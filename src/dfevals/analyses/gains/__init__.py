"""Gains tables, lift and profit."""
