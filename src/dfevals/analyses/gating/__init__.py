"""What stands behind release gates: the gate file and the report."""
