"""Tool calls as they come (OpenAI, Anthropic, Gemini, plain, texts) read into one form, and compared."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dfevals.evaluators.normal_form import nfkc
from dfevals.evaluators.values import is_missing, parse_json, plain, show
from dfevals.exceptions import DataError

__all__ = ["Call", "MalformedCall", "argument_matches", "expected_from_bfcl", "parse_calls", "standard_text"]

_ARGUMENT_KEYS = ("arguments", "args", "kwargs", "input", "parameters")
_NO_CALLS = {"text", "output_text", "refusal", "thinking", "redacted_thinking", "reasoning", "message"}
_TAGGED = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
_FENCE = re.compile(r"\s*```[A-Za-z]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_LONGEST_PYTHON = 100_000
_DROPPED = {ord(c): None for c in " \t\r\n\u00a0,./-_*^!?;:'\"`\u2018\u2019\u201c\u201d\u2013\u2014"}


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the tool's name and its arguments; `arguments` is None where only the name is known."""

    name: str
    arguments: Mapping[str, Any] | None


class MalformedCall(Exception):
    """What was given cannot be read as tool calls; the message says why."""


def parse_calls(value: object) -> list[Call]:
    """Read tool calls of any usual format.

    Parameters
    ----------
    value : list, dict or str
        OpenAI (`tool_calls`, `function_call`, Responses, whole answers), Anthropic (`tool_use` blocks), Gemini (`functionCall`),
        plain (`{"name", "arguments"}`, `{"tool": {…}}`), the same as JSON text, `<tool_call>` tags, or Python calls
        as text (`[f(a=1), g(b="x")]`). A step that is only a name has no arguments.

    Returns
    -------
    list of Call

    Raises
    ------
    MalformedCall
        When it cannot be read.

    Examples
    --------
    >>> parse_calls('[{"function": {"name": "f", "arguments": "{\\\\"a\\\\": 1}"}}]')
    [Call(name='f', arguments={'a': 1})]
    """
    value = plain(value)
    if isinstance(value, str):
        return _calls_of_text(value)
    if isinstance(value, Mapping):
        return _calls_of_mapping(value)
    if isinstance(value, list):
        return [call for item in value for call in _calls_of_item(item)]
    if hasattr(value, "model_dump"):
        return parse_calls(value.model_dump())
    raise MalformedCall(f"tool calls must be a list or a text, found {type(value).__name__} {show(value)}")


def _calls_of_item(item: object) -> list[Call]:
    item = plain(item)
    if isinstance(item, str):
        stripped = item.strip()
        return [Call(stripped, None)] if re.fullmatch(r"[\w.:/-]+", stripped) else _calls_of_text(item)
    return parse_calls(item)


def _calls_of_text(value: str) -> list[Call]:
    fence = _FENCE.match(value)
    value = (fence.group(1) if fence else value).strip()
    tagged = _TAGGED.findall(value)
    if tagged:
        return [call for part in tagged for call in _calls_of_text(part)]
    if not value:
        raise MalformedCall("the text of the tool calls is empty (write [] for no call)")
    try:
        return parse_calls(_container(json.loads(value)))
    except RecursionError:
        raise MalformedCall("the text is nested too deeply") from None
    except ValueError:
        return _python_calls(value)


def _container(parsed: Any) -> Any:
    if isinstance(parsed, list | dict):
        return parsed
    raise MalformedCall(f"the text holds {show(parsed)}, not tool calls")


def _calls_of_mapping(value: Mapping[str, Any]) -> list[Call]:
    choices = plain(value.get("choices"))  # a whole answer of OpenAI's chat completions
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) and "message" in choices[0]:
        return parse_calls(choices[0]["message"])
    if value.get("object") == "response" and isinstance(plain(value.get("output")), list):  # and of its responses
        return parse_calls(value["output"])
    for key in ("tool_calls", "calls"):
        if isinstance(plain(value.get(key)), list):
            return parse_calls(value[key])
    if isinstance(plain(value.get("content")), list) and "name" not in value:
        return parse_calls(value["content"])
    for key in ("function", "function_call", "functionCall"):
        if isinstance(value.get(key), Mapping):
            return _calls_of_mapping(value[key])
    kind = value.get("type")
    if kind in _NO_CALLS and "name" not in value:
        return []
    if "role" in value and "name" not in value:
        return []
    name = value.get("name", value.get("tool", value.get("tool_name")))
    if isinstance(name, str):
        return [Call(name, _arguments(name, value))]
    if len(value) == 1:
        name, arguments = next(iter(value.items()))
        if isinstance(arguments, Mapping):
            return [Call(str(name), dict(arguments))]
    raise MalformedCall(f"no tool name in {show(dict(value))}")


def _arguments(name: str, value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for key in _ARGUMENT_KEYS:
        if key not in value:
            continue
        found = plain(value[key])
        if isinstance(found, str):
            if not found.strip():
                return {}
            try:
                found = json.loads(found)
            except (ValueError, RecursionError):
                raise MalformedCall(f"the arguments of {name} are not valid JSON: {show(found)}") from None
        if found is None:
            return {}
        if not isinstance(found, Mapping):
            raise MalformedCall(f"the arguments of {name} are no object: {show(found)}")
        return dict(found)
    return None if not (set(value) & {"id", "type", "call_id"}) else {}


def _python_calls(value: str) -> list[Call]:
    """Calls written as Python, read without running anything; Python's parser takes 170 bytes for a character."""
    if len(value) > _LONGEST_PYTHON:
        raise MalformedCall(f"the text is not JSON, and too long to be read as calls ({len(value)} characters)")
    try:
        body = ast.parse(value.strip(), mode="eval").body
        nodes = body.elts if isinstance(body, ast.List | ast.Tuple) else [body]
        return [_python_call(node) for node in nodes]
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise MalformedCall(f"the text is neither JSON nor calls: {show(value)}") from None


def _python_call(node: ast.expr) -> Call:
    if not isinstance(node, ast.Call) or node.args or any(word.arg is None for word in node.keywords):
        raise ValueError("not a call with named arguments")
    return Call(ast.unparse(node.func), {str(word.arg): _literal(word.value) for word in node.keywords})


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {ast.literal_eval(k): _literal(v) for k, v in zip(node.keys, node.values, strict=True) if k is not None}
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)  # a lambda, a name: compared as text


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
