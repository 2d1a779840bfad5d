"""Coverage of default intervals: how often they hold the true value over many samples of a population."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pandas as pd
from interval_designs import Design

import dfevals  # noqa: F401  (registers df.evals)

__all__ = ["measure", "summary"]


def measure(
    design: Design, n: int, samples: int, seed: int, truth: dict[str, float] | None = None, **options: Any
) -> pd.DataFrame:
    """One row per metric: coverage, misses on each side, width, shares flagged "too few" and undefined.

    Samples are the cohorts of one frame, so that the intervals are those that users see. Samples in which the value
    is undefined are left out.
    """
    rng = np.random.default_rng([seed, n, zlib.crc32(f"{design.name} {design.rate}".encode())])
    frame = design.sample(rng, n, samples)
    result = frame.evals(**design.roles).metrics(list(design.metrics), by="sample", **options).frame
    result = result[~result["is_overall"]]
    truth = design.truths() if truth is None else truth
    rows = []
    for metric, part in result.groupby("metric", sort=False):
        value, low, high = (part[name].to_numpy(float) for name in ("value", "ci_low", "ci_high"))
        flagged = part["note"].str.contains("too few").to_numpy(bool)
        known = ~np.isnan(value)
        inside = (low <= truth[metric] + 1e-12) & (truth[metric] - 1e-12 <= high)
        rows.append(
            {
                "design": design.name,
                "rate": design.rate,
                "metric": metric,
                "n": n,
                "expected": design.expected(metric, n),
                "truth": truth[metric],
                "coverage": inside[known].mean(),
                "below": (high < truth[metric] - 1e-12)[known].mean(),
                "above": (low > truth[metric] + 1e-12)[known].mean(),
                "width": np.nanmedian(high - low),
                "flagged": flagged[known].mean(),
                "undefined": 1 - known.mean(),
                "missing": np.isnan(low[known]).mean(),
            }
        )
    return pd.DataFrame(rows)


def summary(cells: pd.DataFrame, least: float = 5.0) -> pd.DataFrame:
    """Mean and least coverage per metric over the cells with at least `least` expected events, per n and in all."""
    honest = cells[cells["expected"] >= least]
    grouped = honest.groupby("metric", sort=False)
    table = grouped["coverage"].agg(["mean", "min", "count"])
    for n, part in honest.groupby("n"):
        at_n = part.groupby("metric")
        table[f"coverage {n}"] = at_n["coverage"].mean()
        table[f"width {n}"] = at_n["width"].mean()
        table[f"flagged {n}"] = at_n["flagged"].mean()
    return table
