"""The questions that an Evaluation answers: one thin method each, by what they are about."""
