"""The protocol: one row, one's own functions, and the record of every evaluator."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import dfevals.evaluators as ev
from dfevals.evaluators.protocol import ROLES, Evaluated
from dfevals.evaluators.records import BUILT_IN, by_name, classes, table
from dfevals.exceptions import DataError, RoleError

LOCAL_TEXT = [
    one
    for one in classes()
    if "response" in one.record.roles
    and not one.remote
    and one.record.family != "judge"
    and one.record.name != "unit_tests"
]


def test_evaluate_gives_score_verdict_reason_and_no_error() -> None:
    found = ev.ExactMatch().evaluate(response="Paris!", reference="paris")
    assert (found.score, found.passed, found.error) == (1.0, True, None)
    assert found.reason


def test_an_unknown_role_names_the_nearest_right_one() -> None:
    with pytest.raises(RoleError, match="Did you mean 'response'"):
        ev.ExactMatch().evaluate(respnse="a", reference="a")
    with pytest.raises(RoleError, match="needs reference"):
        ev.ExactMatch().evaluate(response="a")


@pytest.mark.parametrize("one", LOCAL_TEXT, ids=lambda one: one.__name__)
@pytest.mark.parametrize("value", [None, np.nan, pd.NA, 7.25, 2.5], ids=repr)
def test_what_is_not_text_is_a_counted_error(one: type[ev.Evaluator], value: object) -> None:
    if one is ev.NumericMatch and isinstance(value, int | float) and value == value:
        assert one().evaluate(response=value, reference=value).passed
        return
    roles = {role: "{}" if role == "schema" else "x 1" for role in one.record.roles}
    found = one().evaluate(**{**roles, "response": value})
    assert found.error is not None
    assert "response" in found.error
    assert found.passed is None
    assert np.isnan(found.score)


def test_every_record_is_complete_and_its_name_is_the_class_in_snake_case() -> None:
    for one in classes():
        record = one.record
        assert record.name.replace("_", "") == one.__name__.lower()
        assert record.measures
        assert record.weaknesses
        assert record.accuracy
        assert record.better in ("higher", "lower")
        assert set(record.all_roles()) <= set(ROLES)
        assert (one.__doc__ or "").strip()
    shown = table()
    assert list(shown["evaluator"]) == list(BUILT_IN)
    assert shown["name"].is_unique


def test_by_name_finds_and_suggests() -> None:
    assert by_name("exact_match") is by_name("ExactMatch") is ev.ExactMatch
    with pytest.raises(DataError, match="Did you mean 'exact_match'"):
        by_name("exact_mach")


def test_decorator_keeps_the_function_and_reads_its_parameters() -> None:
    @ev.evaluator(pass_at=3, better="lower", range=(0, 100))
    def words(response: str) -> int:
        """Number of words."""
        return len(response.split())

    assert words("a b") == 2
    assert words.name == "words"
    assert words.record.measures == "Number of words."
    assert words.evaluate(response="a b c d").passed is False


@pytest.mark.parametrize(
    ("returned", "score", "passed"),
    [
        (True, 1.0, True),
        (np.bool_(False), 0.0, False),
        (0.25, 0.25, None),
        ((0.5, "half"), 0.5, None),
        ({"score": 1, "reason": "ok"}, 1.0, None),
        ({"passed": False}, 0.0, False),
        (Evaluated(0.1, True), 0.1, True),
    ],
)
def test_what_a_function_may_return(returned: object, score: float, passed: bool | None) -> None:
    found = ev.FunctionEvaluator(lambda response: returned).evaluate(response="a")
    assert (found.score, found.passed, found.error) == (score, passed, None)


@pytest.mark.parametrize("returned", [None, float("nan"), "good", {"scroe": 1}, [1]], ids=repr)
def test_what_a_function_may_not_return_is_an_error(returned: object) -> None:
    assert ev.FunctionEvaluator(lambda response: returned).evaluate(response="a").error


def test_an_exception_is_an_error_with_its_type() -> None:
    found = ev.FunctionEvaluator(lambda response: 1 / 0).evaluate(response="a")
    assert found.error == "ZeroDivisionError: division by zero"


def test_async_function_by_itself() -> None:
    @ev.evaluator
    async def one(response: str) -> float:
        return float(len(response))

    assert one.evaluate(response="abc").score == 3.0


def test_import_stays_light() -> None:
    code = (
        "import sys, dfevals.evaluators as e; e.ExactMatch().evaluate(response='a', reference='a');"
        "print([m for m in ('scipy', 'sklearn', 'matplotlib', 'IPython', 'jsonschema', 'tqdm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
