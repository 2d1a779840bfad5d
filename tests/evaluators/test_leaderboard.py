"""Tool calls judged as the Berkeley Function-Calling Leaderboard judges them: gold answers, and calls made from them.

The oracle is written from the leaderboard's published rules, apart from the evaluator: it works on the gold answers and the
function definitions, never on the evaluator's own forms.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

import dfevals
from dfevals.evaluators import ToolArgumentAccuracy, ToolSelectionAccuracy, expected_from_bfcl

KINDS = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "any": str,
}
Call = dict[str, dict[str, Any]]


def folded(value: Any) -> Any:
    """Texts are compared in lower case, without spaces and , . / - _ * ^; one kind of quote stands for both."""
    return re.sub(r"[ ,./\-_*^]", "", value).lower().replace("'", '"') if isinstance(value, str) else value


def kind_of_gold(right: list[Any]) -> type | None:
    return next((type(value) for value in right if value != ""), None)


def right_object(given: dict[str, Any], right: Any) -> bool:
    if any(key not in right or folded(value) not in [folded(v) for v in right[key]] for key, value in given.items()):
        return False
    return all(key in given or "" in values for key, values in right.items())


def right_value(given: Any, right: list[Any], declared: dict[str, Any]) -> bool:
    """A value has the declared type (a whole number may stand for a float) or that of the gold answer, and is listed."""
    kind = KINDS[declared["type"]]
    if declared["type"] == "float" and type(given) is int:
        given = float(given)
    gold = kind_of_gold(right)
    if type(given) is kind:
        variable = gold is not None and gold is not kind
        if kind is list and "items" in declared:
            inner = KINDS[declared["items"]["type"]]
            typed = any(
                not isinstance(one, list)
                or all(type(item) is inner or type(item) is kind_of_gold(one) for item in given)
                for one in right
            )
            if not typed and type(given) is not gold:
                return False
    elif type(given) is gold:
        variable = True
    else:
        return False
    if variable:
        return given in right
    if kind is dict:
        return any(right_object(given, one) for one in right if one != "")
    if kind is list and declared.get("items", {}).get("type") == "dict":
        return any(
            len(given) == len(one) and all(right_object(a, b) for a, b in zip(given, one, strict=True)) for one in right
        )
    if kind is list:
        return [folded(item) for item in given] in [[folded(item) for item in one] for one in right]
    if kind is str:
        return folded(given) in [folded(one) for one in right if isinstance(one, str)]
    return given in right


def right_call(given: Call, gold: Call, tools: dict[str, Any]) -> bool:
    (name, right), (made_name, made) = next(iter(gold.items())), next(iter(given.items()))
    if name != made_name:
        return False
    body = tools[name]["parameters"]
    if any(key not in made for key in body["required"]):
        return False
    for key, value in made.items():
        if (
            key not in body["properties"]
            or key not in right
            or not right_value(value, right[key], body["properties"][key])
        ):
            return False
    return all(key in made or "" in values for key, values in right.items())


def verdict(given: list[Call], gold: list[Call], tools: dict[str, Any]) -> bool:
    """As many calls as gold ones; each gold call takes the first call not yet taken that is right for it."""
    if len(given) != len(gold):
        return False
    left = list(given)
    for right in gold:
        found = next((call for call in left if right_call(call, right, tools)), None)
        if found is None:
            return False
        left.remove(found)
    return True


def first_right(right: list[Any]) -> Any:
    value = next((one for one in right if one != ""), "")
    return made_of(value)


def made_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: first_right(values) for key, values in value.items() if values != [""]}
    return [made_of(item) for item in value] if isinstance(value, list) else value


def other_types(value: Any) -> Iterator[tuple[str, Any]]:
    """Type traps."""
    if isinstance(value, bool):
        yield from (("text for truth", str(value).lower()), ("number for truth", int(value)))
    elif isinstance(value, int):
        yield from (
            ("text for number", str(value)),
            ("float for whole", float(value)),
            ("truth for number", value == 1),
        )
        yield "another number", value + 1
    elif isinstance(value, float):
        yield from (("text for number", str(value)), ("whole for float", round(value)), ("near number", value + 1e-3))
    elif isinstance(value, str):
        yield from (
            ("other case", value.upper()),
            ("other marks", value.replace(" ", "-") + "."),
            ("other text", value + "x"),
        )
        yield from (("list for text", [value]), ("empty text", ""), ("nothing", None))
        if value.isdigit():
            yield "number for text", int(value)
    elif isinstance(value, list):
        yield from (
            ("reversed", value[::-1]),
            ("shorter", value[:-1]),
            ("empty list", []),
            ("text for list", json.dumps(value)),
        )
        if value:
            yield "longer", [*value, value[0]]
            yield "first for list", value[0]
            for name, changed in other_types(value[0]):
                yield f"item: {name}", [changed, *value[1:]]
    elif isinstance(value, dict):
        yield "text for object", json.dumps(value)
        for key in value:
            yield "object: key missing", {k: v for k, v in value.items() if k != key}
            for name, changed in other_types(value[key]):
                yield f"object: {name}", {**value, key: changed}
        yield "object: key more", {**value, "unknown_key": 1}


def made_calls(gold: list[Call], rng: random.Random) -> Iterator[tuple[str, list[Call]]]:
    """Right and wrong calls from gold answers."""
    right = [{name: {k: first_right(v) for k, v in a.items()}} for call in gold for name, a in call.items()]
    yield "right", right
    short = [
        {n: {k: v for k, v in a.items() if "" not in gold[i][n][k]} for n, a in call.items()}
        for i, call in enumerate(right)
    ]
    yield "optional left out", short
    last = [{n: {k: made_of(v[-1]) for k, v in a.items() if v[-1] != ""} for n, a in call.items()} for call in gold]
    yield "last alternatives", last
    yield "no call", []
    yield "other order", right[::-1]
    yield "one missing", right[:-1]
    yield "one twice", [*right, right[0]]
    yield "one twice, one missing", [*right[:-1], right[0]]
    place = rng.randrange(len(right))
    ((name, arguments),) = right[place].items()

    def changed(new: dict[str, Any], called: str = name) -> list[Call]:
        calls = copy.deepcopy(right)
        calls[place] = {called: new}
        return calls

    yield "other function", changed(arguments, name + "_x")
    yield "unknown argument", changed({**arguments, "unknown_argument": 1})
    for key, value in arguments.items():
        yield "argument missing", changed({k: v for k, v in arguments.items() if k != key})
        for trap, instead in other_types(value):
            yield trap, changed({**arguments, key: instead})


def cases(step: int = 1) -> Iterator[tuple[str, list[Call], list[Call], list[dict[str, Any]]]]:
    rng = random.Random(0)
    frame = dfevals.datasets.load("bfcl")
    for row in frame.iloc[::step].to_dict("records"):
        gold = json.loads(row["ground_truth"])
        if not gold:
            continue
        tools = json.loads(row["functions"])
        for name, calls in made_calls(gold, rng):
            yield name, calls, gold, tools


@pytest.mark.parametrize("with_definitions", [False, True])
def test_verdicts_agree_with_the_published_rules(with_definitions: bool) -> None:
    check, same, n, n_right = ToolArgumentAccuracy(), 0, 0, 0
    for name, calls, gold, tools in cases(step=7):
        if name == "item: text for object":
            continue  # the published checker raises there
        right = verdict(calls, gold, {tool["name"]: tool for tool in tools})
        made = [{"name": called, "arguments": arguments} for call in calls for called, arguments in call.items()]
        roles: dict[str, Any] = {"tool_calls": json.dumps(made), "expected_tool_calls": expected_from_bfcl(gold)}
        found = check.evaluate(**roles, **({"schema": tools} if with_definitions else {}))
        assert found.error is None
        same, n, n_right = same + (found.passed == right), n + 1, n_right + right
    assert n > 3000
    assert 0.2 < n_right / n < 0.8  # both verdicts are there, so that agreement says something
    assert same / n >= 0.98


def test_where_no_call_is_right_a_call_is_wrong() -> None:
    for check in (ToolArgumentAccuracy(), ToolSelectionAccuracy()):
        assert check.evaluate(tool_calls=[], expected_tool_calls=[]).passed
        assert check.evaluate(tool_calls=[{"name": "f", "arguments": {}}], expected_tool_calls=[]).passed is False
