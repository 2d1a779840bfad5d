"""Rates corrected by a few human labels: against ppi_python, published formulas, exact answers and bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from dfevals import Outcome
from dfevals.exceptions import DataError, MetricError, RoleError
from dfevals.inference import wilson

FIXTURE = json.loads((Path(__file__).parent / "fixtures" / "ppi.json").read_text(encoding="utf-8"))


def judged(n: int = 1200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = rng.random(n) < 0.25
    judge = np.where(rng.random(n) < 0.9, label, ~label).astype(float)
    human = pd.Series(label.astype(float)).where(rng.random(n) < 0.15)
    return pd.DataFrame({"judge": judge, "human": human, "lang": rng.choice(["en", "de"], n), "truth": label})


def answer(frame: pd.DataFrame, **options: Any) -> Any:
    roles = {name: options.pop(name) for name in ("cluster", "sample_weight", "weight_kind") if name in options}
    return frame.evals(outcomes=["judge", "human"], **roles).corrected("judge", "human", **options)


@pytest.mark.parametrize("case", FIXTURE["cases"])
def test_values_are_those_of_ppi_python(case: dict[str, Any]) -> None:
    frame = pd.DataFrame({"judge": case["judge"] + case["unlabelled"]})
    frame["human"] = pd.Series(case["human"]).reindex(frame.index)
    row = answer(frame).frame.iloc[0]
    assert row["value"] == pytest.approx(case["value"], rel=1e-12)
    assert row["ci_high"] - row["ci_low"] == pytest.approx(case["ci"][1] - case["ci"][0], rel=0.15)
    assert row["method"] == "ppi++"


def test_rates_by_published_formulas() -> None:
    frame = judged()
    row, both = answer(frame, method="rogan-gladen").frame.iloc[0], frame.dropna()
    se = both.loc[both["human"] == 1, "judge"].mean()
    sp = 1 - both.loc[both["human"] == 0, "judge"].mean()
    assert row["sensitivity"] == pytest.approx(se)
    assert row["specificity"] == pytest.approx(sp)
    assert row["value"] == pytest.approx((frame["judge"].mean() + sp - 1) / (se + sp - 1))
    alone, expected = answer(frame, method="human").frame.iloc[0], wilson(both["human"].sum(), len(both))
    assert alone[["value", "ci_low", "ci_high"]].tolist() == pytest.approx(
        [expected.estimate, expected.ci_low, expected.ci_high]
    )


def test_a_cohort_is_what_its_rows_are_alone() -> None:
    frame = judged()
    part = answer(frame, by="lang").frame.set_index("lang").loc["en"]
    alone = answer(frame[frame["lang"] == "en"]).frame.iloc[0]
    assert part["value"] == alone["value"]
    assert part["ci_high"] == alone["ci_high"]


def test_the_judge_is_worth_labels_only_as_far_as_it_agrees() -> None:
    frame = judged()
    good = answer(frame).frame.iloc[0]
    assert good["labels_saved"] > 50
    assert good["ci_high"] - good["ci_low"] < good["human_high"] - good["human_low"]
    useless = answer(frame.assign(judge=np.random.default_rng(9).integers(0, 2, len(frame)))).frame.iloc[0]
    assert useless["ci_high"] - useless["ci_low"] <= 1.02 * (useless["human_high"] - useless["human_low"])


@pytest.mark.parametrize(
    ("change", "method", "value", "note"),
    [
        ({"judge": 1.0}, "ppi", None, "the judge is constant: labels alone"),
        ({"human": np.nan}, "ppi", np.nan, "no human labels"),
        ({"human": np.nan}, "rogan-gladen", np.nan, "no human labels"),
        ({"judge": 1.0}, "rogan-gladen", np.nan, "no better than chance"),
    ],
)
def test_what_cannot_be_corrected_is_said(change: dict[str, Any], method: str, value: float | None, note: str) -> None:
    row = answer(judged().assign(**change), method=method).frame.iloc[0]
    expected = row["human_value"] if value is None else value
    assert row["value"] == pytest.approx(expected, nan_ok=True)
    assert note in row["note"]


def test_labels_of_one_kind() -> None:
    frame = judged()
    frame["human"] = frame["human"].where(frame["human"] != 1)
    assert answer(frame).frame.iloc[0][["value", "note"]].tolist() == [0.0, "all labels are alike"]
    row = answer(frame, method="rogan-gladen").frame.iloc[0]
    assert np.isnan(row["value"])
    assert row["note"].startswith("all labels are 0: sensitivity is unknown")


def test_a_rate_below_zero_is_truncated_and_said() -> None:
    frame = pd.DataFrame({"judge": [1, 0, 0, 1, 0] * 8 + [0] * 400, "human": [1, 0, 0, 0, 0] * 8 + [None] * 400})
    row = answer(frame, method="rogan-gladen").frame.iloc[0]
    assert row["value"] == row["ci_low"] == 0
    assert "truncated from -" in row["note"]


def test_rows_without_a_verdict_are_counted() -> None:
    frame = judged()
    frame.loc[frame["human"].notna().to_numpy().nonzero()[0][:3], "judge"] = np.nan
    result = answer(frame)
    assert "3 rows without a verdict of 'judge' left out, 3 of them with a label." in result.notes
    assert result.frame["n_judged"].item() == len(frame) - 3


def test_scores_labels_and_models_are_read() -> None:
    frame = judged()
    words = frame.assign(**{c: frame[c].map({1.0: "good", 0.0: "bad"}) for c in ("judge", "human")})
    expected = answer(frame).frame["value"].item()
    assert answer(words, positive="good").frame["value"].item() == expected
    with pytest.raises(DataError, match="positive="):
        words.assign(x=1).evals(outcomes=["x"]).corrected("judge", "human")
    ev = frame.assign(y=frame["truth"].astype(int)).evals(y_true="y", y_score={"m": "judge"})
    assert ev.corrected("m", "human").frame["value"].item() == expected
    scored = frame.assign(judge=frame["judge"] * 0.8 + 0.1)
    cut = scored.evals(outcomes=[Outcome("judge", pass_at=0.5), "human"]).corrected("judge", "human").frame
    assert cut["value"].item() == expected
    with pytest.raises(MetricError, match="pass_at"):
        answer(scored, method="rogan-gladen")
    assert answer(scored).frame["value"].item() == pytest.approx(expected)  # a linear map says the same


def test_bad_input_is_refused_by_name() -> None:
    frame = judged().assign(p=1.5)
    with pytest.raises(RoleError, match="human"):
        frame.evals(outcomes=["judge"]).corrected("judge", "humn")
    with pytest.raises(DataError, match=r"in \(0, 1\]"):
        answer(frame, probability="p")
    with pytest.raises(MetricError, match="ppi"):
        answer(frame, method="ppi++")
    with pytest.raises(DataError, match="positive number"):
        answer(frame).plan(0)
    with pytest.raises(DataError, match="without a label"):
        answer(frame).next_labels(5000)


def test_clusters_widen_and_few_labels_are_said() -> None:
    frame = judged()
    frame["house"] = frame["truth"] * 20 + np.random.default_rng(1).integers(0, 20, len(frame))
    plain, dependent = answer(frame).frame.iloc[0], answer(frame, cluster="house").frame.iloc[0]
    assert dependent["ci_high"] - dependent["ci_low"] > 1.5 * (plain["ci_high"] - plain["ci_low"])
    few = frame.assign(human=frame["human"].where(np.arange(len(frame)) < 30))
    assert "few labels" in answer(few).frame["note"].item()


def test_a_plan_comes_true() -> None:
    frame = judged(6000, seed=3)
    start = frame.assign(human=frame["human"].where(np.arange(6000) < 1000))
    planned = answer(start).plan(0.08).frame.iloc[0]
    more = frame.assign(human=frame["truth"].astype(float).where(np.arange(6000) < planned["labels_needed"]))
    row = answer(more).frame.iloc[0]
    assert row["ci_high"] - row["ci_low"] == pytest.approx(0.08, rel=0.15)
    assert planned["more"] == planned["labels_needed"] - planned["n_human"]
    impossible = answer(start, by="lang").plan(0.001).frame
    assert impossible["labels_needed"].isna().all()
    assert impossible["note"].str.startswith("not reached with all").all()


def test_next_labels_are_as_many_as_asked_and_reproducible() -> None:
    result = answer(judged())
    one, again = result.next_labels(40, random_state=3), result.next_labels(40, random_state=3)
    pd.testing.assert_frame_equal(one, again)
    assert one["label_next"].sum() == 40
    assert one.loc[one["label_next"], "human"].isna().all()
    counts = one.loc[one["label_next"] | one["human"].notna(), "probability"]
    assert counts.between(0, 1, inclusive="right").all()
    assert (1 / counts).sum() == pytest.approx(len(one), rel=0.1)  # labels stand for all rows


def test_every_model_of_a_long_frame() -> None:
    frame = pd.concat([judged().assign(m="a"), judged(seed=5).assign(m="b")], ignore_index=True)
    result = frame.evals(outcomes=["judge", "human"], model="m").corrected("judge", "human", by="lang")
    for name, seed in (("a", 0), ("b", 5)):
        part = result.frame[(result.frame["model"] == name) & result.frame["is_overall"]]
        assert part["value"].item() == answer(judged(seed=seed)).frame["value"].item()
    assert result.plot(model="b").get_title("left").endswith("b")
    plt.close("all")


def test_the_chart_shows_three_values() -> None:
    ax = answer(judged(), by="lang").plot()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["corrected", "labels alone", "judge alone"]
    plt.close("all")


def test_levels_left_out() -> None:
    frame = answer(judged(), level=None).frame
    assert frame[["ci_low", "ci_high", "human_low", "human_high"]].isna().all(axis=None)
