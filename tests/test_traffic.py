"""The traffic-mix check of unpaired comparisons: said first, calm on fair splits, loud in the cohort that broke."""

from __future__ import annotations

import numpy as np
import pandas as pd

import dfevals
from dfevals.analyses.compare.traffic import traffic_note


def split(rows: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """A long frame without ids: rows of arms a and b per cohort."""
    parts = [
        pd.DataFrame({"arm": arm, "g": g, "ok": np.arange(n) % 3 > 0})
        for g, counts in rows.items()
        for arm, n in zip("ab", counts, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def notes(rows: dict[str, tuple[int, int]]) -> tuple[str, ...]:
    ev = split(rows).evals(outcomes=dfevals.Outcome("ok", kind="pass"), model="arm")
    return tuple(ev.compare("a", "b", by="g", metrics="pass_rate").notes)


def test_comes_right_after_unpaired_and_is_calm_on_a_planned_split() -> None:
    found = notes({"x": (100, 900), "y": (110, 890)})
    assert found[0].startswith("Unpaired")
    assert found[1].startswith("Traffic: 210 rows of a, 1,790 of b (10.5% and 89.5%; if equal shares were planned")
    assert found[1].endswith("no cohort has other shares than the rest.")


def test_equal_shares_need_no_remark() -> None:
    assert notes({"x": (500, 500), "y": (480, 520)})[1] == (
        "Traffic: 980 rows of a, 1,020 of b (49.0% and 51.0%); no cohort has other shares than the rest."
    )


def test_names_the_cohort_in_which_rows_were_lost() -> None:
    found = notes({"x": (500, 500), "y": (500, 500), "z": (300, 500)})[1]
    assert "sample-ratio mismatch in g = z (corrected p = " in found


def test_paired_comparisons_have_no_arms() -> None:
    frame = pd.DataFrame({"arm": ["a"] * 50 + ["b"] * 50, "id": [*range(50)] * 2, "ok": [True, False] * 50})
    ev = frame.evals(outcomes=dfevals.Outcome("ok", kind="pass"), model="arm", id="id")
    assert not any("Traffic" in note for note in ev.compare("a", "b", metrics="pass_rate").notes)


def test_false_alarms_keep_to_the_mark() -> None:
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(2000):
        rows = rng.binomial(1000, 0.1, 20)
        arms = [np.array([counts.sum(), *counts]) for counts in (rows, 1000 - rows)]
        alarms += "mismatch in" in traffic_note("a", "b", *arms, str)
    assert alarms <= 10  # 2 expected at 0.001 over 20 cohorts together


def test_overlapping_and_empty_cohorts() -> None:
    ev = split({"x": (40, 60), "y": (50, 50)}).evals(outcomes=dfevals.Outcome("ok", kind="pass"), model="arm")
    groups = {"all": "g in ['x', 'y']", "x": "g == 'x'", "none": "g == 'z'"}
    found = ev.compare("a", "b", by=groups, metrics="pass_rate").notes[1]
    assert found == "Traffic: 90 rows of a, 110 of b (45.0% and 55.0%); no cohort has other shares than the rest."
