"""Drift: published values, intervals by simulation, roles, and references that do not fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import dfevals
from dfevals.exceptions import DfevalsError
from dfevals.inference import drift as arrays

ROLES = {"y_true": "y", "y_score": {"m": "p"}, "pos_label": 1}


def frame(n: int = 1000, seed: int = 0, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.4
    return pd.DataFrame(
        {
            "y": y.astype(int),
            "p": np.clip(0.3 * y + 0.7 * rng.random(n), 0, 1),
            "x": rng.normal(shift, 1, n),
            "z": rng.normal(0, 1, n),
            "c": rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2]),
            "zero": np.where(rng.random(n) < 0.9, 0.0, rng.exponential(1, n)),
            "flag": rng.random(n) < 0.3,
            "g": rng.choice(["u", "v"], n),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 90, n), unit="D"),
        }
    )


def test_published_values_of_two_categories() -> None:
    """Half a, half b against half a, half c: the worked values of CONVENTIONS of the field (floor 1e-4 for PSI)."""
    a, b = np.array([0.5, 0.5, 0]), np.array([0.5, 0, 0.5])
    assert arrays.psi(a, b) == pytest.approx(2 * 0.4999 * np.log(5000))
    assert arrays.jensen_shannon(a, b) == pytest.approx(np.sqrt(0.5))
    before, now = pd.DataFrame({"c": ["a", "b"] * 50}), pd.DataFrame({"c": ["a", "c"] * 50, "y": [0, 1] * 50, "p": 0.5})
    row = now.evals(**ROLES).drift(before, "c").frame.iloc[0]
    assert row["psi"] == pytest.approx(8.51549, abs=1e-5)
    assert row["jensen_shannon"] == pytest.approx(0.70711, abs=1e-5)
    assert row["verdict"] == "moved"


def test_ties_are_tested_by_permutation() -> None:
    a, b = np.sort([0.0] * 50 + [1.0] * 50), np.sort([0.0] * 40 + [1.0] * 60)
    found = arrays.apart(a, b, n_resamples=4000)
    assert found.ks == pytest.approx(0.1)
    assert found.p_value == pytest.approx(0.199, abs=0.02)
    assert found.tied


def test_distances_equal_scipy() -> None:
    before, now = frame(400, 1), frame(300, 2, shift=0.4)
    row = now.evals(**ROLES).drift(before, "x").frame.iloc[0]
    expected = stats.ks_2samp(before["x"], now["x"])
    assert row["ks"] == pytest.approx(expected.statistic)
    assert row["p_value"] == pytest.approx(expected.pvalue)
    area = stats.wasserstein_distance(before["x"], now["x"]) / before["x"].std(ddof=0)
    assert row["wasserstein"] == pytest.approx(area)
    edges = np.quantile(before["x"], np.arange(1, 10) / 10, method="higher")
    p, q = (np.bincount(np.searchsorted(edges, f["x"], "right"), minlength=10) / len(f) for f in (before, now))
    assert row["jensen_shannon"] == pytest.approx(arrays.jensen_shannon(p, q), abs=0.01)


@pytest.mark.parametrize(
    ("bins", "n", "m", "apart"), [(10, 400, 300, 0.0), (10, 400, 300, 0.3), (4, 200, 900, 0.6), (30, 900, 900, 0.1)]
)
def test_intervals_of_the_effect_cover(bins: int, n: int, m: int, apart: float) -> None:
    rng = np.random.default_rng(bins + n)
    p = np.full(bins, 1 / bins)
    q = p * np.exp(apart * rng.normal(size=bins))
    q /= q.sum()
    true = arrays.jensen_shannon(p, q)
    inside, centre = 0, []
    for _ in range(500):
        a, b = rng.multinomial(n, p) / n, rng.multinomial(m, q) / m
        value, low, high = arrays.divergence_interval(arrays.jensen_shannon(a, b), bins, n, m, 0.95)
        inside += low <= true <= high
        assert low <= value <= high
        assert high > 0
        centre.append(value)
    assert inside / 500 >= 0.93
    assert abs(np.mean(centre) - true) < 0.035


def test_nothing_moves_in_noise() -> None:
    """Family-wise: at most one in twenty pairs of like frames shows any change."""
    wrong = 0
    for seed in range(60):
        found = frame(300, 2 * seed + 1).evals(**ROLES).drift(frame(300, 2 * seed)).frame
        assert not (found["verdict"] == "moved").any()
        wrong += (found["p_corrected"] < 0.05).any()
    assert wrong <= 8  # 3 expected, 8 at the 99th percentile


def test_a_verdict_does_not_follow_from_many_rows_alone() -> None:
    before, now = frame(60_000, 1), frame(60_000, 2, shift=0.05)
    found = now.evals(**ROLES).drift(before).frame.set_index("column")
    assert found.loc["x", "p_corrected"] < 0.001
    assert found.loc["x", "verdict"] == "slightly"
    assert frame(400, 3, shift=1.0).evals(**ROLES).drift(frame(400, 4)).frame["column"].iloc[0] == "x"


def test_missing_values_are_a_bin_and_a_share() -> None:
    before, now = frame(), frame(seed=5)
    now.loc[:499, "x"] = np.nan
    row = now.evals(**ROLES).drift(before, "x").frame.iloc[0]
    assert (row["missing"], row["missing_reference"], row["verdict"]) == (0.5, 0.0, "moved")
    assert row["p_value"] < 1e-6


def test_a_frequent_zero_is_a_bin_of_its_own() -> None:
    before, now = frame(), frame(seed=5)
    now["zero"] = np.where(np.arange(len(now)) % 2, 0.0, 1.0)
    assert now.evals(**ROLES).drift(before, "zero").moved == ("zero",)


def test_kinds_of_shift_are_told_apart() -> None:
    rng = np.random.default_rng(0)

    def made(n: int, rate: float, twist: float) -> pd.DataFrame:
        y = rng.random(n) < rate
        x = rng.normal(np.where(y, 1, -1), 1)
        p = 1 / (1 + np.exp(-2 * x))
        y = np.where(rng.random(n) < twist, rng.random(n) < 0.5, rng.random(n) < p)
        return pd.DataFrame({"y": y.astype(int), "p": p})

    before = made(8000, 0.5, 0.0)
    covariate = made(4000, 0.2, 0.0).evals(**ROLES).drift(before).shift.set_index("shift")
    assert covariate["verdict"].to_dict() == {"label": "changed", "score": "changed", "concept": "no evidence"}
    concept = made(4000, 0.5, 0.6).evals(**ROLES).drift(before).shift.set_index("shift")
    assert concept.loc["score", "verdict"] == "no evidence"
    twisted = before.assign(y=np.where(rng.random(8000) < 0.3, 1, before["y"]))
    assert twisted.evals(**ROLES).drift(before).shift.set_index("shift").loc["concept", "verdict"] == "changed"


def test_copies_of_rows_in_a_cluster_are_one_row() -> None:
    before, now = frame(200, 1), frame(200, 2, shift=0.3)
    once = now.assign(id=range(200)).evals(**ROLES, cluster="id").drift(before.assign(id=range(200))).frame
    copied = (pd.concat([f.assign(id=range(200))] * 6, ignore_index=True) for f in (now, before))
    many_now, many_before = copied
    many = many_now.evals(**ROLES, cluster="id").drift(many_before).frame
    both = once.merge(many, on="column")
    assert np.allclose(both["effect_high_x"], both["effect_high_y"], atol=0.02)
    assert np.allclose(both["p_value_x"], both["p_value_y"], atol=0.05)


def test_weights_count_and_their_scale_does_not() -> None:
    before, now = frame(300, 1).assign(w=1.0), frame(300, 2, shift=0.5)
    now["w"] = np.where(now["x"] > 0.5, 3.0, 1.0)
    found = now.evals(**ROLES, sample_weight="w").drift(before, "x").frame.iloc[0]
    scaled = now.assign(w=now["w"] * 7).evals(**ROLES, sample_weight="w").drift(before, "x").frame.iloc[0]
    assert found["effect_low"] == pytest.approx(scaled["effect_low"])
    expected = stats.wasserstein_distance(before["x"], now["x"], v_weights=now["w"]) / before["x"].std(ddof=0)
    assert found["wasserstein"] == pytest.approx(expected)


def test_the_latest_period_against_all_before() -> None:
    rows = frame(3000)
    rows.loc[rows["at"] >= "2026-03-01", "x"] += 2
    found = rows.evals(**ROLES, time="at").drift(period="M").frame.set_index("column")
    assert found.loc["x", "verdict"] == "moved"
    assert found.loc["x", "n"] == (rows["at"] >= "2026-03-01").sum()
    assert found.loc["x", "n_reference"] == (rows["at"] < "2026-03-01").sum()


def test_cohorts_are_compared_with_their_own_kind() -> None:
    before, now = frame(2000, 1), frame(2000, 2)
    now.loc[now["g"] == "u", "x"] += 2
    found = now.evals(**ROLES).drift(before, "x", by="g").frame.set_index("g")
    assert found.loc["u", "verdict"] == "moved"
    assert found.loc["v", "verdict"] != "moved"
    assert found.loc["(overall)", "n"] == 2000


def test_references_that_do_not_fit_are_said() -> None:
    before, now = frame(200, 1), frame(200, 2)
    ev = now.evals(**ROLES)
    odd = before.assign(x=before["x"].map("{:.1f}".format), c=None).drop(columns="z")
    result = ev.drift(odd)
    found = result.frame.set_index("column")
    assert found.loc["x", "verdict"] == "not compared"
    assert "category in the reference, number here" in found.loc["x", "note"]
    assert found.loc["c", "missing_reference"] == 1.0
    assert any("Not in the reference: z" in note for note in result.notes)
    with pytest.raises(DfevalsError, match="pass reference="):
        ev.drift()
    with pytest.raises(DfevalsError, match="one of them is empty"):
        ev.drift(before.iloc[:0])
    with pytest.raises(DfevalsError, match="'q'"):
        ev.drift(before, "q")
    with pytest.raises(DfevalsError, match="no column 'z'"):
        ev.drift(odd, "z")
    with pytest.raises(DfevalsError, match="time="):
        ev.drift(period="M")
    few = now.head(12).evals(**ROLES).drift(before).frame
    assert set(few["verdict"]) == {"too few"}


def test_it_is_shown_and_drawn() -> None:
    result = frame(400, 2, shift=1.0).evals(**ROLES).drift(dfevals.evaluate(frame(400, 1), **ROLES), by="g")
    for text in (result.to_markdown(), result.to_html(), repr(result)):
        assert "moved" in text
    assert result.plot().get_lines()
    assert len(result.plot("bins", column="x").patches) == 2 * (result.bins["column"] == "x").sum()
    with pytest.raises(DfevalsError, match="'q'"):
        result.plot("bins", column="q")


def test_rows_without_a_weight_are_counted() -> None:
    rows = frame(200).assign(w=np.r_[[np.nan] * 7, np.ones(93), 2 * np.ones(100)])
    result = rows.evals(**ROLES, sample_weight="w").drift(frame(200, 1))
    assert "7 rows without a weight left out." in result.notes
    assert result.frame["n"].eq(193).all()
