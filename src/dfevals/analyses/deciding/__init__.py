"""What stands behind decisions from scores: costs, objectives, best thresholds, policies, profit, net benefit."""
