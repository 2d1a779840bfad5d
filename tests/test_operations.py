"""Costs, latencies and tokens: cost per row and per success, and the direction that an outcome declares."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals import Gate, Outcome
from dfevals.exceptions import DataError, MetricError


def served(n: int, rng: np.random.Generator, p: float = 0.7) -> pd.DataFrame:
    """Rows with a verdict and a cost that is greater where the verdict is a fail."""
    ok = rng.random(n) < p
    return pd.DataFrame({"ok": ok, "cost": rng.gamma(2, 1, n) * np.where(ok, 1, 1.8)})


COST = Outcome("cost", better="lower")


def test_cost_per_success_is_all_cost_by_the_successes() -> None:
    frame = served(400, np.random.default_rng(0))
    frame.loc[3, "cost"] = np.nan
    known = frame.dropna()
    found = frame.evals(outcomes=["ok", COST]).metrics(["cost_per_success", "cost_per_row"]).frame
    assert found["value"].tolist() == pytest.approx([known["cost"].sum() / known["ok"].sum(), known["cost"].mean()])
    assert found["support"].tolist() == [399, 399]


def test_its_interval_agrees_with_fieller() -> None:
    """Fieller 1954: the roots of (a − θb)² = t² (s_aa − 2θ s_ab + θ² s_bb) / n."""
    frame = served(2000, np.random.default_rng(1))
    row = frame.evals(outcomes=["ok", COST]).metrics("cost_per_success").frame.iloc[0]
    cost, ok = frame["cost"].to_numpy(), frame["ok"].to_numpy(float)
    c, n = 1.96**2, len(frame)
    s = np.cov(cost, ok) / n
    a, b = cost.mean(), ok.mean()
    roots = np.roots([b * b - c * s[1, 1], -2 * (a * b - c * s[0, 1]), a * a - c * s[0, 0]])
    assert sorted(roots) == pytest.approx([row["ci_low"], row["ci_high"]], rel=2e-3)


def test_its_interval_covers() -> None:
    rng, cohorts, n, p = np.random.default_rng(2), 600, 100, 0.7
    frame = served(cohorts * n, rng, p).assign(g=np.repeat(np.arange(cohorts), n))
    found = frame.evals(outcomes=["ok", COST]).metrics("cost_per_success", by="g").frame.query("not is_overall")
    truth = (2 * p + 3.6 * (1 - p)) / p
    assert found["value"].mean() == pytest.approx(truth, rel=0.02)
    assert 0.925 <= found["ci_low"].le(truth).mul(found["ci_high"].ge(truth)).mean() <= 0.985


def test_no_success_is_undefined_with_a_reason() -> None:
    frame = pd.DataFrame({"ok": [False, False], "cost": [1.0, 2.0]})
    row = frame.evals(outcomes=[Outcome("ok", "pass"), COST]).metrics("cost_per_success").frame.iloc[0]
    assert np.isnan(row["value"])
    assert "no successes" in row["note"]


def test_the_success_is_named_where_several_could_be_meant() -> None:
    frame = served(50, np.random.default_rng(3)).assign(refused=False)
    ev = frame.evals(outcomes=["ok", Outcome("refused", "pass"), COST])
    with pytest.raises(MetricError, match=r"several \('ok', 'refused'\).*cost_per_success\(of='ok'\)"):
        ev.metrics("cost_per_success")
    named = ev.metrics("cost_per_success(of='ok')").frame
    assert named["value"].item() == pytest.approx(frame["cost"].sum() / frame["ok"].sum())
    with pytest.raises(MetricError, match="Did you mean 'ok'"):
        ev.metrics("cost_per_success(of='okk')")
    with pytest.raises(MetricError, match="there is none"):
        frame.evals(outcomes=[COST]).metrics("cost_per_success")


def long(frame: pd.DataFrame, slower: float) -> pd.DataFrame:
    base = frame.assign(id=np.arange(len(frame)), model="base", latency=frame["cost"])
    own = slower * np.random.default_rng(9).uniform(0.8, 1.2, len(frame))
    return pd.concat([base, base.assign(model="cand", latency=base["latency"] + own)], ignore_index=True)


@pytest.mark.parametrize("metric", ["latency_mean", "latency_p95", "mean"])
def test_an_outcome_of_which_less_is_better_says_so_everywhere(metric: str) -> None:
    """A slower candidate is worse: in the arrows, the verdict of a comparison, and a rule against the baseline."""
    frame = long(served(400, np.random.default_rng(4)), slower=2.0)
    ev = frame.evals(outcomes=[Outcome("latency", better="lower")], id="id", model="model")
    assert "↓" in str(ev.metrics([metric]))
    if metric != "latency_p95":
        assert ev.compare("cand", "base", metrics=[metric]).frame["verdict"].tolist() == ["base"]
    slower = ev.gate(Gate(metric, vs="baseline", margin=0.5), model="cand", baseline="base")
    faster = ev.gate(Gate(metric, vs="baseline", margin=0.5), model="base", baseline="cand")
    assert (slower.answer, faster.answer) == ("fail", "pass")


def test_a_quantile_without_a_direction_cannot_be_no_worse() -> None:
    frame = long(served(50, np.random.default_rng(5)), slower=1.0)
    ev = frame.evals(outcomes=[Outcome("latency")], id="id", model="model")
    with pytest.raises(MetricError, match=r"better='lower'"):
        ev.gate(Gate("latency_p95", vs="baseline"), model="cand", baseline="base")
    assert dfevals.metrics.table().set_index("name").loc["per_success", "better"] == "lower"


@pytest.mark.parametrize(
    ("asked", "near"),
    [("judge_passrate", "judge_pass_rate"), ("judg_fail_rate", "judge_fail_rate"), ("fail_rat", "fail_rate")],
)
def test_the_nearest_metrics_of_outcomes_are_named(asked: str, near: str) -> None:
    ev = pd.DataFrame({"judge": [0.1, 0.9], "ok": [True, False]}).evals(outcomes=[Outcome("judge", pass_at=0.5), "ok"])
    with pytest.raises(MetricError, match=f"There is no metric '{asked}'. Did you mean '{near}'"):
        ev.metrics(asked)


def test_a_score_without_a_mark_names_the_verdicts_beside_it() -> None:
    frame = pd.DataFrame({"mine": [3.0, 9.0], "mine_passed": [True, False]})
    with pytest.raises(DataError, match="Its verdicts are the outcome 'mine_passed': ask for that one, or say from"):
        frame.evals(outcomes=["mine", "mine_passed"]).metrics("mine_fail_rate")
    with pytest.raises(DataError, match=r"not a verdict\. Say from where it passes"):
        frame.evals(outcomes=["mine"]).metrics("fail_rate")


@pytest.mark.parametrize(("right", "rows"), [(20, 20), (29, 30), (0, 30), (7, 30)])
def test_means_of_zeros_and_ones_have_the_interval_of_a_share(right: int, rows: int) -> None:
    frame = pd.DataFrame({"acc": np.r_[np.ones(right), np.zeros(rows - right)]})
    ev = frame.evals(outcomes=["acc"])
    found = ev.metrics("acc_mean").frame.iloc[0]
    share = dfevals.inference.wilson(right, rows)
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((share.ci_low, share.ci_high))
    if right == rows:
        assert ev.gate(dfevals.Gate("acc_mean", ">=", 0.99)).answer == "inconclusive"


def test_equal_numbers_have_no_interval_unless_their_range_is_known() -> None:
    frame = pd.DataFrame({"score": [0.9] * 12})
    found = frame.evals(outcomes=["score"]).metrics("score_mean").frame.iloc[0]
    assert np.isnan(found["ci_low"])
    assert "constant" in found["note"]
    known = frame.evals(outcomes=[dfevals.Outcome("score", range=(0, 1))])
    found = known.metrics("score_mean").frame.iloc[0]
    share = dfevals.inference.wilson(0.9 * 12, 12)
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((share.ci_low, share.ci_high))
    assert known.gate(dfevals.Gate("score_mean", ">=", 0.89)).answer == "inconclusive"
    assert dfevals.evaluate(frame, **known.roles.declared()).roles == known.roles
    assert type(known.roles).from_json(known.roles.to_json()) == known.roles


@pytest.mark.parametrize("shape", ["beta", "uniform", "rare zeros"])
def test_means_of_scores_with_a_known_range_cover_and_keep_to_it(shape: str) -> None:
    rng, samples, n = np.random.default_rng(9), 600, 30
    x, truth = {
        "beta": (rng.beta(9, 1, samples * n), 0.9),
        "uniform": (rng.random(samples * n), 0.5),
        "rare zeros": (np.where(rng.random(samples * n) < 0.05, 0, rng.uniform(0.9, 1, samples * n)), 0.95**2),
    }[shape]
    frame = pd.DataFrame({"x": x, "c": np.repeat(np.arange(samples), n)})
    found = frame.evals(outcomes=[dfevals.Outcome("x", range=(0, 1))]).metrics("mean", by="c").frame
    found = found[~found["is_overall"]]
    assert found["ci_low"].between(0, 1).all()
    assert found["ci_high"].between(0, 1).all()
    assert ((found["ci_low"] <= truth) & (truth <= found["ci_high"])).mean() > 0.93


def test_a_score_of_an_evaluator_knows_its_range() -> None:
    frame = pd.DataFrame({"response": ["a b c"] * 6 + ["a b"] * 6, "reference": ["a b c"] * 12})
    scored = frame.evals.annotate([dfevals.evaluators.TokenF1()])
    found = scored.evals().metrics().frame
    means = found[found["metric"].str.contains("mean")]
    assert len(means)
    assert means["ci_high"].max() <= 1
    assert means["ci_low"].min() >= 0


def test_the_root_of_a_mean_keeps_its_lower_bound() -> None:
    frame = pd.DataFrame({"y": np.r_[np.zeros(24), 30.0], "p": 0.0})
    found = frame.evals(y_true="y", y_pred="p", task="regression").metrics(["mse", "rmse"]).frame
    assert found["ci_low"].tolist() == [0, 0]
    assert found["ci_high"].iloc[1] == pytest.approx(found["ci_high"].iloc[0] ** 0.5)
