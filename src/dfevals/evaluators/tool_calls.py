"""Tool calls compared: which argument is right, which may be left out, and what was expected."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dfevals.evaluators.call_formats import Call, MalformedCall, NoCall, UnknownStructure, parse_calls
from dfevals.evaluators.normal_form import nfkc
from dfevals.evaluators.values import is_missing, parse_json, plain
from dfevals.exceptions import DataError

__all__ = [
    "Call",
    "MalformedCall",
    "UnknownStructure",
    "argument_matches",
    "expected_calls",
    "expected_from_bfcl",
    "made_calls",
    "parse_calls",
    "standard_text",
]

_DROPPED = {ord(c): None for c in " \t\r\n\u00a0,./-_*^!?;:'\"`\u2018\u2019\u201c\u201d\u2013\u2014"}


def standard_text(value: str) -> str:
    """A text without case, spaces and usual punctuation.

    Examples
    --------
    >>> standard_text("San Francisco, CA") == standard_text("san francisco CA")
    True
    """
    return nfkc(value).translate(_DROPPED).casefold()


def argument_matches(
    expected: Any, given: Any, *, exact: bool = False, tolerance: float = 1e-12, whole: bool = False
) -> bool:
    """Whether an argument has a right value.

    Texts are compared without case, spaces and punctuation unless `exact`; numbers by value (5 equals 5.0, but
    neither equals "5" nor True), and with `whole` 5.0 is not right where 5 itself is expected, though 5 is where 5.0
    is; lists in order; objects key by key. `{"any_of": [...]}` at any depth lists right values, and with
    `"optional": true` the key may be left out.

    Examples
    --------
    >>> argument_matches({"any_of": ["NYC", "New York"]}, "new-york")
    True
    >>> argument_matches(5, "5")
    False
    """
    expected, given = plain(expected), plain(given)
    if is_choice(expected):
        return any(
            argument_matches(one, given, exact=exact, tolerance=tolerance, whole=whole)
            for one in plain(expected["any_of"])
        )
    if isinstance(expected, bool) or isinstance(given, bool):
        return expected is given
    if isinstance(expected, int | float) and isinstance(given, int | float):
        if whole and isinstance(expected, int) and isinstance(given, float):
            return False
        return expected == given or math.isclose(expected, given, rel_tol=tolerance)
    if isinstance(expected, str) and isinstance(given, str):
        if exact or expected == given:
            return expected == given
        standard = standard_text(expected)
        return standard == standard_text(given) and (standard != "" or expected.strip() == given.strip())
    if isinstance(expected, list) and isinstance(given, list):
        return len(expected) == len(given) and all(
            argument_matches(a, b, exact=exact, tolerance=tolerance) for a, b in zip(expected, given, strict=True)
        )
    if isinstance(expected, Mapping) and isinstance(given, Mapping):
        if any(key not in expected for key in given):
            return False
        return all(
            argument_matches(value, given[key], exact=exact, tolerance=tolerance) if key in given else may_miss(value)
            for key, value in expected.items()
        )
    return is_missing(expected) and is_missing(given)


def is_choice(expected: object) -> bool:
    """Whether an expected value is a list of alternatives."""
    return (
        isinstance(expected, Mapping)
        and "any_of" in expected
        and isinstance(plain(expected["any_of"]), list)
        and set(expected) <= {"any_of", "optional"}
    )


def given_arguments(expected: Call, made: Call) -> dict[str, Any]:
    """The arguments of a call, in which one that is null and not expected counts as left out.

    Models write null for what they leave out, and Parquet writes it into every record that lacks a key of another.
    """
    wanted = expected.arguments or {}
    given = {key: value for key, value in (made.arguments or {}).items() if value is not None or key in wanted}
    return {**{key: None for key, value in wanted.items() if value is None}, **given}


def may_miss(expected: object) -> bool:
    """Whether an expected argument may be left out."""
    return isinstance(expected, Mapping) and is_choice(expected) and bool(expected.get("optional"))


def is_left_out(expected: object, given: object) -> bool:
    """Whether an argument that may be left out was given as an empty text or list, which says the same."""
    given = plain(given)
    if not may_miss(expected) or given not in ("", []):
        return False
    right = plain(expected["any_of"])  # type: ignore[index]
    return not right or any(type(plain(one)) is type(given) for one in right)


def made_calls(role: str, value: object, *, none_expected: bool = False) -> list[Call]:
    """The calls that a model made; a text without any is no call where none was expected.

    Raises
    ------
    MalformedCall
        When the model wrote what is no call, which is a fault of the model.
    DataError
        When the form is not known, which is not.
    """
    try:
        return parse_calls(value)
    except NoCall:
        if none_expected:
            return []
        raise
    except UnknownStructure as problem:
        raise DataError(f"{role} cannot be read: {problem}.") from None


def expected_calls(value: object) -> list[Call]:
    """The calls that were right; what cannot be read is an error of the evaluation."""
    try:
        return parse_calls(value)
    except MalformedCall as problem:
        raise DataError(f"expected_tool_calls cannot be read: {problem}.") from None


def expected_from_bfcl(gold: object) -> list[dict[str, Any]]:
    """Expected calls from a gold answer of the Berkeley Function-Calling Leaderboard.

    There every argument has a list of right values, in which "" means that it may be left out; in objects every key has
    such a list too.

    Parameters
    ----------
    gold : str, list or dict
        Such as `[{"f": {"a": [1, 2], "unit": ["m", ""]}}]`, or its JSON text.

    Returns
    -------
    list of dict
        Calls as `ToolArgumentAccuracy` expects them.

    Raises
    ------
    DataError
        When it has another form.

    Examples
    --------
    >>> expected_from_bfcl('{"f": {"a": [1, 2]}}')
    [{'name': 'f', 'arguments': {'a': {'any_of': [1, 2]}}}]
    """
    parsed = parse_json("gold", gold)
    calls = parsed if isinstance(parsed, list) else [parsed]
    if not all(isinstance(call, Mapping) and all(isinstance(a, Mapping) for a in call.values()) for call in calls):
        raise DataError("gold must be a list of {function: {argument: [right values]}}.")
    return [
        {"name": name, "arguments": {key: _bfcl_values(values) for key, values in arguments.items()}}
        for call in calls
        for name, arguments in call.items()
    ]


def _bfcl_values(values: Any) -> Any:
    if not isinstance(values, list):
        return values
    right = [_bfcl_value(value) for value in values if value != ""]
    return {"any_of": right, "optional": True} if "" in values else {"any_of": right}


def _bfcl_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _bfcl_values(inner) for key, inner in value.items()}
    return [_bfcl_value(item) for item in value] if isinstance(value, list) else value
