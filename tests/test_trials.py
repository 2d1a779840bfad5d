"""Repeated trials: pass@k and pass^k against enumeration of all choices of k trials."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.exceptions import MetricError, RoleError


def trials(seed: int = 0, tasks: int = 30, most: int = 6) -> pd.DataFrame:
    """Tasks of different difficulty with three to six trials each, in two groups."""
    rng = np.random.default_rng(seed)
    rows = [
        {"task": f"t{i}", "group": "ab"[i % 2], "ok": bool(rng.random() < difficulty)}
        for i, difficulty in enumerate(rng.random(tasks))
        for _ in range(rng.integers(3, most + 1))
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=seed, ignore_index=True)


def by_enumeration(frame: pd.DataFrame, k: int, combine: object) -> float:
    """Mean over tasks of the share of all choices of k trials that pass."""
    shares = [
        np.mean([combine(choice) for choice in combinations(part["ok"], k)])  # type: ignore[operator]
        for _, part in frame.groupby("task")
        if len(part) >= k
    ]
    return float(np.mean(shares))


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(("name", "combine"), [("pass_at_k", any), ("pass_hat_k", all)])
def test_equals_enumeration(name: str, combine: object, k: int) -> None:
    frame = trials()
    metric = getattr(dfevals.metrics, name)(k=k)
    result = frame.evals(outcomes="ok", unit="task").metrics(metric, by="group").frame.set_index("group")
    assert result.loc["(overall)", "value"] == pytest.approx(by_enumeration(frame, k, combine), rel=1e-12)
    for group, part in frame.groupby("group"):
        assert result.loc[group, "value"] == pytest.approx(by_enumeration(part, k, combine), rel=1e-12)
        assert result.loc[group, "support"] == part["task"].nunique()


def test_published_reliability_of_an_agent_falls_with_k() -> None:
    frame = dfevals.datasets.load("taubench")
    ev = frame.evals(**dfevals.datasets.describe("taubench").roles)
    values = ev.metrics([f"pass_hat_k(k={k})" for k in (1, 2, 3, 4)]).frame["value"].to_numpy()
    assert values[0] == pytest.approx(0.42)  # 84 of 200 trials
    assert (np.diff(values) < 0).all()


def test_tasks_with_too_few_trials_are_left_out_and_said() -> None:
    row = trials().evals(outcomes="ok", unit="task").metrics("pass_at_k(k=5)").frame.iloc[0]
    assert "left out" in row["note"]
    assert row["support"] < 30
    none = trials(most=4).evals(outcomes="ok", unit="task").metrics("pass_at_k(k=5)").frame.iloc[0]
    assert np.isnan(none["value"])
    assert "no task with enough trials" in none["note"]


def test_interval_covers_and_is_never_a_point() -> None:
    covered = []
    for seed in range(300):
        frame = trials(seed, tasks=40, most=4)
        row = frame.evals(outcomes="ok", unit="task").metrics("pass_at_k(k=2)", ci=0.95).frame.iloc[0]
        covered.append(row["ci_low"] <= 2 / 3 <= row["ci_high"])  # E[1 − (1 − p)²] for p uniform
    assert 0.91 <= np.mean(covered) <= 0.99
    sure = pd.DataFrame({"ok": True, "task": np.repeat(np.arange(20), 3)})
    row = sure.evals(outcomes="ok", unit="task").metrics("pass_hat_k(k=3)").frame.iloc[0]
    assert row["value"] == 1
    assert row["ci_low"] < 0.9


def test_parts_add_up_though_they_share_tasks() -> None:
    frame = trials()
    parts = [frame.iloc[::2], frame.iloc[1::2]]
    tallies = [part.evals(outcomes="ok", unit="task").collect("pass_at_k(k=2)", by="group") for part in parts]
    together = (tallies[0] + tallies[1]).metrics().frame
    whole = frame.evals(outcomes="ok", unit="task").metrics("pass_at_k(k=2)", by="group").frame
    np.testing.assert_allclose(together["value"], whole["value"], rtol=1e-12)
    np.testing.assert_allclose(together["ci_low"], whole["ci_low"], rtol=1e-12)


def test_errors_name_the_fix() -> None:
    with pytest.raises(RoleError, match="pass unit="):
        trials().evals(outcomes="ok").metrics("pass_at_k(k=2)")
    weighted = trials().assign(w=lambda frame: 1.0 + np.arange(len(frame)) % 2)
    with pytest.raises(MetricError, match="take no weights"):
        weighted.evals(outcomes="ok", unit="task", sample_weight="w").metrics("pass_at_k(k=2)")
