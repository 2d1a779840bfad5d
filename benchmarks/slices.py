"""Slices: joint counts and whole calls beside DivExplorer, sliceline and bare counting."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from harness import Fact, Row, cpu, extra_peak

import dfevals  # noqa: F401 - the accessor
from dfevals.analyses.slices.family import family_of
from dfevals.analyses.slices.search import Asked, search

COLUMNS = [f"x{i}" for i in range(10)]


def rows_of(n: int) -> pd.DataFrame:
    """Ten columns of five values, and errors at random."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: np.array(list("abcde"))[rng.integers(0, 5, n)] for name in COLUMNS})
    frame["y"] = rng.integers(0, 2, n)
    frame["p"] = np.where(rng.random(n) < 0.2, 1 - frame["y"], frame["y"])
    return frame


def divexplorer(frame: pd.DataFrame) -> Any:
    """Support and divergence of all itemsets with a hundredth of the rows."""
    from divexplorer import DivergenceExplorer

    wrong = frame[COLUMNS].assign(wrong=(frame["y"] != frame["p"]).astype(int))
    return DivergenceExplorer(wrong).get_pattern_divergence(min_support=0.01, boolean_outcomes=["wrong"])


def sliceline(frame: pd.DataFrame) -> Any:
    """The twenty best slices of up to two conditions."""
    from sliceline.slicefinder import Slicefinder

    wrong = (frame["y"] != frame["p"]).to_numpy(float)
    return Slicefinder(alpha=0.95, k=20, max_l=2, min_sup=len(frame) // 100, verbose=False).fit(frame[COLUMNS], wrong)


def bare(frame: pd.DataFrame) -> None:
    """The 120 joint counts of rows and of errors, from codes that are there."""
    codes = {name: frame[name].factorize()[0].astype(np.int64) for name in COLUMNS}
    wrong = (frame["y"] != frame["p"]).to_numpy(float)
    for a, b, c in combinations(COLUMNS, 3):
        joint = (codes[a] * 5 + codes[b]) * 5 + codes[c]
        np.bincount(joint, minlength=125)
        np.bincount(joint, wrong, 125)


def run(rows: int) -> list[Row | Fact]:
    """Joint counts at a tenth of the rows, whole calls at fixed sizes, and all of the rows at once."""
    some = rows_of(rows // 10)
    ev = some.evals(y_true="y", y_pred="p")
    found = search(ev._bound, Asked(inference="bh"))
    parts = found.run.features.used, found.run.losses
    triples = cpu(lambda: family_of(*parts, 3, 1, 0.01))
    pairs = cpu(lambda: family_of(*parts, 2, 1, 0.01))
    whole = cpu(lambda: ev.slices(redundant=True, inference="bh"))
    peers = cpu(lambda: divexplorer(some), 1), cpu(lambda: sliceline(some), 1)
    size = f"{rows // 10:,} rows × 10 columns"
    every = rows_of(rows)
    asked = every.evals(y_true="y", y_pred="p")
    asked.metrics("error_rate")
    small, middle = (rows_of(n).evals(y_true="y", y_pred="p") for n in (3000, 50_000))
    return [
        Row(f"joint counts of triples, {size}", "DivExplorer", triples, peers[0], "≥ 150×"),
        Row(f"joint counts of pairs, {size}", "sliceline", pairs, peers[1], "≥ 200×"),
        Row(f"all slices with intervals (`redundant=True`), {size}, whole call", "DivExplorer", whole, peers[0]),
        Row(f"ev.slices, triples, {rows:,} rows, whole call", "120 joint counts", cpu(asked.slices, 2), cpu(lambda: bare(every), 2), "≥ 0.25×"),
        Fact(f"ev.slices, triples, {rows:,} rows, extra memory", f"{extra_peak(asked.slices):.0f} MiB", "≤ 150 MiB"),
        Fact("ev.slices, triples, 3,000 rows, 1,000 deals", f"{cpu(small.slices):.2f} s", "≤ 4 s"),
        Fact("ev.slices, pairs, 50,000 rows, 1,000 deals", f"{cpu(lambda: middle.slices(max_depth=2), 2):.2f} s", "≤ 9 s"),
    ]  # fmt: skip
