"""Folds of cross-validation: values per fold, and tests of learners."""
