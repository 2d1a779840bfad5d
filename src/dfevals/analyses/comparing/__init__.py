"""What stands behind comparisons of models: aligned rows, paired and unpaired tests, learners, ranks, verdicts."""
