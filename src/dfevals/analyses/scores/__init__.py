"""Sorted scores that several questions read."""
