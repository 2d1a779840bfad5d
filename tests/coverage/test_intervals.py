"""Default intervals hold the true value as often as they say; the short version of scripts/validate.py.

Tolerances are three standard errors of the simulation. What does not reach its level is published in the docstring
of the metric, and checked here to be as bad as it says and no worse.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from interval_coverage import measure
from interval_designs import CELLS, LOSSES, RANKS, Design, clustered, errors, fitted, multiclass, outcomes, scored

SAMPLES = {30: 1200, 100: 800, 1000: 300}
EXACT = ("mae", "mse", "rmse", "mean_error", "r2", "explained_variance", "pearson_r", "median_ae")


def judged(cells: pd.DataFrame, least: float = 0.92) -> None:
    """Mean over the cells of a metric within .94 to .97, no cell below `least`, but for simulation error."""
    samples = cells["n"].map(SAMPLES) if "samples" not in cells else cells["samples"]
    error = np.sqrt(0.95 * 0.05 / samples)
    low = cells[cells["coverage"] < least - 3 * error]
    assert low.empty, low.to_string()
    for _, part in cells.groupby("metric"):
        spread = 3 * np.sqrt((error[part.index] ** 2).sum()) / len(part)
        assert 0.94 - spread <= part["coverage"].mean() <= 0.97 + spread, part.to_string()


def simulated(designs: list[Design], sizes: tuple[int, ...] = (30, 100, 1000)) -> pd.DataFrame:
    return pd.concat([measure(d, n, SAMPLES[n], 7) for d in designs for n in sizes], ignore_index=True)


@pytest.fixture(scope="module")
def binary() -> pd.DataFrame:
    return simulated([scored(p, d) for p, d in ((0.2, 0.8), (0.3, 1.5), (0.5, 0.8), (0.5, 1.5), (0.7, 2.0))])


def test_binary_metrics_cover_where_five_events_are_expected(binary: pd.DataFrame) -> None:
    assert set(binary["metric"]) == {*CELLS, *RANKS, *LOSSES}
    judged(binary[binary["expected"] >= 5])
    assert (binary["missing"] == 0).all()


def test_binary_metrics_say_too_few_where_fewer_than_five_events_are_expected(binary: pd.DataFrame) -> None:
    sparse, honest = binary[binary["expected"] < 4.5], binary[binary["expected"] >= 5]
    assert len(sparse) > 10
    assert (sparse["flagged"] > 0.5).all(), sparse[sparse["flagged"] <= 0.5].to_string()
    assert not (honest["flagged"] > 0.5).any()
    small = honest[honest["n"] == 30]
    assert small["flagged"].mean() <= 0.2
    assert (binary.loc[binary["n"] == 1000, "flagged"] < 0.02).all()


def test_rare_positives_say_too_few() -> None:
    cells = measure(
        scored(0.1, 1.5, metrics=("roc_auc", "average_precision", "ks", "brier_skill", "base_rate")), 30, 400, 1
    )
    assert (cells["flagged"] > 0.5).all()


def test_multiclass_averages_cover() -> None:
    cells = simulated([multiclass((0.5, 0.3, 0.2), 0.6), multiclass((1 / 3, 1 / 3, 1 / 3), 0.8)])
    assert cells["metric"].nunique() >= 20
    judged(cells[cells["expected"] >= 5])


def test_regression_metrics_cover_for_normal_errors() -> None:
    designs = [errors("normal", 0.5, EXACT), errors("normal", 0.9, EXACT), errors("normal", 0.2, EXACT)]
    judged(simulated([*designs, fitted(0.5), fitted(0.9)]))


def test_outcomes_cover() -> None:
    cells = simulated([outcomes("normal"), outcomes("exponential"), outcomes("uniform")])
    skewed_std = (cells["metric"] == "std") & (cells["design"] == "exponential outcome")
    tails = cells["metric"].isin(["p95", "p99"])  # few order statistics to choose from: never too short
    honest = cells["expected"] >= 5
    judged(cells[honest & ~skewed_std & ~tails])
    assert (cells.loc[honest & tails, "coverage"] > 0.93).all()
    assert (cells.loc[cells["expected"] < 4.5, "flagged"] > 0.5).all()


def test_the_standard_deviation_of_skewed_outcomes_covers_as_its_docstring_says() -> None:
    exponential, lognormal = (
        measure(outcomes(kind), 30, 1000, 3).set_index("metric") for kind in ("exponential", "lognormal")
    )
    assert 0.80 < exponential.loc["std", "coverage"] < 0.90
    assert 0.62 < lognormal.loc["std", "coverage"] < 0.75
    assert lognormal.loc["std", "flagged"] > 0.5


def test_importance_weighted_intervals_cover() -> None:
    metrics = ("accuracy", "recall", "f1", "mcc", "roc_auc", "average_precision", "ks", "log_loss", "brier")
    cells = simulated([scored(0.4, 0.8, metrics=metrics, weights=s) for s in (0.5, 1.0)], (100, 1000))
    judged(cells)
    judged(simulated([errors("normal", 0.5, EXACT[:-1], weights=0.5)], (100, 1000)))


@pytest.mark.parametrize("icc", [0.1, 0.3])
def test_clustered_intervals_cover_from_thirty_clusters(icc: float) -> None:
    metrics = (
        "accuracy",
        "recall",
        "f1",
        "balanced_accuracy",
        "mcc",
        "roc_auc",
        "average_precision",
        "log_loss",
        "brier",
    )
    cells = pd.concat(
        [measure(clustered(0.4, icc, size, metrics), groups * size, 500, 5) for groups, size in ((30, 5), (50, 8))],
        ignore_index=True,
    ).assign(samples=500)
    judged(cells)


@pytest.mark.parametrize(("right", "icc"), [(0.98, 0.3), (0.98, 0.8), (0.95, 0.3)])
def test_clustered_delta_intervals_cover_where_many_samples_have_no_error(right: float, icc: float) -> None:
    def draw(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
        spread = 1 / icc - 1
        share = rng.beta(right * spread, (1 - right) * spread, rows // 5).repeat(5)
        y = rng.random(rows) < 0.5
        return {"y": y, "pred": y ^ (rng.random(rows) >= share), "c": np.arange(rows) // 5}

    truth = {"mcc": 2 * right - 1, "cohen_kappa": 2 * right - 1, "balanced_accuracy": right, "f1_macro": right}
    roles = {"y_true": "y", "y_pred": "pred", "cluster": "c"}
    design = Design(f"clusters, ICC {icc:g}", f"{right:g}", draw, roles, tuple(truth), truth, {}, 5)
    cells = measure(design, 100, 500, 11)
    assert cells["coverage"].between(0.92, 0.98).all(), cells.to_string()


def test_clusters_that_are_all_right_say_no_more_than_their_rows() -> None:
    y = np.tile([0, 1, 1, 0, 1], 12)
    frame = pd.DataFrame({"y": y, "pred": y, "c": np.arange(60) // 3})
    metrics = ["mcc", "cohen_kappa", "f1_macro", "f1_weighted", "balanced_accuracy"]
    clustered_, plain = (
        frame.evals(y_true="y", y_pred="pred", **roles).metrics(metrics).frame for roles in ({"cluster": "c"}, {})
    )
    assert (clustered_["ci_high"] == 1).all()
    delta = plain["method"].str.startswith("delta").to_numpy()
    assert delta.sum() == 4
    assert (clustered_["ci_low"] < plain["ci_low"])[delta].all()
    assert (clustered_["ci_low"] > 0.5).all()


@pytest.mark.parametrize("wrong", [0, 7])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_one_cluster_has_no_delta_interval_and_says_so(classes: int, weighted: bool, wrong: int) -> None:
    rng = np.random.default_rng(2)
    y = rng.permutation(np.arange(60) % classes)
    pred = np.where(np.arange(60) < wrong, (y + 1) % classes, y)
    names = np.array(["a", "b", "c"])
    frame = pd.DataFrame({"y": names[y], "pred": names[pred], "w": rng.random(60), "c": 1, "g": "one"})
    more = pd.concat([frame, frame.assign(c=np.arange(60), g="many")], ignore_index=True)
    roles = {"sample_weight": "w" if weighted else None, "pos_label": "b" if classes == 2 else None}
    ev = more.evals(y_true="y", y_pred="pred", cluster="c", **roles)
    found = ev.metrics(["mcc", "cohen_kappa", "f1_macro", "balanced_accuracy"], by="g").frame
    one, rest = found[found["g"] == "one"], found[found["g"] != "one"]
    assert one["value"].notna().all()
    assert one[["ci_low", "ci_high"]].isna().all(axis=None)
    assert one["note"].str.contains("one cluster, so no interval").all()
    assert rest[["ci_low", "ci_high"]].notna().all(axis=None)
    assert not rest["note"].str.contains("one cluster").any()


def test_clustered_shares_hold_their_value_for_weights_of_very_different_size() -> None:
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 400)
    weight = np.exp(8 * rng.standard_normal(1200))
    pred = np.where(rng.random(1200) < 0.2, (y + 1) % 3, y)
    sample = np.arange(1200) // 6
    frame = pd.DataFrame({"y": y, "pred": pred, "w": weight, "c": np.arange(1200) // 3, "sample": sample})
    ev = frame.evals(y_true="y", y_pred="pred", task="multiclass", sample_weight="w", cluster="c")
    found = ev.metrics(["specificity", "npv", "precision", "recall"], by="sample", by_class=True).frame
    found = found[found["value"].notna()]
    assert len(found) > 2000
    assert (found["ci_low"] <= found["value"] + 1e-12).all()
    assert (found["value"] - 1e-12 <= found["ci_high"]).all()


def test_independence_would_not_cover_clustered_rows() -> None:
    design = clustered(0.4, 0.3, 10, ("accuracy", "log_loss"))
    roles = {key: value for key, value in design.roles.items() if key != "cluster"}
    naive = Design(design.name, design.rate, design.draw, roles, ("base_rate",), {"base_rate": 0.4}, {}, 10)
    assert measure(naive, 300, 500, 5)["coverage"].iloc[0] < 0.85


def test_frequency_weights_are_repeated_rows() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(scored(0.4, 1.0).draw(rng, 80)).assign(w=rng.integers(1, 5, 80))
    metrics = [
        "accuracy",
        "f1",
        "mcc",
        "balanced_accuracy",
        "roc_auc",
        "average_precision",
        "ks",
        "log_loss",
        "brier_skill",
    ]
    roles = {"y_true": "y", "y_pred": "pred", "y_score": "p", "pos_label": 1}
    weighted = frame.evals(**roles, sample_weight="w", weight_kind="frequency").metrics(metrics).frame
    repeated = frame.loc[frame.index.repeat(frame["w"])].reset_index(drop=True).evals(**roles).metrics(metrics).frame
    for column in ("value", "ci_low", "ci_high"):
        np.testing.assert_allclose(weighted[column], repeated[column], rtol=1e-9)


def test_intervals_hold_the_estimate_and_stay_in_range() -> None:
    rng = np.random.default_rng(0)
    design = scored(0.2, 2.5)
    for n in (2, 5, 12, 30):
        frame = design.sample(rng, n, 300).evals(**design.roles).metrics(list(design.metrics), by="sample").frame
        value, low, high = (frame[name].to_numpy(float) for name in ("value", "ci_low", "ci_high"))
        assert np.isnan(low[np.isnan(value)]).all()
        known = ~np.isnan(low)
        assert (low[known] <= value[known] + 1e-12).all()
        assert (value[known] <= high[known] + 1e-12).all()
        share = (
            known & frame["metric"].isin(["recall", "roc_auc", "average_precision", "ks", "f1", "g_mean"]).to_numpy()
        )
        assert (low[share] >= 0).all()
        assert (high[share] <= 1).all()


def test_differences_to_the_complement_cover_and_noise_raises_few_flags() -> None:
    metrics = ["accuracy", "recall", "f1", "mcc", "balanced_accuracy", "log_loss", "brier"]
    design, rng, repeats = scored(0.4, 1.5), np.random.default_rng(11), 120
    covered, flagged = [], []
    for _ in range(repeats):
        frame = design.sample(rng, 60, 20)
        result = frame.evals(**design.roles).metrics(metrics, by="sample", relative_to="complement")
        table = result.frame.assign(flag=result.flags)
        table = table[~table["is_overall"]]
        covered.append(
            ((table["difference_low"] <= 0) & (table["difference_high"] >= 0)).groupby(table["metric"]).mean()
        )
        flagged.append(table["flag"].isin(["higher", "lower"]).groupby(table["metric"]).any())
    coverage, false = pd.concat(covered, axis=1).mean(axis=1), pd.concat(flagged, axis=1).mean(axis=1)
    assert coverage.between(0.935, 0.975).all(), coverage
    assert (false <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)).all(), false


@pytest.mark.parametrize(("rows", "flagged"), [(50, True), (300, False)])
def test_far_bounds_of_a_skewed_mean_are_trusted_only_with_many_rows(rows: int, flagged: bool) -> None:
    """As a gate with twenty cohorts asks for: a mean at its limit must not pass in more than 5 % of such families."""
    families, cohorts = 4000, 21
    values = np.random.default_rng(5).lognormal(0, 1, (families, rows))
    frame = pd.DataFrame({"x": values.ravel(), "c": np.repeat(np.arange(families), rows)})
    found = frame.evals(outcomes=["x"]).metrics("mean", by="c", ci=1 - 0.05 / cohorts).frame
    found = found[~found["is_overall"]]
    few = found["note"].str.contains("too few")
    assert few.mean() > 0.99 if flagged else few.mean() < 0.1
    trusted = (found["ci_high"] < np.exp(0.5)) & ~few
    assert trusted.mean() * cohorts < 0.05 + 3 * np.sqrt(0.05 * cohorts / families)
