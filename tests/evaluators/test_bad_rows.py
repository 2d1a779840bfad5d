"""Whatever a cell holds, a row ends as an error or a verdict, and the rows beside it are as they would be alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals.evaluators as ev
from dfevals.evaluators.records import classes

CALLS = '[{"name": "find", "arguments": {"city": "Paris"}}]'
GOOD = {
    "response": '{"answer": 5} Paris has 5 bridges.',
    "prompt": "How many bridges has Paris?",
    "context": "Paris has 5 bridges.",
    "reference": "Paris has 5 bridges.",
    "tool_calls": CALLS,
    "expected_tool_calls": CALLS,
    "schema": '{"type": "object"}',
    "trajectory": CALLS,
    "other": "Paris has 6 bridges.",
}
BAD: dict[str, object] = {
    "None": None,
    "NaN": float("nan"),
    "NA": pd.NA,
    "NaT": pd.NaT,
    "int": 7,
    "float": -2.5,
    "huge int": 10**400,
    "infinity": float("inf"),
    "bool": True,
    "numpy": np.float32(1.5),
    "date": pd.Timestamp("2024-02-28"),
    "bytes": b"\xff\xfe",
    "list": ["a", None, 3],
    "empty list": [],
    "array": np.array([1.0, np.nan]),
    "dict": {"name": 3, "arguments": [1]},
    "nested": [[[{"function": None}]]],
    "set": {1, 2},
    "object": object(),
    "empty": "",
    "blank": " \n\t ",
    "null byte": "a\u0000b",
    "lone surrogate": "\ud800 alone",
    "languages": "Ответ: 五 جسور 🇫🇷 e\u0301 ﬁ\u202e abc",
    "digits": "٣٫٥ ½ 1e999 -∞",
    "markup": "<script>alert(1)</script> {response} %s",
    "deep text": "[" * 5000 + "]" * 5000,
    "deep object": '{"a":' * 5000 + "1" + "}" * 5000,
}


class _Silent:
    """A client whose verdict is always the same, for judges of either form."""

    def __init__(self, reply: dict[str, Any]) -> None:
        self.reply = reply

    def __call__(self, messages: list[dict[str, str]]) -> str:
        return json.dumps(self.reply)


def made(one: type[ev.Evaluator]) -> ev.Evaluator:
    """An evaluator of every class in the registry."""
    build: Any = one
    if one is ev.UnitTests:
        return build(lambda response, tests: [response.isprintable()])
    if one is ev.PairwisePreference:
        return build(_Silent({"winner": "tie", "reason": "alike"}), retries=0)
    if one is ev.Judge:
        return build("Is it right?", _Silent({"score": 1, "reason": "right"}), retries=0)
    if one.record.family == "judge":
        return build(_Silent({"score": 1, "reason": "right"}), retries=0)
    return build(pattern="a+") if one is ev.RegexMatch else build()


def roles_of(one: type[ev.Evaluator]) -> list[str]:
    return one.record.all_roles()


CASES = [(one, role) for one in classes() for role in roles_of(one)]


@pytest.mark.parametrize(("one", "role"), CASES, ids=[f"{one.__name__}-{role}" for one, role in CASES])
def test_a_bad_cell_is_an_error_or_a_verdict_and_other_rows_are_unaffected(one: type[ev.Evaluator], role: str) -> None:
    others = {name: [GOOD[name]] * (len(BAD) + 2) for name in roles_of(one) if name != role}
    frame = pd.DataFrame({**others, role: pd.Series([GOOD[role], *BAD.values(), GOOD[role]], dtype=object)})
    evaluator = made(one)
    done = ev.annotate(frame, evaluator, progress=False).frame
    alone = ev.annotate(frame.iloc[[0]], made(one), progress=False).frame
    name = evaluator.name
    for place in (0, -1):
        assert done[f"{name}_error"].isna().iloc[place]
        pd.testing.assert_series_equal(done.iloc[place], alone.iloc[0], check_names=False)
    failed = done[f"{name}_error"].notna()
    assert done.loc[failed, name].isna().all()
    assert done.loc[failed, f"{name}_passed"].isna().all()
    assert done.loc[failed, f"{name}_reason"].isna().all()
    assert done.loc[~failed, name].between(*one.record.range).all()
    if role in one.record.roles:
        missing = [1 + list(BAD).index(kind) for kind in ("None", "NaN", "NA", "NaT")]
        assert failed.iloc[missing].all()


@pytest.mark.parametrize("one", [ev.ToolSelectionAccuracy, ev.ToolArgumentAccuracy])
def test_calls_as_text_as_a_list_and_as_objects_are_the_same(one: type[ev.Evaluator]) -> None:
    forms: list[object] = [CALLS, json.loads(CALLS), json.loads(CALLS)[0], np.array(json.loads(CALLS), dtype=object)]
    frame = pd.DataFrame({"tool_calls": forms, "expected_tool_calls": forms[::-1]})
    done = ev.annotate(frame, one(), progress=False).frame
    assert (done.iloc[:, 2] == 1.0).all()


LARGE = {
    "object": json.dumps({f"key {i}": "x" * 100 for i in range(90_000)}),
    "calls": json.dumps([{"name": "find", "arguments": {"city": "x" * 1000}}] * 9_800),
    "cut": json.dumps({"key": "x" * 10_000_000})[:-1],
    "no JSON": "a" + ".a" * 5_000_000,
    "brackets": "[" * 10_000_000,
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize(
    ("one", "role"),
    [
        (ev.JSONValidation, "response"),
        (ev.SchemaCompliance, "response"),
        (ev.SchemaCompliance, "schema"),
        (ev.ToolArgumentAccuracy, "tool_calls"),
        (ev.ToolArgumentAccuracy, "expected_tool_calls"),
        (ev.ExactMatch, "response"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_ten_megabytes_are_read_or_refused(one: Any, role: str, text: str) -> None:
    assert len(text) > 9_900_000
    roles = {name: GOOD[name] for name in one.record.roles}
    if role == "schema":
        roles["response"] = "{}"
    found = one().evaluate(**{**roles, role: text})
    assert (found.error is None) == (found.passed is not None)
    assert len(found.reason) < 2000


def test_long_texts_are_not_given_to_the_parser_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the parser takes 170 bytes for a character")

    monkeypatch.setattr("ast.parse", never)
    found = ev.ToolArgumentAccuracy().evaluate(tool_calls="f(a=1)" + " " * 200_000 + "?", expected_tool_calls=CALLS)
    assert "too long" in found.reason
