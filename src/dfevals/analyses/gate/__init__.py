"""Release gates: rules judged by intervals."""
