"""Tallies that last: one self-describing file each, evaluations of them, and stores of one tally per file of rows."""
