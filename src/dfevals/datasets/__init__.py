"""Small real evaluation frames shipped in the package, each with its origin and licence.

`list()` shows what there is, `describe(name)` says where a dataset comes from, what its columns mean and which
`df.evals(...)` call fits it, and `load(name)` returns it as a DataFrame. Loading needs pandas alone.
"""

from dfevals.datasets.catalogue import describe, list
from dfevals.datasets.description import Column, Dataset
from dfevals.datasets.loading import load

__all__ = ["Column", "Dataset", "describe", "list", "load"]
