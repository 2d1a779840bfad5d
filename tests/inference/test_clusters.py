"""Worth of few and unequal clusters against Bell and McCaffrey's definition by whole matrices, and by simulation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.linalg import sqrtm

from dfevals.inference.clusters import few_clusters, line_sandwich, varying, worth_of


def by_matrices(x, residual, weight, cluster):
    """CR2 variances and degrees of freedom of the coefficients of a weighted fit, from its hat matrix."""
    root = np.sqrt(weight)
    design, scaled = root[:, None] * x, residual / root
    bread = np.linalg.inv(design.T @ design)
    hat = design @ bread @ design.T
    variance, columns = np.zeros(x.shape[1]), []
    for c in np.unique(cluster):
        own = cluster == c
        adjusted = np.linalg.inv(np.real(sqrtm(np.eye(own.sum()) - hat[np.ix_(own, own)]))) @ design[own] @ bread
        variance += (adjusted.T @ scaled[own]) ** 2
        columns.append((np.eye(len(x)) - hat)[:, own] @ adjusted)
    crossed = [np.stack([c[:, j] for c in columns], axis=1) for j in range(x.shape[1])]
    products = [g.T @ g for g in crossed]
    return variance, np.array([np.trace(p) ** 2 / (p**2).sum() for p in products])


@given(st.lists(st.integers(1, 12), min_size=2, max_size=7), st.integers(0, 99))
def test_means_have_bell_and_mccaffreys_variance_and_degrees(sizes, seed):
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    y, ones = rng.normal(size=len(cluster)), np.ones(len(cluster))
    variance, df = by_matrices(ones[:, None], y - y.mean(), ones, cluster)
    worth = worth_of(np.array(sizes, float), np.zeros(len(sizes), int), 1)
    sums = np.bincount(cluster, y - y.mean()) / len(y)
    assert worth.variance(sums)[0] == pytest.approx(variance[0])
    assert worth.df[0] == pytest.approx(df[0])
    assert 1 <= worth.df[0] <= len(sizes) - 1


def test_equal_clusters_have_the_usual_factor_and_empty_ones_do_not_count():
    sums = np.array([0.3, -0.1, -0.2, 0.0, 5.0])
    worth = worth_of(np.array([4.0, 4, 4, 0, 7]), np.array([0, 0, 0, 0, 1]), 3)
    assert worth.df.tolist() == [pytest.approx(2), 0, 0]
    assert worth.variance(sums)[0] == pytest.approx((sums[:3] ** 2).sum() * 3 / 2)
    assert np.isnan(worth.variance(sums)[1])


@given(st.integers(0, 99))
def test_lines_have_bell_and_mccaffreys_variances_and_degrees(seed):
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(6), rng.integers(2, 15, 6))
    x, weight = rng.normal(size=len(cluster)) + cluster / 3, rng.uniform(0.05, 0.25, len(cluster))
    residual = rng.normal(size=len(cluster)) * np.sqrt(weight)
    variance, df = by_matrices(np.stack([np.ones_like(x), x], axis=1), residual, weight, cluster)
    scores = np.stack([np.bincount(cluster, residual * x**k) for k in (0, 1)], axis=1)
    information = np.stack([np.bincount(cluster, weight * x**k) for k in (0, 1, 1, 2)], axis=1).reshape(-1, 2, 2)
    found = line_sandwich(scores, information, np.zeros(6, int), np.array([True]))
    np.testing.assert_allclose(found[0][:, 0], variance)
    np.testing.assert_allclose(found[1][:, 0], df)
    none = line_sandwich(scores, information, np.array([0, 0, 0, 0, 0, 1]), np.array([True, True]))
    assert np.isnan(none[0][:, 1]).all()


def test_rows_that_do_not_vary_do_not_count_and_notes_tell_the_number():
    each = varying(np.array([0.5, -0.5, 0.0, 0.0]), np.ones(4), np.array([0, 0, 1, 1]))
    assert each.tolist() == [0.25, 0.25, 0, 0]
    ((mask, text),) = few_clusters(np.array([12.0, 3.62, 1.0, np.nan]))
    assert mask.tolist() == [False, True, False, False]
    assert text == "few clusters: worth 4 of equal size"


DESIGNS = {
    "five": [30] * 5,
    "one giant": [570] + [30] * 19,
    "ten, unequal": [200, 100, 60, 40, 30, 20, 20, 10, 10, 5],
}


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("spread", [0.0, 0.8])
def test_intervals_of_few_or_unequal_clusters_cover(design, spread):
    import dfevals  # noqa: F401

    sizes, samples = np.array(DESIGNS[design]), 250
    rng = np.random.default_rng(len(sizes))
    owner = np.repeat(np.arange(len(sizes)), sizes)
    sample = np.repeat(np.arange(samples), len(owner))
    cluster = (np.arange(samples)[:, None] * len(sizes) + owner).ravel()
    effect = (spread * rng.normal(size=samples * len(sizes)))[cluster]
    frame = pd.DataFrame({"s": sample.astype(str), "c": cluster, "y": 0.0})
    frame["p"] = effect + rng.normal(size=len(frame))
    found = frame.evals(y_true="y", y_pred="p", cluster="c", task="regression").metrics("mean_error", by="s").frame
    found = found[~found["is_overall"]]
    covered = ((found["ci_low"] <= 0) & (found["ci_high"] >= 0)).mean()
    assert 0.95 - 3 * np.sqrt(0.05 * 0.95 / samples) <= covered <= 0.995
    worth = worth_of(sizes.astype(float), np.zeros(len(sizes), int), 1)
    assert found["note"].str.contains(f"worth {worth.effective[0]:.0f} of").all()


def test_calibration_of_five_clusters_covers():
    import dfevals  # noqa: F401

    rng, samples = np.random.default_rng(2), 300
    sample = np.repeat(np.arange(samples), 300)
    cluster = np.repeat(np.arange(samples * 5), 60)
    line = rng.normal(size=len(sample)) * 1.2
    chance = stats.logistic.cdf(line + 0.4 * rng.normal(size=samples * 5)[cluster])
    frame = pd.DataFrame({"s": sample.astype(str), "c": cluster, "y": (rng.random(len(sample)) < chance).astype(int)})
    frame["p"] = stats.logistic.cdf(line)
    names = ["calibration_slope", "calibration_intercept", "calibration_in_the_large"]
    found = frame.evals(y_true="y", y_score="p", cluster="c").metrics(names, by="s").frame
    found = found[~found["is_overall"]]
    # the effect of clusters draws the slope from 1 to 0.96 on average
    truth = found["metric"].map(found.groupby("metric")["value"].median())
    covered = ((found["ci_low"] <= truth) & (truth <= found["ci_high"])).groupby(found["metric"]).mean()
    assert covered.min() >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / samples)
    assert found["note"].str.contains("few clusters: worth").all()
    table = frame[frame["s"] == "0"].evals(y_true="y", y_score="p", cluster="c").calibration().summary
    slope = found[(found["s"] == "0") & (found["metric"] == "calibration_slope")]
    assert table["calibration_slope_low"].iloc[0] == pytest.approx(slope["ci_low"].item())


def test_many_cohorts_of_few_clusters_keep_their_other_notes():
    import dfevals  # noqa: F401

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"g": np.repeat(np.arange(150), 40).astype(str), "y": rng.integers(0, 2, 6000)})
    sizes = np.sort(rng.random((150, 7)), axis=1)
    frame["c"] = [(sizes[i // 40] < (i % 40) / 40).sum() + 10 * (i // 40) for i in range(6000)]
    frame["p"] = np.where(frame["g"] == "3", frame["y"], rng.integers(0, 2, 6000))
    found = frame.evals(y_true="y", y_pred="p", cluster="c").metrics("accuracy", by="g").frame.set_index("g")
    assert found.loc["3", "note"].startswith("too few events; few clusters: worth ")
    assert found["note"].nunique() < 20
