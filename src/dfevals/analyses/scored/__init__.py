"""What is read from sorted scores: steps of curves, bounds of gains, partial areas, reliability."""
