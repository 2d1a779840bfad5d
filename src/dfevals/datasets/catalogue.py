"""What datasets there are: the table of all, and the description of one."""

from __future__ import annotations

import pandas as pd

from dfevals.datasets.description import Dataset
from dfevals.datasets.loading import dataset_names, read_description

__all__ = ["describe", "list"]


def list() -> pd.DataFrame:
    """Table of the shipped datasets.

    Returns
    -------
    DataFrame
        One row per dataset: `name`, `task`, `rows`, `columns` (how many), `used_for`, `licence` and `roles` (the
        suggested keyword arguments of `df.evals(...)` as code; empty where an evaluator has to run first).

    Examples
    --------
    >>> import dfevals
    >>> table = dfevals.datasets.list()
    >>> table.loc[table["name"] == "ames", ["task", "rows"]].values.tolist()
    [['regression', 2930]]
    """
    datasets = [read_description(name) for name in dataset_names()]
    return pd.DataFrame(
        {
            "name": [dataset.name for dataset in datasets],
            "task": [dataset.task for dataset in datasets],
            "rows": [dataset.rows for dataset in datasets],
            "columns": [len(dataset.columns) for dataset in datasets],
            "used_for": [dataset.used_for for dataset in datasets],
            "licence": [dataset.licence for dataset in datasets],
            "roles": [", ".join(f"{role}={value!r}" for role, value in d.roles.items()) for d in datasets],
        }
    )


def describe(name: str) -> Dataset:
    """Say what a dataset is: origin, licence, columns, how its scores were made and which call fits it.

    Parameters
    ----------
    name : str
        Name of the dataset; `dfevals.datasets.list()` shows all.

    Returns
    -------
    Dataset
        A record that prints as text and shows as a table in a notebook. `df.evals(**describe(name).roles)` is the
        suggested evaluation.

    Raises
    ------
    DfevalsError
        There is no dataset of this name.

    Examples
    --------
    >>> import dfevals
    >>> dfevals.datasets.describe("adult").roles["y_true"]
    'income'
    """
    return read_description(name)
