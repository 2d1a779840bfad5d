"""Whether a difference is real, which model goes where, and how many rows decide it."""
