"""One recipe per shipped dataset: how its raw source becomes an evaluation frame."""
