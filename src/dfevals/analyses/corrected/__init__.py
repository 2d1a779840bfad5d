"""Rates of labels from many judged and few labelled rows, and which rows to label next."""
