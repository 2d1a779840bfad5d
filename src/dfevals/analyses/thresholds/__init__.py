"""Where to cut scores, and what it costs."""
