"""Flips of an attribute: counts by hand, roles, and what a prediction function may do wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import dfevals
from dfevals.exceptions import CohortError, DataError
from dfevals.inference import wilson


def people(seed: int = 0, n: int = 800) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"sex": rng.choice(["f", "m"], n), "age": rng.normal(0, 1, n), "race": rng.choice(list("abc"), n)}
    )
    frame["y"] = (rng.random(n) < 1 / (1 + np.exp(-frame["age"] - 0.8 * (frame["sex"] == "m")))).astype(int)
    return frame.assign(p=score(frame), unit=np.arange(n), w=rng.integers(1, 4, n))


def score(frame: pd.DataFrame) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-frame["age"] - 0.8 * (frame["sex"] == "m"))))


def asked(frame: pd.DataFrame, **roles: Any) -> dfevals.Evaluation:
    return frame.evals(y_true="y", y_score="p", pos_label=1, **roles)


def test_counts_by_hand() -> None:
    frame = people()
    found = asked(frame).flip("sex", predict=score).frame.set_index("sex")
    before = score(frame) >= 0.5
    other = frame.assign(sex=frame["sex"].map({"f": "m", "m": "f"}))
    after, moved = score(other) >= 0.5, score(other) - score(frame)
    women = (frame["sex"] == "f").to_numpy()
    for name, rows in (("(overall)", np.ones(len(frame), bool)), ("f", women), ("m", ~women)):
        row = found.loc[name]
        k, n = (before != after)[rows].sum(), rows.sum()
        assert row["changed"] == pytest.approx(k / n)
        interval = wilson(k, n, 0.95)
        assert [row["changed_low"], row["changed_high"]] == pytest.approx([interval.ci_low, interval.ci_high])
        assert row["raised"] == pytest.approx((after & ~before)[rows].mean())
        assert row["score_change"] == pytest.approx(moved[rows].mean())
        assert row["score_change_low"] < row["score_change"] < row["score_change_high"]
    assert found.loc["f", "lowered"] == found.loc["m", "raised"] == 0


def test_rows_that_change() -> None:
    result = asked(people()).flip("sex", score, by="race")
    assert len(result.rows) == round(result.frame.loc[0, "changed"] * 800)
    assert (result.rows["before"] != result.rows["after"]).all()
    assert result.cohort_columns == ("race",)


def test_a_model_of_scikit_learn_with_its_own_columns() -> None:
    frame = people()
    features = frame.assign(male=(frame["sex"] == "m").astype(int))
    model = LogisticRegression().fit(features[["age", "male"]], features["y"])
    ev = asked(features)
    found = ev.flip("male", predict=model.predict_proba).frame
    by_hand = features.assign(male=1 - features["male"])
    expected = (
        model.predict_proba(by_hand[["age", "male"]])[:, 1] - model.predict_proba(features[["age", "male"]])[:, 1]
    )
    assert found.loc[0, "score_change"] == pytest.approx(expected.mean())
    labels = ev.flip("male", predict=model.predict).frame
    assert labels["changed"].tolist() == pytest.approx(found["changed"].tolist())
    assert labels["score_change"].isna().all()


def test_several_values_in_turn() -> None:
    def predict(frame: pd.DataFrame) -> Any:
        return np.where(frame["race"] == "a", 0.9, 0.1)

    found = asked(people()).flip("race", predict).frame
    assert found["to"].unique().tolist() == ["a", "b", "c"]
    to_a = found[(found["to"] == "a")].set_index("race")
    assert to_a.loc["(overall)", "changed"] == 1
    assert "a" not in to_a.index
    assert found[(found["to"] == "b")].set_index("race").loc["c", "changed"] == 0
    some = asked(people()).flip("race", predict, values={"b": "a"}).frame
    assert some["race"].tolist() == ["(overall)", "b"]


def test_weights_and_clusters() -> None:
    frame = people()
    counted = asked(frame, sample_weight="w", weight_kind="frequency").flip("sex", score).frame
    written = asked(frame.loc[frame.index.repeat(frame["w"])]).flip("sex", score).frame
    numbers = written.select_dtypes("number").columns
    assert counted[numbers].to_numpy() == pytest.approx(written[numbers].to_numpy())
    once, thrice = (asked(f, cluster="unit").flip("sex", score).frame for f in (frame, pd.concat([frame] * 3)))
    for name in ("changed_low", "score_change_high"):
        assert thrice[name].to_numpy() == pytest.approx(once[name].to_numpy(), rel=0.01)


def test_regression_and_categories() -> None:
    frame = people().assign(sex=lambda f: f["sex"].astype("category"), z=lambda f: f["age"] + 1)
    ev = frame.evals(y_true="age", y_pred="z", task="regression")
    found = ev.flip("sex", lambda f: f["age"] + 2.0 * (f["sex"] == "m")).frame.set_index("sex")
    assert found.loc["f", ["changed", "raised", "score_change"]].tolist() == pytest.approx([1, 1, 2])
    assert found.loc["m", "score_change"] == pytest.approx(-2)


def test_missing_values_are_counted() -> None:
    frame = people()
    frame.loc[:4, "sex"] = None
    result = asked(frame).flip("sex", score)
    assert "5 rows without a value of 'sex' are left out." in result.notes
    assert result.frame.loc[0, "n"] == 795


def fails(frame: pd.DataFrame) -> Any:
    raise KeyError("income")


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        (fails, "predict failed on 800 rows as they are: KeyError"),
        (lambda frame: np.zeros(3), "returned 3 values for 800 rows as they are"),
        (lambda frame: 0.5, "returned a single value for 800 rows"),
        (lambda frame: np.zeros((len(frame), 3)), "3 scores for each row, and there are 2 classes"),
        (lambda frame: np.full(len(frame), np.nan), "800 missing values"),
        (lambda frame: np.full(len(frame), "x"), "'x', which is no label"),
        (
            lambda frame: score(frame) if (frame["sex"] == frame["was"]).all() else np.zeros(1),
            "1 values for 800 rows with 'sex' flipped",
        ),
    ],
)
def test_a_function_that_fails_is_named(predict: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        asked(people().assign(was=lambda f: f["sex"])).flip("sex", predict)


def test_columns_that_cannot_be_flipped() -> None:
    ev = asked(people())
    with pytest.raises(CohortError, match=r"no column 'sexx'.*'sex'"):
        ev.flip("sexx", score)
    with pytest.raises(CohortError, match="one value"):
        ev.where("sex == 'f'").flip("sex", score)
    with pytest.raises(CohortError, match="too many to flip"):
        ev.flip("age", score)
    with pytest.raises(CohortError, match="No row has the value 'x'"):
        ev.flip("sex", score, values={"x": "f"})


def test_charts() -> None:
    result = asked(people()).flip("sex", score)
    for kind in ("changed", "score"):
        assert [text.get_text() for text in result.plot(kind).get_yticklabels()] == ["(overall)", "f", "m"]
