"""From tallies to estimates: values, intervals, differences and their tests."""
