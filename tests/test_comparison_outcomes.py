"""Rows that a candidate fixed or broke, by the verdicts of an outcome."""

from __future__ import annotations

import pandas as pd
import pytest

import dfevals
from dfevals.evaluation import Evaluation
from dfevals.exceptions import DfevalsError


@pytest.fixture
def answers() -> pd.DataFrame:
    verdicts = {"old": [True, True, False, False, True, None], "new": [True, False, True, False, None, True]}
    parts = [
        pd.DataFrame({"id": range(6), "model": model, "g": list("xxyyxx"), "ok": pd.array(ok, dtype="boolean")})
        for model, ok in verdicts.items()
    ]
    return pd.concat(parts, ignore_index=True)


def evaluation(frame: pd.DataFrame, *columns: str) -> Evaluation:
    outcomes = [dfevals.Outcome(column, kind="pass") for column in columns]
    return frame.evals(outcomes=outcomes, model="model", id="id")


def test_rows_without_a_verdict_for_both_are_neither_fixed_nor_broken(answers: pd.DataFrame) -> None:
    found = evaluation(answers, "ok").compare("new", "old", by="g", metrics="pass_rate")
    assert found.rows("fixed")["id"].tolist() == [2]
    assert found.rows("broken")["id"].tolist() == [1]
    assert found.rows("broken", cohort="y").empty
    counts = found.discordant.set_index("g")[["both_right", "fixed", "broken", "both_wrong", "n"]]
    assert counts.loc["(overall)"].tolist() == [1, 1, 1, 1, 4]
    assert counts.loc["x"].tolist() == [1, 0, 1, 0, 2]


def test_several_outcomes_do_not_say_which_is_meant(answers: pd.DataFrame) -> None:
    found = evaluation(answers.assign(other=answers["ok"]), "ok", "other").compare("new", "old", metrics="ok_pass_rate")
    with pytest.raises(DfevalsError, match="one outcome"):
        found.rows("fixed")


def test_rows_without_a_value_are_counted_in_a_note(answers: pd.DataFrame) -> None:
    paired = evaluation(answers, "ok").compare("new", "old", metrics="pass_rate")
    assert "pass_rate: 2 of 6 pairs in which one or both have no value are left out; n counts them." in paired.notes
    assert paired.frame["value_a"].tolist() == [0.5]
    unpaired = answers.evals(outcomes=["ok"], model="model").compare("new", "old", metrics="pass_rate")
    assert "pass_rate: 2 of 12 rows that have no value are left out; n counts them." in unpaired.notes
    assert unpaired.frame["value_a"].tolist() == [0.6]
    whole = evaluation(answers[answers["id"] < 4], "ok").compare("new", "old", metrics="pass_rate")
    assert not any("no value" in note for note in whole.notes)
