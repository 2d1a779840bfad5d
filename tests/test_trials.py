"""Repeated trials: pass@k and pass^k against enumeration of all choices of k trials."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

import dfevals
from dfevals import Gate
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


def two_agents(seed: int = 1, tasks: int = 50, trials: int = 5) -> pd.DataFrame:
    """The same tasks, each tried several times by two agents; what is hard for one is hard for the other."""
    rng = np.random.default_rng(seed)
    rows = [
        {"task": f"t{i}", "agent": agent, "group": "ab"[i % 2], "ok": bool(rng.random() < min(1.0, ease + better))}
        for i, ease in enumerate(rng.beta(0.7, 0.7, tasks))
        for agent, better in (("x", 0.1), ("y", 0.0))
        for _ in range(trials)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=seed, ignore_index=True)


def value_of_tasks(frame: pd.DataFrame, k: int) -> pd.DataFrame:
    """pass^k of every task and agent by enumeration."""
    share = frame.groupby(["task", "agent"])["ok"].agg(lambda ok: np.mean([all(c) for c in combinations(ok, k)]))
    return share.unstack()


@pytest.mark.parametrize("roles", [{"unit": "task"}, {"id": "task"}, {"unit": "task", "cluster": "task"}])
def test_agents_are_compared_task_by_task(roles: dict[str, str]) -> None:
    frame = two_agents()
    ev = frame.evals(outcomes="ok", model="agent", **roles)
    result = ev.compare("x", "y", metrics=[dfevals.metrics.pass_hat_k(k=4)], by="group", test="t")
    rows = result.frame.set_index("group")
    assert result.paired
    for group, part in [("(overall)", frame), *frame.groupby("group")]:
        values = value_of_tasks(part, 4)
        test = ttest_rel(values["x"], values["y"])
        low, high = test.confidence_interval()
        expected = (values["x"].mean() - values["y"].mean(), low, high, test.pvalue, len(values))
        found = rows.loc[group, ["difference", "ci_low", "ci_high", "p_value", "n"]].tolist()
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("roles", [{"unit": "task"}, {"id": "task"}])
@pytest.mark.parametrize("metric", ["pass_at_k(k=2)", "pass_hat_k(k=2)"])
def test_every_question_takes_metrics_of_trials(roles: dict[str, str], metric: str) -> None:
    ev = two_agents().evals(outcomes="ok", model="agent", **roles)
    gap = ev.compare("x", "y", metrics=metric).frame.iloc[0]
    plan = ev.power("x", "y", metrics=metric).frame.iloc[0]
    assert (plan["n"], plan["difference"]) == (50, pytest.approx(gap["difference"]))
    rules = [Gate(metric, vs="y", margin=0.05), Gate(metric, ">=", 0.1)]
    row = ev.gate(rules, model="x", by="group").frame.iloc[0]
    assert row["value"] == pytest.approx(gap["difference"])
    assert row["n"] == 50
    alone = trials().evals(outcomes="ok", **roles)
    assert np.isfinite(alone.power(metrics=metric).frame["detectable"]).all()
    assert alone.gate(Gate(metric, ">=", 0.1)).answer == "pass"


def test_metrics_of_rows_stand_beside_those_of_tasks() -> None:
    ev = two_agents().evals(outcomes="ok", model="agent", unit="task")
    both = ev.compare("x", "y", metrics=["pass_rate", "pass_hat_k(k=4)"]).frame.set_index("metric")
    for metric in ("pass_rate", "pass_hat_k(k=4)"):
        alone = ev.compare("x", "y", metrics=metric).frame.iloc[0]
        assert both.loc[metric, "p_value"] == pytest.approx(alone["p_value"])
    three = pd.concat([two_agents(), two_agents(2).query("agent == 'y'").assign(agent="z")])
    pairs = three.evals(outcomes="ok", model="agent", unit="task").compare(metrics="pass_hat_k(k=2)").frame
    assert pairs[["a", "b"]].to_numpy().tolist() == [["x", "y"], ["x", "z"], ["y", "z"]]


def test_how_many_tasks_of_how_many_are_left_out() -> None:
    frame = two_agents()
    x_only = frame[(frame["task"] != "t0") | (frame["agent"] == "x")]
    short = x_only[x_only["task"] != "t3"]
    three = x_only[x_only["task"] == "t3"].groupby("agent").head(3)
    ev = pd.concat([short, three]).evals(outcomes="ok", model="agent", unit="task")
    result = ev.compare("x", "y", metrics="pass_hat_k(k=4)")
    assert result.frame["n"].tolist() == [48]
    assert any("2 of 50" in note for note in result.notes)
    notes = ev.metrics("pass_hat_k(k=4)").frame.set_index("model")["note"]
    assert "1 of 50 units with too little data left out" in notes["x"]
    assert "1 of 49 units with too little data left out" in notes["y"]
