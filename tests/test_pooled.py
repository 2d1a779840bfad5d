"""Partial pooling: values of `metrics(pooled=True)` against integrals done by hand, and the roles it must honour."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import dfevals
from dfevals.exceptions import MetricError
from dfevals.inference.pooling import pool_means, pool_shares

SCHOOLS = np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def test_means_are_the_posterior_of_the_eight_schools() -> None:
    y, se = SCHOOLS

    def parts(spread: float) -> tuple[float, np.ndarray]:
        """Likelihood of a variance between schools with the centre integrated out, and the mean of every school."""
        total = se**2 + spread
        centre = (y / total).sum() / (1 / total).sum()
        log = stats.norm.logpdf(y, centre, np.sqrt(total)).sum() - 0.5 * np.log((1 / total).sum())
        return np.exp(log + 40), y + se**2 / total * (centre - y)

    def over(function: Any) -> float:
        pieces = [(0, 100), (100, 1e3), (1e3, 1e4), (1e4, 1e8)]
        return float(sum(integrate.quad(function, *ends, limit=200)[0] for ends in pieces))

    norm = over(lambda s: parts(s)[0])
    expected = [over(lambda s, i=i: parts(s)[0] * parts(s)[1][i]) / norm for i in range(8)]
    found = pool_means(y, se)
    assert found.value == pytest.approx(expected, abs=0.05)
    assert found.spread == pytest.approx(over(lambda s: parts(s)[0] * np.sqrt(s)) / norm, rel=0.01)


def test_shares_are_the_posterior_of_the_beta_binomial_law() -> None:
    k, n = np.array([0.0, 4, 9, 2, 7, 30]), np.array([12.0, 20, 22, 30, 25, 60])
    usual = len(n) / (1 / n).sum()
    logits = np.linspace(-16, 16, 400)  # of the shrinkage; an even prior of τ² has the density S⁻² on S
    means = (np.arange(300) + 0.5) / 300
    size = usual * np.exp(logits)[:, None]
    mean = means[None, :]
    log = sum(stats.betabinom(int(b), mean * size, (1 - mean) * size).logpmf(int(a)) for a, b in zip(k, n, strict=True))
    share = 1 / (1 + np.exp(-logits))[:, None]
    weight = np.exp(log - log.max()) * share**-2 * share * (1 - share)
    weight *= np.minimum(mean, 1 - mean) * size >= 0.5  # the law is worth half an event at least
    weight /= weight.sum()
    at = (k[:, None, None] + mean * size) / (n[:, None, None] + size)
    found = pool_shares(k, n)
    assert found.value == pytest.approx((at * weight).sum(axis=(1, 2)), abs=2e-3)
    assert (found.low > 0).all()
    assert (found.low < found.value).all()
    assert (found.value < found.high).all()


def rows(seed: int = 0, size: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = rng.choice(list("abcdef"), size, p=[0.4, 0.3, 0.15, 0.1, 0.03, 0.02])
    y = rng.integers(0, 2, size)
    score = np.clip(rng.normal(0.35 + 0.3 * y, 0.2), 0.01, 0.99)
    return pd.DataFrame({"g": g, "y": y, "p": score, "unit": np.arange(size)})


def pooled(frame: pd.DataFrame, metrics: Any = None, **roles: Any) -> pd.DataFrame:
    return frame.evals(y_true="y", y_score="p", pos_label=1, **roles).metrics(metrics, by="g", pooled=True).frame


def test_pooled_stands_beside_the_raw_value() -> None:
    frame = rows()
    found = pooled(frame)
    raw = frame.evals(y_true="y", y_score="p", pos_label=1).metrics(by="g").frame
    pd.testing.assert_frame_equal(found[raw.columns], raw)
    overall = found[found["is_overall"]]
    assert (overall["pooled"] == overall["value"]).all()
    for _, part in found[~found["is_overall"]].groupby("metric"):
        assert np.ptp(part["pooled"]) < np.ptp(part["value"])
        assert (part["pooled_low"] < part["pooled"]).all()
        assert (part["pooled"] < part["pooled_high"]).all()
        small = part.set_index("g").loc["f"]
        assert small["pooled_high"] - small["pooled_low"] < small["ci_high"] - small["ci_low"]


def test_many_rows_are_hardly_moved() -> None:
    frame = rows(size=60_000)
    part = pooled(frame, "recall").set_index("g").loc["a"]
    assert abs(part["pooled"] - part["value"]) < 0.1 * (part["ci_high"] - part["ci_low"])


def test_copies_in_clusters_are_no_more_rows() -> None:
    frame = rows()
    copies = pd.concat([frame] * 3)
    once, thrice = (
        pooled(frame, ["accuracy", "log_loss"], cluster="unit"),
        pooled(copies, ["accuracy", "log_loss"], cluster="unit"),
    )
    for name in ("pooled", "pooled_low", "pooled_high"):
        assert thrice[name].to_numpy() == pytest.approx(once[name].to_numpy(), rel=1e-6)


def test_equal_weights_say_nothing() -> None:
    frame = rows().assign(w=7.0)
    plain, weighted = pooled(frame, ["recall", "brier"]), pooled(frame, ["recall", "brier"], sample_weight="w")
    assert weighted["pooled"].to_numpy() == pytest.approx(plain["pooled"].to_numpy(), rel=0.01)


def test_no_events_and_no_value() -> None:
    frame = pd.DataFrame({"g": ["a"] * 40 + ["b"] * 40 + ["c"] * 6 + ["d"] * 3, "y": [1] * 86 + [0] * 3})
    frame["p"] = np.where(np.arange(89) % 4 == 0, 0.1, 0.9)
    frame.loc[frame["g"] == "c", "p"] = 0.1
    found = pooled(frame, "recall").set_index("g")
    assert found.loc["c", "value"] == 0
    assert 0.02 < found.loc["c", "pooled"] < 0.75
    assert np.isnan(found.loc["d", "pooled"])
    assert found.loc["d", "note"] == "no positives"


def test_every_metric_direction_and_range() -> None:
    frame = rows()
    ev = frame.evals(y_true="y", y_score="p", pos_label=1)
    found = ev.metrics(["log_loss", "neg_log_loss", "mcc", "ece"], by="g", pooled=True).frame
    one, minus = (found[found["metric"] == name] for name in ("log_loss", "neg_log_loss"))
    assert minus["pooled"].to_numpy() == pytest.approx(-one["pooled"].to_numpy())
    assert minus["pooled_low"].to_numpy() == pytest.approx(-one["pooled_high"].to_numpy())
    mcc = found[(found["metric"] == "mcc") & ~found["is_overall"]]
    assert mcc["pooled"].between(-1, 1).all()
    classes = ev.metrics("recall", by="g", by_class=True, pooled=True).frame
    assert classes["pooled"].notna().all()
    numbers = pd.DataFrame(
        {"g": list("abcd") * 30, "y": np.arange(120.0), "p": np.arange(120.0) + np.tile([0, 1, -2], 40)}
    )
    regression = numbers.evals(y_true="y", y_pred="p", task="regression").metrics(
        ["r2", "mean_error", "mae"], by="g", pooled=True
    )
    assert regression.frame["pooled"].notna().all()


def test_a_tally_pools_as_well_and_notes_say_how() -> None:
    ev = rows().evals(y_true="y", y_score="p", pos_label=1)
    direct = ev.metrics("recall", by="g", pooled=True)
    pd.testing.assert_frame_equal(ev.collect("recall", by="g").metrics(pooled=True).frame, direct.frame)
    assert "not the raw value" in direct.notes[0]
    assert "pooled" in repr(direct)
    assert any(artist.get_gid() == "pooled" for artist in direct.plot().collections)


def test_what_pooling_needs() -> None:
    ev = rows().evals(y_true="y", y_score="p", pos_label=1)
    with pytest.raises(MetricError, match="pass by="):
        ev.metrics("recall", pooled=True)
    with pytest.raises(MetricError, match="level="):
        ev.metrics("recall", by="g", pooled=True, level=None)
    assert "(2 cohorts)" in " ".join(ev.metrics("recall", by=dfevals.bins("p", [0.5]), pooled=True).notes)
