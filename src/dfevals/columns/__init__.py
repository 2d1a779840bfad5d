"""Columns of a source as codes, numbers and frames."""
