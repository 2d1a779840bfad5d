"""Differences between groups of people, what equal treatment would cost, and what a changed attribute changes."""
