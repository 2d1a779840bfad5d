"""Flags are the verdict of the test against the rest, and what rests on too few rows of a class has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.estimates.events import rare_classes
from dfevals.estimates.means import difference_of_means
from dfevals.tally import ClassTally, MomentTally


def scored(rng: np.random.Generator, sizes: list[int], rates: list[float]) -> pd.DataFrame:
    """Calibrated risks in cohorts of these sizes and rates of positives."""
    rate = np.repeat(rates, sizes)
    y = rng.random(len(rate)) < rate
    z = rng.normal(size=len(rate)) + 1.5 * (y - 0.5)
    p = 1 / (1 + np.exp(-1.5 * z) * (1 - rate) / rate)
    return pd.DataFrame({"y": y.astype(int), "p": p, "g": np.repeat(np.arange(len(sizes)), sizes)})


@pytest.mark.parametrize("metrics", [None, ["f1", "gini", "mcc", "ks", "precision"]])
def test_flags_are_the_verdicts_of_the_test_against_the_rest(metrics: Any) -> None:
    frame = scored(np.random.default_rng(4), [300, 40, 200, 30, 500], [0.5, 0.1, 0.9, 0.03, 0.3])
    ev = frame.evals(y_true="y", y_score="p")
    shown = ev.metrics(metrics, by="g").frame.set_index(["metric", "g"])
    tested = ev.metrics(metrics, by="g", relative_to="complement").frame.set_index(["metric", "g"])
    names = list(dict.fromkeys(shown.index.get_level_values("metric")))
    compared = ev.compare(by="g", against="complement", metrics=names).frame.set_index(["metric", "g"])
    assert (shown["flag"] == tested["flag"]).all()
    found = (tested["p_corrected"] < 0.05) & ~tested["is_overall"]
    expected = np.where(found, np.where(tested["difference"] > 0, "higher", "lower"), "")
    assert (tested["flag"] == expected).all()
    assert found.sum() >= 3
    for (metric, g), row in tested[~tested["is_overall"]].iterrows():
        verdict = compared.loc[(metric, g), "verdict"]
        assert (verdict not in ("no evidence", "too few")) == (row["flag"] != ""), (metric, g)
        assert row["p_value"] == pytest.approx(compared.loc[(metric, g), "p_value"], nan_ok=True)


@pytest.mark.parametrize("metric", ["rmse", "mse"])
def test_a_root_is_tested_as_what_it_is_the_root_of(metric: str) -> None:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(6), 50)
    frame = pd.DataFrame({"y": rng.normal(0, np.where(g == 2, 3.0, 1.0)), "p": 0.0, "g": g})
    found = frame.evals(y_true="y", y_pred="p", task="regression").metrics(
        ["mse", metric], by="g", relative_to="complement"
    )
    table = found.frame[~found.frame["is_overall"]]
    mse, own = (table[table["metric"] == name] for name in ("mse", metric))
    assert own["p_value"].to_numpy() == pytest.approx(mse["p_value"].to_numpy())
    assert own["flag"].tolist() == mse["flag"].tolist()
    assert own["flag"].tolist()[2] == "higher"
    held = (own["difference_low"] <= 0) & (own["difference_high"] >= 0)
    assert (held == (own["p_value"] >= 0.05)).all()


@pytest.mark.parametrize("metric", ["log_loss", "brier", "brier_skill"])
def test_a_cohort_without_positives_has_no_flag_no_verdict_and_no_route(metric: str) -> None:
    rng = np.random.default_rng(0)
    frame = scored(rng, [200, 400, 400], [0.05, 0.1, 0.1])
    frame = frame.assign(y=np.where(frame["g"] == 0, 0, frame["y"]), half=frame["p"] / 2)
    ev = frame.evals(y_true="y", y_score={"a": "p", "half": "half"})
    if metric != "brier_skill":
        verdicts = ev.compare("a", "half", by="g", metrics=metric).frame.set_index("g")["verdict"]
        assert verdicts["0"] == "too few"
        assert "too few" not in verdicts.drop("0").tolist()
        route = ev.route(by="g", metric=metric, default="a")
        assert route.frame.set_index("g").loc["0", ["model", "verdict"]].tolist() == ["a", "too few"]
        gate = ev.gate(dfevals.Gate(metric, "<=", 0.9), by="g", model="a").frame
        assert gate.set_index("g").loc["0", "answer"] == "inconclusive"
    found = ev.metrics(metric, by="g", relative_to="complement").frame
    mine = found[found["g"] == "0"]
    assert (mine["flag"] == "").all()
    if metric != "brier_skill":  # which has no value there
        assert mine["note"].str.contains("too few rows of a class").all()


def test_rare_classes_count_together() -> None:
    events = np.array([[50.0, 50, 50, 4, 0], [5, 4, 0, 4, 0], [0, 30, 0, 4, 0]])
    every = np.ones(3, bool)
    assert rare_classes(events, every).tolist() == [True, True, True, False, False]
    assert rare_classes(events, np.array([True, True, False])).tolist() == [False, True, True, False, False]
    assert rare_classes(events[:2], every[:2]).tolist() == [False, True, True, False, False]


def test_rows_of_one_patient_are_one_event() -> None:
    frame = scored(np.random.default_rng(2), [200, 300], [0.02, 0.3])
    frame["y"] = np.where(frame["g"] == 0, np.arange(500) < 3, frame["y"]).astype(int)
    copied = frame.loc[frame.index.repeat(4)].assign(unit=np.arange(500).repeat(4))
    found = copied.evals(y_true="y", y_score="p", cluster="unit").metrics("log_loss", by="g").frame
    assert found.loc[found["g"] == "0", "note"].str.contains("too few rows of a class").all()
    assert not found.loc[found["g"] == "1", "note"].str.contains("too few").any()


def test_counts_of_classes_add_up() -> None:
    frame = scored(np.random.default_rng(3), [60, 90, 50], [0.2, 0.5, 0.1])
    parts = [frame.iloc[:110], frame.iloc[110:]]
    first, second = (f.evals(y_true="y", y_score="p", labels=[0, 1]).collect(["log_loss"], by="g") for f in parts)
    counts = [p for p in (first + second).models["p"].parts.values() if isinstance(p, ClassTally)]
    assert len(counts) == 1
    np.testing.assert_allclose(counts[0].weight, np.array(pd.crosstab(frame["y"], frame["g"])))


@pytest.mark.parametrize("loss", ["lognormal", "rare"])
@pytest.mark.parametrize("top", [True, False])
def test_heavy_tails_are_judged_as_by_a_permutation_of_the_rows(loss: str, top: bool) -> None:
    rng = np.random.default_rng(6)
    values = rng.lognormal(0, 1.0, 1000) if loss == "lognormal" else (rng.random(1000) < 0.1) * rng.random(1000)
    order = np.argsort(values + rng.exponential(3 * values.std(), 1000))
    mine = np.zeros(1000, bool)
    mine[rng.permutation(order[-400:] if top else order[:600])[:40]] = True
    tallies = [MomentTally.of_block(np.zeros(m.sum(), np.intp), 1, [values[m]], 3, None) for m in (mine, ~mine)]
    found = difference_of_means(tallies[0], tallies[1], 0.95)
    gap = values[mine].mean() - values[~mine].mean()
    dealt = np.array([values[rng.permutation(1000)[:40]].sum() for _ in range(4000)])
    gaps = dealt / 40 - (values.sum() - dealt) / 960
    expected = 2 * min((gaps >= gap).mean(), (gaps <= gap).mean())
    assert found.p_value[0] >= 0.6 * expected - 0.01
    assert (found.ci_low[0] <= 0 <= found.ci_high[0]) == (found.p_value[0] >= 0.05)


def test_metrics_that_are_not_compared_with_the_rest_say_so() -> None:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"y": rng.normal(size=90), "p": 0.0, "g": np.arange(90) % 3})
    ev = frame.evals(y_true="y", y_pred="p", task="regression")
    assert any("No flags for median_ae" in note for note in ev.metrics(["mae", "median_ae"], by="g").notes)
    assert not any("No flags" in note for note in ev.metrics("median_ae", by="g", relative_to="complement").notes)


@pytest.mark.parametrize("metric", ["r2", "explained_variance", "pearson_r"])
def test_heavy_tailed_errors_are_marked_where_squares_of_them_matter(metric: str) -> None:
    rng = np.random.default_rng(8)
    prediction = rng.normal(0, 3, 30_000)
    cohort = np.arange(30_000) % 30
    shares = {}
    for name, error in (("t3", rng.standard_t(3, 30_000)), ("normal", rng.normal(size=30_000))):
        frame = pd.DataFrame({"y": prediction + error, "p": prediction, "g": cohort})
        found = frame.evals(y_true="y", y_pred="p").metrics(metric, by="g").frame
        shares[name] = found[~found["is_overall"]]["note"].str.contains("too few").mean()
    assert shares["normal"] == 0
    assert shares["t3"] > 0.8


def test_average_precision_mixes_its_variance_with_the_binomial_one_of_three_positives() -> None:
    from scipy.special import expit, logit
    from scipy.stats import t as student
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(10)
    y = np.r_[np.ones(7), np.zeros(33)].astype(int)
    score = expit(rng.normal(size=40) + 2.2 * y)
    value = average_precision_score(y, score)
    step, moved = 1e-6, np.empty(40)
    for i in range(40):
        weight = np.ones(40)
        weight[i] += step
        moved[i] = (average_precision_score(y, score, sample_weight=weight) - value) / step
    own = (moved**2).sum() * 7 / 6
    mixed = (7 * own + 3 * value * (1 - value) / 7) / 10  # Boyd et al. 2013: the binomial variance of the positives
    half = student.ppf(0.975, 6) * np.sqrt(mixed) / (value * (1 - value))
    found = pd.DataFrame({"y": y, "s": score}).evals(y_true="y", y_score="s").metrics("average_precision").frame.iloc[0]
    ends = expit([logit(value) - half, logit(value) + half])
    assert (found["ci_low"], found["ci_high"]) == pytest.approx(tuple(ends), rel=1e-4)
    assert abs(own / mixed - 1) > 0.05
