"""One row to be read: its texts, marks, steps and verdicts, and the answer of another model."""
