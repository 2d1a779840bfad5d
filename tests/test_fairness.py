"""Fairness between groups: values as Fairlearn has them, intervals against independent ones, roles, and what is undefined."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import dfevals
from dfevals.analyses.fairness import fairness as home
from dfevals.exceptions import CohortError, MetricError
from dfevals.inference import newcombe_difference
from dfevals.inference.groups import pairwise_level, ratio, sidak_level

FAIRLEARN = json.loads((Path(__file__).parent / "fixtures" / "fairlearn.json").read_text(encoding="utf-8"))
CASES = {case["name"]: case for case in FAIRLEARN["cases"]}


def of_case(name: str) -> dfevals.Evaluation:
    frame = pd.DataFrame(CASES[name]["data"])
    weight = {"sample_weight": "weight"} if "weight" in frame else {}
    return frame.evals(y_true="y_true", y_pred="y_pred", pos_label=1, **weight)


@pytest.mark.parametrize("name", CASES)
def test_values_between_extremes_are_fairlearns(name: str) -> None:
    found = of_case(name).fairness("group").frame.set_index("criterion")
    for criterion, (difference, least) in CASES[name]["values"]["between_groups"].items():
        row = found.loc[criterion]
        if "no negatives" in row["note"]:
            continue  # a rate without rows, which Fairlearn counts as 0
        assert row["difference"] == pytest.approx(difference, abs=1e-6), criterion
        assert row["ratio"] == pytest.approx(least, abs=1e-6), criterion
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]
        assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]


@pytest.mark.parametrize("name", ["signed", "drawn"])
def test_values_to_overall_are_fairlearns(name: str) -> None:
    found = of_case(name).fairness("group", "overall").frame
    for criterion, (difference, least) in CASES[name]["values"]["to_overall"].items():
        part = found[found["criterion"] == criterion]
        assert part["difference"].abs().max() == pytest.approx(difference, abs=1e-6), criterion
        with np.errstate(divide="ignore"):
            assert np.fmin(part["ratio"], 1 / part["ratio"]).min() == pytest.approx(least, abs=1e-6), criterion
        inside = (part["difference_low"] <= part["difference"]) & (part["difference"] <= part["difference_high"])
        assert inside.all()


def test_signed_differences_to_a_group() -> None:
    found = of_case("signed").fairness("group", "a").frame.set_index("criterion")
    assert found["group"].unique().tolist() == ["b"]
    assert found.loc["demographic_parity", ["difference", "ratio"]].tolist() == pytest.approx([-0.5, 1 / 3])
    assert found.loc["equal_opportunity", "difference"] == pytest.approx(-0.5)
    assert found.loc["equalized_odds", ["difference", "ratio"]].tolist() == pytest.approx([0.5, 0])
    assert found.loc["demographic_parity", ["group_low", "group_high"]].tolist() == ["b", "a"]


def test_a_group_without_rows_of_a_class_is_left_out_and_named() -> None:
    found = of_case("user guide").fairness("group").frame.set_index("criterion")
    row = found.loc["predictive_equality"]  # b has no negatives, and Fairlearn's rate of 0 makes the difference 1
    assert row["difference"] == pytest.approx(0.5)
    assert row["note"] == "left out: b (no negatives)"
    groups = of_case("user guide").fairness("group").groups
    missing = groups[(groups["criterion"] == "predictive_equality") & (groups["group"] == "b")]
    assert missing["value"].isna().all()
    assert missing["note"].tolist() == ["no negatives"]


def test_levels_against_scipy() -> None:
    for groups in (2, 5, 20):
        wide = stats.studentized_range.ppf(0.95, groups, np.inf) / np.sqrt(2)
        assert stats.norm.ppf((1 + pairwise_level(0.95, groups)) / 2) == pytest.approx(wide, rel=1e-3)
    assert sidak_level(0.95, 10) ** 10 == pytest.approx(0.95)


def test_two_groups_have_newcombes_interval() -> None:
    k, n = np.array([30, 55]), np.array([100, 120])
    frame = pd.DataFrame(
        {
            "g": np.repeat(["a", "b"], n),
            "y": 1,
            "p": np.concatenate([np.arange(m) < j for j, m in zip(k, n, strict=True)]),
        }
    )
    row = (
        frame.astype({"p": int})
        .evals(y_true="y", y_pred="p", labels=[0, 1], pos_label=1)
        .fairness("g", criteria="demographic_parity")
        .frame.iloc[0]
    )
    expected = newcombe_difference(55, 120, 30, 100, 0.95)
    assert [row["difference_low"], row["difference_high"]] == pytest.approx(
        [expected.ci_low, expected.ci_high], abs=1e-4
    )
    katz = np.sqrt(1 / 30 - 1 / 100 + 1 / 55 - 1 / 120) * 1.96
    ends = np.log(30 / 100 / (55 / 120)) + np.array([-katz, katz])
    assert np.log([row["ratio_low"], row["ratio_high"]]) == pytest.approx(ends, abs=0.06)


def test_ratios_of_zeros() -> None:
    zero, some = (
        (np.array([0.0]), np.array([0.0]), np.array([0.2])),
        (np.array([0.5]), np.array([0.3]), np.array([0.7])),
    )
    value, low, high = ratio(zero, some)
    assert value == 0
    assert low == 0
    assert 0.3 < high[0] < 1
    value, low, high = ratio(some, zero)
    assert np.isinf(value)
    assert low > 1
    assert np.isinf(high)
    assert np.isnan(ratio(zero, zero)[0])


def rates(*shares: float, n: int) -> dfevals.Evaluation:
    """Groups of n rows of which such shares are selected."""
    frame = pd.DataFrame(
        {"g": np.repeat([f"g{i}" for i in range(len(shares))], n), "y": np.tile([0, 1], n * len(shares) // 2)}
    )
    frame["p"] = np.concatenate([(np.arange(n) < round(share * n)).astype(int) for share in shares])
    return frame.evals(y_true="y", y_pred="p", pos_label=1)


def test_the_four_fifths_rule_knows_when_it_does_not_know() -> None:
    assert rates(0.5, 0.48, n=4000).fairness("g").four_fifths["answer"].tolist() == ["pass"]
    assert rates(0.5, 0.3, n=400).fairness("g").four_fifths["answer"].tolist() == ["fail"]
    assert rates(0.5, 0.4, n=100).fairness("g").four_fifths["answer"].tolist() == ["inconclusive"]
    beside = rates(0.5, 0.3, 0.95, n=400).fairness("g", "g0").four_fifths
    assert beside["answer"].tolist() == ["fail", "fail"]
    assert beside["ratio"].tolist() == pytest.approx([0.6, 0.5 / 0.95])
    assert "Four-fifths rule of selection rates: fail (g1, g2)" in repr(
        rates(0.5, 0.3, 0.95, n=400).fairness("g", "g0")
    )


def test_noise_between_many_equal_groups_is_taken_off() -> None:
    rng, raw, corrected = np.random.default_rng(0), [], []
    for _ in range(20):
        frame = pd.DataFrame(
            {"g": np.repeat(np.arange(20), 60), "y": rng.integers(0, 2, 1200), "p": rng.integers(0, 2, 1200)}
        )
        row = (
            frame.evals(y_true="y", y_pred="p", pos_label=1).fairness("g", criteria="demographic_parity").frame.iloc[0]
        )
        raw.append(row["difference"])
        corrected.append(row["difference_corrected"])
        assert row["difference_low"] < 0.05
    assert np.mean(raw) > 0.2
    assert np.mean(corrected) < 0.1


def people(seed: int = 0, n: int = 1500) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"sex": rng.choice(["f", "m"], n), "race": rng.choice(list("abc"), n, p=[0.6, 0.37, 0.03])})
    frame["y"] = rng.integers(0, 2, n)
    frame["s"] = np.clip(rng.normal(0.35 + 0.25 * frame["y"] + 0.1 * (frame["sex"] == "m"), 0.2), 0.01, 0.99)
    frame["t"] = np.clip(frame["s"] + rng.normal(0, 0.1, n), 0.01, 0.99)
    return frame.assign(unit=np.arange(n), w=rng.integers(1, 4, n))


def asked(frame: pd.DataFrame, **roles: Any) -> dfevals.Evaluation:
    return frame.evals(y_true="y", y_score={"s": "s", "t": "t"}, pos_label=1, **roles)


def test_values_of_every_criterion_by_hand() -> None:
    frame = people()
    found = asked(frame).fairness("sex", cost={"fp": 1, "fn": 5}, models="s").frame.set_index("criterion")["difference"]
    p = frame["s"] >= 0.5
    fp, fn = p & (frame["y"] == 0), ~p & (frame["y"] == 1)
    by = frame["sex"]
    hand = {
        "treatment_equality": fn.groupby(by).sum() / fp.groupby(by).sum(),
        "calibration": (frame["y"] - frame["s"]).groupby(by).mean(),
        "score_parity": frame["s"].groupby(by).mean(),
        "error_cost_parity": (fp * 1 + fn * 5).groupby(by).mean(),
        "accuracy_parity": 1 - (fp | fn).groupby(by).mean(),
    }
    for criterion, values in hand.items():
        assert found[criterion] == pytest.approx(values.max() - values.min(), abs=1e-12), criterion


def test_weights_are_rows_and_copies_are_not() -> None:
    frame = people()
    counted = asked(frame, sample_weight="w", weight_kind="frequency").fairness("race").frame
    written = asked(frame.loc[frame.index.repeat(frame["w"])]).fairness("race").frame
    numbers = written.select_dtypes("number").columns
    assert counted[numbers].to_numpy() == pytest.approx(written[numbers].to_numpy(), abs=1e-9, nan_ok=True)
    once, thrice = (asked(f, cluster="unit").fairness("race").frame for f in (frame, pd.concat([frame] * 3)))
    assert thrice[numbers].to_numpy() == pytest.approx(once[numbers].to_numpy(), abs=1e-9, nan_ok=True)


def test_intersections_stand_raw_and_pooled() -> None:
    result = asked(people()).fairness(["sex", "race"], models="s")
    groups = result.groups
    part = groups[(groups["criterion"] == "equal_opportunity") & ~groups["is_overall"]]
    assert len(part) == 6
    assert np.ptp(part["pooled"]) < np.ptp(part["value"])
    overall = groups[groups["is_overall"]].set_index("criterion")
    assert overall.loc["accuracy_parity", "value"] == pytest.approx(
        asked(people()).metrics("accuracy", models="s").frame["value"][0]
    )
    beside = asked(people()).fairness(["sex", "race"], ("m", "a"), models="s").frame
    assert len(beside[beside["criterion"] == "equalized_odds"]) == 5
    assert list(beside.columns[:2]) == ["sex", "race"]


def test_one_pass_for_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    passes, kernel = [], home.run_pass
    monkeypatch.setattr(home, "run_pass", lambda *given: passes.append(given[1].name) or kernel(*given))
    found = asked(people()).fairness(["sex", "race"], "overall")
    assert passes == ["s", "t"]
    assert set(found.frame["model"]) == {"s", "t"}


def test_a_tally_answers_what_it_holds() -> None:
    ev = asked(people())
    held = dfevals.evaluate(ev.collect(["accuracy", "log_loss"], by=["sex", "race"])).fairness("sex").frame
    rows = ev.fairness("sex").frame
    same = rows[rows["criterion"].isin(held["criterion"])].reset_index(drop=True)
    assert "calibration" not in set(held["criterion"])
    assert {"equalized_odds", "demographic_parity"} <= set(held["criterion"])
    pd.testing.assert_frame_equal(held, same)


def test_several_classes_one_against_the_rest() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"g": rng.choice(list("uv"), 600), "y": rng.choice(list("xyz"), 600)})
    frame["p"] = np.where(rng.random(600) < 0.6, frame["y"], rng.choice(list("xyz"), 600))
    found = frame.evals(y_true="y", y_pred="p").fairness("g").frame
    binary = pd.DataFrame({"g": frame["g"], "y": frame["y"] == "z", "p": frame["p"] == "z"})
    alone = binary.evals(y_true="y", y_pred="p", pos_label=True).fairness("g").frame.set_index("criterion")
    of_z = found[found["class"] == "z"].set_index("criterion")
    for criterion in ("demographic_parity", "equal_opportunity", "equalized_odds", "treatment_equality"):
        names = ["difference", "difference_low", "difference_high", "ratio"]
        assert of_z.loc[criterion, names].astype(float).tolist() == pytest.approx(
            alone.loc[criterion, names].astype(float).tolist()
        ), criterion
    assert (found["criterion"] == "accuracy_parity").sum() == 1


def test_regression_and_metrics_as_criteria() -> None:
    frame = pd.DataFrame(
        {"g": list("uv") * 100, "y": np.arange(200.0), "p": np.arange(200.0) + np.tile([1.0, 3, -1, 2], 50)}
    )
    found = frame.evals(y_true="y", y_pred="p", task="regression").fairness("g").frame.set_index("criterion")
    assert found.loc["calibration", "difference"] == pytest.approx(2.5)
    assert np.isnan(found.loc["calibration", "ratio"])
    assert "negative" in found.loc["calibration", "note"]
    assert found.loc["error_cost_parity", "difference"] == pytest.approx(1.5)
    ranked = asked(people()).fairness("sex", criteria=["roc_auc", "equalized_odds"], models="s").frame
    assert ranked["criterion"].tolist() == ["roc_auc", "equalized_odds"]


def test_refusals_name_the_fix() -> None:
    ev = asked(people())
    with pytest.raises(CohortError, match="must not overlap"):
        ev.fairness(dfevals.each("sex", "race"))
    with pytest.raises(CohortError, match=r"no group 'x'.*'f', 'm'"):
        ev.fairness("sex", "x")
    with pytest.raises(CohortError, match="two or more"):
        ev.where("sex == 'f'").fairness("sex")
    with pytest.raises(MetricError, match="equalized_odds"):
        ev.fairness("sex", criteria="equalised_odds")
    with pytest.raises(MetricError, match="'fp'"):
        ev.fairness("sex", cost={"fp": 1})
    labels = people().assign(p=lambda f: (f["s"] > 0.5).astype(int)).evals(y_true="y", y_pred="p", pos_label=1)
    assert "calibration" not in set(labels.fairness("sex").frame["criterion"])
    with pytest.raises(MetricError, match="needs probabilities"):
        labels.fairness("sex", criteria="calibration")


def test_rows_left_out_small_groups_and_pickles() -> None:
    frame = people()
    frame.loc[:9, "s"] = np.nan
    result = asked(frame).fairness("race", min_n=100)
    assert any("10 rows left out" in note for note in result.notes)
    assert any("folded" in note for note in result.notes)
    again = pickle.loads(pickle.dumps(result))  # noqa: S301  (its own bytes)
    pd.testing.assert_frame_equal(again.frame, result.frame)
    pd.testing.assert_frame_equal(again.groups, result.groups)


def test_charts_show_the_marks() -> None:
    result = asked(people()).fairness("race", models="s")
    for kind, marks in (("differences", [0]), ("ratios", [1, 0.8])):
        ax = result.plot(kind)
        assert [line.get_xdata()[0] for line in ax.lines if line.get_gid() == "mark"] == marks
    assert "◇ pooled" in [text.get_text() for text in result.plot("groups", criterion="equal_opportunity").texts]
    assert result.plot("groups").get_title(loc="left") or result.plot("groups").get_title()
