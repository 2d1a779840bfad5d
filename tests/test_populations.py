"""Other rows beside one's own: changes split among cohorts, and values for another mix, against formulas and libraries."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

import dfevals
from dfevals.exceptions import CohortError, DataError, DfevalsError, MetricError, RoleError

LABELS: dict[str, Any] = {"y_true": "y", "y_pred": "p", "labels": [0, 1], "pos_label": 1}


def rates(easy: tuple[int, int], hard: tuple[int, int]) -> dfevals.Evaluation:
    """Rows of two cohorts, so many of each, of which so many are right."""
    right = [np.arange(n) < k for n, k in (easy, hard)]
    frame = pd.DataFrame(
        {"g": np.repeat(["easy", "hard"], [easy[0], hard[0]]), "y": 1, "p": np.concatenate(right).astype(int)}
    )
    return frame.evals(**LABELS)


OLD, NEW = rates((80, 16), (20, 12)), rates((40, 4), (60, 42))


def whole(result: Any) -> pd.Series:
    return result.frame.iloc[0]


@pytest.mark.parametrize(
    ("how", "mix", "within"), [("half", 0.2, -0.02), ("reference", 0.16, 0.02), ("own", 0.24, -0.06)]
)
def test_a_split_of_which_the_parts_are_known(how: str, mix: float, within: float) -> None:
    row = whole(NEW.attribute_change(OLD, "accuracy", "g", rates=how))
    assert [row["mix"], row["within"], row["total"]] == pytest.approx([mix, within, 0.18], abs=1e-12)
    assert row["cohort"] == "(overall)"


def test_a_reversal_is_named() -> None:
    notes = " ".join(NEW.attribute_change(OLD, "accuracy", "g").notes)
    assert "+0.2 by the mix of cohorts, -0.02 within them" in notes
    assert "Simpson reversal: accuracy rose overall although it fell within cohorts on average, most in easy" in notes
    strict = rates((40, 4), (60, 33)).attribute_change(OLD, "accuracy", "g")
    assert "although it fell within every cohort" in " ".join(strict.notes)
    assert "Simpson" not in " ".join(rates((80, 40), (20, 16)).attribute_change(OLD, "accuracy", "g").notes)


def people(seed: int, n: int = 900, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"g": rng.choice(list("abcd"), n, p=[0.5 - shift, 0.3, 0.15, 0.05 + shift]), "h": rng.choice(["u", "v"], n)}
    )
    frame["y"] = rng.integers(0, 2, n)
    frame["s"] = np.clip(rng.normal(0.35 + 0.25 * frame["y"] + 0.1 * (frame["g"] == "d"), 0.2), 0.01, 0.99)
    frame["t"] = np.clip(frame["s"] + rng.normal(0, 0.15, n), 0.01, 0.99)
    return frame.assign(unit=np.arange(n), w=rng.integers(1, 4, n))


def asked(frame: pd.DataFrame, **roles: Any) -> dfevals.Evaluation:
    return frame.evals(y_true="y", y_score={"s": "s", "t": "t"}, pos_label=1, **roles)


AVERAGES = ["accuracy", "recall", "precision", "log_loss", "brier", "neg_log_loss"]


@pytest.mark.parametrize(
    "roles", [{}, {"sample_weight": "w"}, {"cluster": "unit"}, {"sample_weight": "w", "weight_kind": "frequency"}]
)
def test_parts_add_up_exactly(roles: dict[str, str]) -> None:
    new, old = asked(people(0, shift=0.2), **roles), asked(people(1), **roles)
    frame = new.attribute_change(old, AVERAGES, ["g", "h"]).frame
    change = (
        new.metrics(AVERAGES).frame.set_index(["model", "metric"])["value"]
        - old.metrics(AVERAGES).frame.set_index(["model", "metric"])["value"]
    )
    for key, part in frame.groupby(["model", "metric"]):
        overall, cohorts = part[part["is_overall"]].iloc[0], part[~part["is_overall"]]
        for name in ("mix", "within", "total"):
            assert cohorts[name].sum() == pytest.approx(overall[name], abs=1e-12)
            assert (part[f"{name}_low"] <= part[name]).all()
        assert overall["mix"] + overall["within"] == pytest.approx(overall["total"], abs=1e-12)
        assert overall["total"] == pytest.approx(change[key], abs=1e-12)


def test_intervals_of_a_change_cover() -> None:
    rng, shares, truth = (
        np.random.default_rng(0),
        np.array([[0.7, 0.3], [0.4, 0.6]]),
        np.array([[0.8, 0.5], [0.75, 0.6]]),
    )
    mix, within = (
        ((shares[1] - shares[0]) * truth.mean(axis=0)).sum(),
        ((truth[1] - truth[0]) * shares.mean(axis=0)).sum(),
    )
    hits = []
    for _ in range(150):
        pair = []
        for share, right in zip(shares, truth, strict=True):
            g = (rng.random(250) < share[1]).astype(int)
            pair.append(pd.DataFrame({"g": g, "y": 1, "p": (rng.random(250) < right[g]).astype(int)}).evals(**LABELS))
        row = whole(pair[1].attribute_change(pair[0], "accuracy", "g"))
        true = {"mix": mix, "within": within, "total": mix + within}
        hits.append([row[f"{name}_low"] <= value <= row[f"{name}_high"] for name, value in true.items()])
    assert (np.mean(hits, axis=0) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 150)).all(), np.mean(hits, axis=0)


def test_copies_in_clusters_change_nothing() -> None:
    new, old = people(0, shift=0.2), people(1)
    numbers = ["mix_low", "within_high", "total_low"]
    once = (
        asked(new, cluster="unit")
        .attribute_change(asked(old, cluster="unit"), ["accuracy", "log_loss"], "g")
        .frame[numbers]
    )
    copies = [asked(pd.concat([f] * 3), cluster="unit") for f in (new, old)]
    thrice = copies[0].attribute_change(copies[1], ["accuracy", "log_loss"], "g").frame[numbers]
    assert thrice.to_numpy() == pytest.approx(once.to_numpy(), rel=1e-3, abs=1e-4)


def test_cohorts_that_one_side_lacks_are_mix() -> None:
    new, old = people(0), people(1)
    found = (
        asked(new[new["g"] != "a"])
        .attribute_change(asked(old[old["g"] != "d"]), "accuracy", "g", models="s")
        .frame.set_index("g")
    )
    assert found.loc["a", "within"] == found.loc["d", "within"] == 0
    assert found.loc[["a", "d"], "note"].tolist() == ["only in the reference", "not in the reference"]
    assert np.isnan(found.loc["a", "value"])


def test_a_reference_may_be_a_frame_or_a_tally() -> None:
    new, old = asked(people(0)), people(1)
    found = [
        new.attribute_change(other, "accuracy", "g").frame
        for other in (asked(old), old, asked(old).collect("accuracy", "g"))
    ]
    pd.testing.assert_frame_equal(found[0], found[1])
    pd.testing.assert_frame_equal(found[0], found[2])
    held = dfevals.evaluate(new.collect("accuracy", ["g", "h"])).attribute_change(asked(old), "accuracy", "g").frame
    pd.testing.assert_frame_equal(held, found[0])


def test_refusals_of_a_split() -> None:
    new, old = asked(people(0)), asked(people(1))
    with pytest.raises(MetricError, match="no average over rows"):
        new.attribute_change(old, "roc_auc", "g")
    with pytest.raises(MetricError, match="no average over rows"):
        new.attribute_change(old, "f1", "g")
    with pytest.raises(CohortError, match="do not overlap"):
        new.attribute_change(old, "accuracy", dfevals.each("g", "h"))
    with pytest.raises(CohortError, match="do not overlap"):
        new.attribute_change(old, "accuracy")
    with pytest.raises(RoleError, match="no model 't'"):
        new.attribute_change(people(1).evals(y_true="y", y_score={"s": "s"}, pos_label=1), "accuracy", "g")
    with pytest.raises(DataError, match="positive label"):
        new.attribute_change(people(1).evals(y_true="y", y_score={"s": "s", "t": "t"}, pos_label=0), "accuracy", "g")
    with pytest.raises(DfevalsError, match="edges"):
        new.attribute_change(old, "accuracy", dfevals.quantiles("s", 3))
    with pytest.raises(DataError, match="int is no rows"):
        new.attribute_change(3, "accuracy", "g")
    with pytest.raises(RoleError, match="'t'"):
        new.attribute_change(people(1).drop(columns="t"), "accuracy", "g")


MIX = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}


def test_standardised_values_are_those_of_weighted_rows() -> None:
    frame = people(2)
    weight = frame["g"].map(MIX) / frame["g"].map(frame["g"].value_counts(normalize=True))
    y, s = frame["y"], frame["s"]
    p = (s >= 0.5).astype(int)
    expected = {
        "accuracy": sk.accuracy_score(y, p, sample_weight=weight),
        "recall": sk.recall_score(y, p, sample_weight=weight),
        "precision": sk.precision_score(y, p, sample_weight=weight),
        "f1": sk.f1_score(y, p, sample_weight=weight),
        "mcc": sk.matthews_corrcoef(y, p, sample_weight=weight),
        "balanced_accuracy": sk.balanced_accuracy_score(y, p, sample_weight=weight),
        "log_loss": sk.log_loss(y, s, sample_weight=weight),
        "brier": sk.brier_score_loss(y, s, sample_weight=weight),
    }
    found = asked(frame).standardise(MIX, "g", list(expected), models="s").frame.set_index("metric")
    for name, value in expected.items():
        assert found.loc[name, "value"] == pytest.approx(value, abs=1e-9), name
        assert found.loc[name, "ci_low"] < value < found.loc[name, "ci_high"]
    assert (found["share_covered"] == 1).all()
    assert found["raw"].tolist() == pytest.approx(
        asked(frame).metrics(list(expected), models="s").frame["value"].tolist()
    )


def test_several_classes_and_regression() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"g": rng.choice(list("abcd"), 800), "y": rng.choice(list("xyz"), 800)})
    frame["p"] = np.where(rng.random(800) < 0.6, frame["y"], rng.choice(list("xyz"), 800))
    weight = frame["g"].map(MIX) / frame["g"].map(frame["g"].value_counts(normalize=True))
    found = (
        frame.evals(y_true="y", y_pred="p")
        .standardise(MIX, "g", ["f1_macro", "recall_weighted", "accuracy"])
        .frame["value"]
    )
    expected = [sk.f1_score(frame["y"], frame["p"], average="macro", sample_weight=weight)]
    expected += [sk.recall_score(frame["y"], frame["p"], average="weighted", sample_weight=weight)]
    assert found.tolist() == pytest.approx([*expected, sk.accuracy_score(frame["y"], frame["p"], sample_weight=weight)])
    numbers = frame.assign(y=rng.normal(0, 1, 800), p=rng.normal(0, 1, 800))
    of_numbers = (
        numbers.evals(y_true="y", y_pred="p", task="regression").standardise(MIX, "g", ["mae", "rmse"]).frame["value"]
    )
    error = numbers["y"] - numbers["p"]
    assert of_numbers.tolist() == pytest.approx(
        [np.average(error.abs(), weights=weight), np.sqrt(np.average(error**2, weights=weight))]
    )


def test_a_mix_of_rows_is_a_sample() -> None:
    ev, few = asked(people(2)), people(3, n=60, shift=0.3)
    shares = few["g"].value_counts(normalize=True).to_dict()
    exact, sampled = (ev.standardise(to, "g", "accuracy", models="s").frame.iloc[0] for to in (shares, few[["g"]]))
    assert sampled["value"] == pytest.approx(exact["value"])
    assert sampled["ci_high"] - sampled["ci_low"] > exact["ci_high"] - exact["ci_low"]
    others = (
        asked(few),
        asked(few).collect("accuracy", "g"),
        dfevals.evaluate(asked(few).collect("accuracy", ["g", "h"])),
    )
    for other in others:
        same = ev.standardise(other, "g", "accuracy", models="s").frame.iloc[0]
        assert [same["value"], same["ci_low"]] == pytest.approx([sampled["value"], sampled["ci_low"]])
    held = (
        dfevals.evaluate(ev.collect("accuracy", ["g", "h"])).standardise(few, "g", "accuracy", models="s").frame.iloc[0]
    )
    assert held["value"] == pytest.approx(sampled["value"])


def test_what_the_mix_holds_besides_is_said() -> None:
    frame = people(2)
    few = pd.concat([frame[frame["g"].isin(["a", "b"])], frame[frame["g"] == "c"].head(4)])
    result = asked(few).standardise(MIX, "g", "accuracy", models="s")
    row = result.frame.iloc[0]
    assert row["share_covered"] == pytest.approx(0.6)
    notes = " ".join(result.notes)
    assert "no row covers 40.0% of the mix: d (40.0%)" in notes
    assert "thin cohorts: c (4 rows for 30.0%)" in notes
    right = (few["s"] >= 0.5) == (few["y"] == 1)
    means = right.groupby(few["g"]).mean()
    assert row["value"] == pytest.approx((0.1 * means["a"] + 0.2 * means["b"] + 0.3 * means["c"]) / 0.6)
    smoothed = asked(few).standardise(MIX, "g", "accuracy", models="s", pooled=True)
    pooled = smoothed.frame.iloc[0]
    assert pooled["ci_high"] - pooled["ci_low"] < row["ci_high"] - row["ci_low"]
    assert "partial pooling" in " ".join(smoothed.notes)
    none = asked(few).standardise({"d": 1.0, "b": 0}, "g", "accuracy", models="s")
    assert np.isnan(none.frame["value"].iloc[0])
    assert none.frame["note"].iloc[0] == "no row of the mix is covered"


def test_one_row_of_a_cohort_has_an_interval() -> None:
    frame = people(2)
    few = pd.concat([frame[frame["g"] != "d"], frame[frame["g"] == "d"].head(1)])
    for pooled in (False, True):
        found = asked(few).standardise(MIX, "g", ["accuracy", "log_loss"], models="s", pooled=pooled).frame
        assert found[["value", "ci_low", "ci_high"]].notna().all(axis=None)


def test_copies_and_equal_weights_change_nothing() -> None:
    frame = people(2)
    once = asked(frame, cluster="unit").standardise(MIX, "g", ["accuracy", "f1", "log_loss"], models="s").frame
    thrice = (
        asked(pd.concat([frame] * 3), cluster="unit")
        .standardise(MIX, "g", ["accuracy", "f1", "log_loss"], models="s")
        .frame
    )
    for name in ("value", "ci_low", "ci_high"):
        assert thrice[name].to_numpy() == pytest.approx(once[name].to_numpy(), abs=2e-4)
    plain, equal = (
        asked(frame.assign(w=3.0), **roles).standardise(MIX, "g", models="s").frame
        for roles in ({}, {"sample_weight": "w"})
    )
    assert equal["ci_low"].to_numpy() == pytest.approx(plain["ci_low"].to_numpy(), abs=1e-9)


def test_refusals_of_a_mix() -> None:
    ev = asked(people(2))
    with pytest.raises(MetricError, match="does not follow from the cohorts' sums"):
        ev.standardise(MIX, "g", "roc_auc")
    with pytest.raises(MetricError, match="'f1' is none"):
        ev.standardise(MIX, "g", "f1", pooled=True)
    with pytest.raises(CohortError, match="names no cohort"):
        ev.standardise({"x": 1.0}, "g")
    with pytest.raises(DataError, match="'a' the share -1"):
        ev.standardise({"a": -1}, "g")
    with pytest.raises(DataError, match="no share above 0"):
        ev.standardise({"a": 0}, "g")
    with pytest.raises(DataError, match="no rows"):
        ev.standardise(people(2).head(0), "g")
    with pytest.raises(CohortError, match="do not overlap"):
        ev.standardise(MIX, dfevals.each("g", "h"))
    with pytest.raises(DfevalsError, match="edges"):
        ev.standardise(people(3), dfevals.quantiles("s", 3))
    counts = ev.standardise({"a": 1, "b": 3}, "g", "accuracy")
    assert any("add up to 4" in note for note in counts.notes)


def test_results_pickle_and_are_drawn() -> None:
    ev = asked(people(2))
    results = [ev.standardise(MIX, "g", ["accuracy", "recall"]), ev.attribute_change(people(3), "accuracy", "g")]
    for result in results:
        pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(result)).frame, result.frame)  # noqa: S301  (its own bytes)
        assert result._repr_html_()
    assert results[0].strata["share_to"].sum() == pytest.approx(2)
    ax = results[1].plot(model="s")
    assert len([patch for patch in ax.patches if patch.get_gid() == "step"]) == 5
    assert [text.get_text() for text in ax.get_yticklabels()][:2] == ["reference", "mix of cohorts"]
    assert results[0].plot(metric="recall").get_xlabel().startswith("recall")
