"""Slices: conjunctions of conditions over binned columns, searched for those in which a model fails (`ev.slices`)."""
