"""ROC, precision-recall, DET and CAP curves."""
