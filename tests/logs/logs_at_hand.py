"""The logs that real tools wrote, and what those tools print of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import norm

import dfevals
from dfevals.logs.opening import Source

LOGS = Path(__file__).parents[1] / "fixtures" / "logs"
Z = norm.ppf(0.975)


def notes(frame: pd.DataFrame) -> str:
    """What the card says of a log."""
    return "\n".join(json.loads(frame.attrs["dfevals_log"])["notes"])


def figures(frame: pd.DataFrame, metric: str, **options: Any) -> dict[tuple[str, str], tuple[float, float]]:
    """Mean and standard error by model and metric."""
    found = frame.evals(**options.pop("roles", {})).metrics(metric, interval="wald", **options).frame
    return {
        (row.model, row.metric): (row.value, (row.ci_high - row.value) / Z)
        for row in found.itertuples()
        if row.is_overall
    }


def printed(path: Path) -> list[dict[str, Any]]:
    """Scores in the header of a log of Inspect."""
    source = Source(path)
    header = source.document if source.members is None else source.member("header.json")
    return [{**entry, "model": header["eval"]["model"]} for entry in header["results"]["scores"]]


__all__ = ["LOGS", "dfevals", "figures", "notes", "printed"]
