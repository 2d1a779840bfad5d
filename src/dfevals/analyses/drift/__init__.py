"""How far two sets of rows differ: columns, scores, labels, and what that means for a model."""
