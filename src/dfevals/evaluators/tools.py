"""Did the agent choose the right tools, and call them with the right arguments?"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from dfevals.evaluators.protocol import Evaluated, Evaluator, EvaluatorRecord
from dfevals.evaluators.tool_calls import (
    Call,
    MalformedCall,
    argument_matches,
    expected_calls,
    given_arguments,
    is_choice,
    is_left_out,
    made_calls,
    may_miss,
)
from dfevals.evaluators.values import parse_json, plain, show

__all__ = ["ToolArgumentAccuracy", "ToolSelectionAccuracy"]

_FORMATS = "OpenAI, Anthropic, Gemini, Bedrock, Mistral, Cohere, Inspect and plain formats, as lists or texts"


class ToolSelectionAccuracy(Evaluator):
    """Share of the tools that were called and should have been, among all that were called or should have been.

    Score in [0, 1]: the multiset intersection of the names over their union (with `ordered`, the places that agree over
    the longer list). No call where none was expected scores 1, also where the model answered with a text. A text that is no
    call scores 0; a record whose form is not known is an error of the evaluation.

    Parameters
    ----------
    ordered : bool
        Whether the order of the calls counts.
    **common
        `name`, `pass_at` (1), and the columns of the roles `tool_calls` and `expected_tool_calls`.

    Examples
    --------
    >>> check = ToolSelectionAccuracy()
    >>> check.evaluate(tool_calls=[{"name": "a"}, {"name": "b"}], expected_tool_calls=[{"name": "a"}]).score
    0.5
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="tool_selection_accuracy",
        measures="Agreement of the tools called with those expected (multiset overlap over union of names).",
        roles=("tool_calls", "expected_tool_calls"),
        weaknesses="Sees names only; another tool that would do as well counts as wrong.",
        accuracy=f"Exact by construction; reads {_FORMATS}.",
        family="structured",
    )
    version: ClassVar[int] = 2

    def __init__(self, *, ordered: bool = False, **common: Any) -> None:
        super().__init__(settings={"ordered": ordered}, **common)
        self.ordered = ordered

    def _evaluate(self, tool_calls: object, expected_tool_calls: object) -> Evaluated:
        expected = [call.name for call in expected_calls(expected_tool_calls)]
        try:
            given = [call.name for call in made_calls("tool_calls", tool_calls, none_expected=not expected)]
        except MalformedCall as problem:
            return Evaluated(0.0, None, str(problem))
        if not expected and not given:
            return Evaluated(1.0, None, "no call expected, none made")
        if self.ordered:
            same = sum(a == b for a, b in zip(given, expected, strict=False))
            score = same / max(len(given), len(expected))
        else:
            score = (Counter(given) & Counter(expected)).total() / (Counter(given) | Counter(expected)).total()
        if score == 1.0:
            return Evaluated(1.0, None, f"{len(given)} of {len(expected)} tools right")
        missing, extra = Counter(expected) - Counter(given), Counter(given) - Counter(expected)
        parts = [f"missing: {_some(missing)}"] if missing else []
        parts += [f"not expected: {_some(extra)}"] if extra else []
        return Evaluated(score, None, "; ".join(parts) or "the order differs")


def _some(names: Counter[str]) -> str:
    """The first names, and how many there are more."""
    more = names.total() - 10
    return ", ".join(itertools.islice(names.elements(), 10)) + (f" and {more} more" if more > 0 else "")


class ToolArgumentAccuracy(Evaluator):
    """Share of arguments that are right, over the calls that were made or should have been.

    Calls are paired with the expected ones (in order with `ordered`, otherwise so that most is right); a pair's share is
    its right arguments over all its given or expected arguments, and a call that is missing or not expected counts 0.
    Score in [0, 1]; it is 1, the pass mark, exactly when every call is right in name, arguments and types.

    Parameters
    ----------
    ordered : bool
        Whether the order of the calls counts.
    exact : bool
        Compare texts as they are, instead of without case, spaces and punctuation.
    extra_arguments : bool
        Allow arguments that are not expected.
    **common
        `name`, `pass_at` (1), and the columns of the roles `tool_calls`, `expected_tool_calls` and, if the declared types
        are to be checked too, `schema` (the tools' definitions).

    Notes
    -----
    An expected call is `{"name": …, "arguments": {argument: value}}`, where a value may be `{"any_of": [values]}` at any
    depth, and `{"any_of": [values], "optional": true}` may be left out or given empty ("" or []).

    A whole number may stand for a fraction (5 for 5.0), but not the other way round, unless the definition declares a
    number: "5", 5.0 and true are wrong where 5 is expected.

    Examples
    --------
    >>> right = [{"name": "book", "arguments": {"city": {"any_of": ["NYC", "New York"]}, "nights": 2}}]
    >>> made = '[{"name": "book", "arguments": {"city": "new york", "nights": "2"}}]'
    >>> ToolArgumentAccuracy().evaluate(tool_calls=made, expected_tool_calls=right).reason
    "book: nights='2' (str), expected 2 (int)"
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="tool_argument_accuracy",
        measures="Share of right arguments over calls made or expected; 1 only if every call is right.",
        roles=("tool_calls", "expected_tool_calls"),
        optional=("schema",),
        weaknesses="Knows only the alternatives that are listed; texts are compared by their letters, not their meaning.",
        accuracy="Agrees with the published rules of the Berkeley Function-Calling Leaderboard on 99.4 % of 27,962 right and "
        f"wrong calls made from its 1,000 gold answers (99.8 % with the tools' definitions); reads {_FORMATS}.",
        family="structured",
    )
    version: ClassVar[int] = 2

    def __init__(
        self, *, ordered: bool = False, exact: bool = False, extra_arguments: bool = False, **common: Any
    ) -> None:
        settings = {"ordered": ordered, "exact": exact, "extra_arguments": extra_arguments}
        super().__init__(settings=settings, **common)
        self.ordered, self.exact, self.extra_arguments = ordered, exact, extra_arguments

    def _evaluate(self, tool_calls: object, expected_tool_calls: object, schema: object = None) -> Evaluated:
        expected = expected_calls(expected_tool_calls)
        tools = {} if schema is None else definitions(schema)
        try:
            given = made_calls("tool_calls", tool_calls, none_expected=not expected)
        except MalformedCall as problem:
            return Evaluated(0.0, None, str(problem))
        if not expected and not given:
            return Evaluated(1.0, None, "no call expected, none made")
        pairs = self._pairs(expected, given, tools)
        score = sum(share for share, _ in pairs) / max(len(expected), len(given))
        problems = [problem for _, found in pairs for problem in found]
        problems += _unpaired(expected, given)
        if not problems:
            return Evaluated(1.0, None, f"all {len(given)} calls right")
        return Evaluated(score, None, "; ".join(problems[:5]))

    def _pairs(
        self, expected: Sequence[Call], given: Sequence[Call], tools: Mapping[str, Definition]
    ) -> list[tuple[float, list[str]]]:
        """Share and problems of each pair of calls of one name."""
        if self.ordered or (len(expected) == 1 and len(given) == 1):
            return [
                self._share(a, b, tools)
                if a.name == b.name
                else (0.0, [f"{b.name} called where {a.name} was expected"])
                for a, b in zip(expected, given, strict=False)
            ]
        found: list[tuple[float, list[str]]] = []
        for name in dict.fromkeys(call.name for call in expected):
            found += self._best_pairs(
                [call for call in expected if call.name == name], [call for call in given if call.name == name], tools
            )
        return found

    def _best_pairs(
        self, expected: Sequence[Call], given: Sequence[Call], tools: Mapping[str, Definition]
    ) -> list[tuple[float, list[str]]]:
        table = [[self._share(a, b, tools) for b in given] for a in expected]
        if len(expected) == 1 and len(given) == 1:
            return [table[0][0]]
        if not given:
            return []
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment([[-share for share, _ in row] for row in table])
        return [table[row][column] for row, column in zip(rows, columns, strict=True)]

    def _share(self, expected: Call, given: Call, tools: Mapping[str, Definition]) -> tuple[float, list[str]]:
        """Share of right arguments of a call, and what is wrong."""
        if expected.arguments is None:
            return 1.0, []
        wanted, made = expected.arguments, given_arguments(expected, given)
        right, total, problems = 0, 0, []
        tool = tools.get(given.name, _UNKNOWN)
        for key, value in wanted.items():
            if key not in made:
                if not may_miss(value) or key in tool.required:
                    total += 1
                    problems.append(f"{given.name}: {key} is missing")
                continue
            total += 1
            declared = tool.types.get(key)
            if declared is not None and not has_type(made[key], declared) and not _has_kind_of(made[key], value):
                problems.append(f"{given.name}: {key}={_typed(made[key])}, declared {declared}")
            elif is_left_out(value, made[key]) or argument_matches(
                value, made[key], exact=self.exact, whole=not (declared is not None and float in _kinds(declared))
            ):
                right += 1
            else:
                problems.append(f"{given.name}: {key}={_typed(made[key])}, expected {_typed(value)}")
        if not self.extra_arguments:
            for key in made:
                if key not in wanted:
                    total += 1
                    problems.append(f"{given.name}: {key} is not expected")
        return (right / total if total else 1.0), problems


def _unpaired(expected: Sequence[Call], given: Sequence[Call]) -> list[str]:
    """Calls that have no partner of their name."""
    wanted, made = Counter(c.name for c in expected), Counter(c.name for c in given)
    found = [f"{name} was not called" for name in (wanted - made).elements()]
    return found + [f"{name} is not expected" for name in (made - wanted).elements()]


def _typed(value: object) -> str:
    value = plain(value)
    if isinstance(value, Mapping) and "any_of" in value:
        return "one of " + show(list(value["any_of"]))
    return f"{show(value)} ({type(value).__name__})"


@dataclass(frozen=True, slots=True)
class Definition:
    """What a tool declares: the type of each argument that has a plain one, and which arguments are required."""

    types: Mapping[str, str]
    required: frozenset[str]


_AROUND_TOOLS = ("function", "toolSpec", "functionDeclarations", "function_declarations", "tools")
_BODIES = ("parameters", "input_schema", "inputSchema", "parametersJsonSchema")
_UNKNOWN = Definition({}, frozenset())


def definitions(schema: object) -> dict[str, Definition]:
    """Declared arguments of each tool, from OpenAI, Anthropic, Gemini, Bedrock, MCP or plain definitions.

    What defines no tool is left aside, since a column `schema` may hold the schema of the response.

    Examples
    --------
    >>> definitions([{"name": "f", "parameters": {"properties": {"a": {"type": "integer"}}}}])["f"].types
    {'a': 'integer'}
    """
    return dict(_definitions(parse_json("schema", schema)))


def _definitions(given: Any) -> Iterator[tuple[str, Definition]]:
    if isinstance(given, list):
        for item in given:
            yield from _definitions(item)
    if not isinstance(given, Mapping):
        return
    inner = next((given[key] for key in _AROUND_TOOLS if isinstance(given.get(key), list | Mapping)), None)
    if inner is not None:
        yield from _definitions(inner)
    elif isinstance(given.get("name"), str):
        yield given["name"], _definition(given)


def _definition(tool: Mapping[str, Any]) -> Definition:
    body: Mapping[str, Any] = next((tool[key] for key in _BODIES if isinstance(tool.get(key), Mapping)), {})
    body = body["json"] if isinstance(body.get("json"), Mapping) else body  # of Bedrock
    properties, required = body.get("properties"), body.get("required")
    types = {
        str(key): value["type"]
        for key, value in (properties.items() if isinstance(properties, Mapping) else ())
        if isinstance(value, Mapping) and isinstance(value.get("type"), str)
    }
    return Definition(types, frozenset(map(str, required)) if isinstance(required, list) else frozenset())


_TYPES: Mapping[str, tuple[type, ...]] = {
    "integer": (int,),
    "int": (int,),
    "number": (int, float),
    "float": (int, float),
    "string": (str,),
    "str": (str,),
    "boolean": (bool,),
    "bool": (bool,),
    "array": (list,),
    "list": (list,),
    "tuple": (list,),
    "object": (dict,),
    "dict": (dict,),
}


def _has_kind_of(value: object, expected: object) -> bool:
    """Whether a right answer has the very type of a value, whatever the definition says."""
    right = expected["any_of"] if isinstance(expected, Mapping) and is_choice(expected) else [expected]
    return any(type(plain(one)) is type(value) for one in right)


def _kinds(declared: str) -> tuple[type, ...]:
    return _TYPES.get(declared.lower(), ())


def has_type(value: object, declared: str) -> bool:
    """Whether a value has a declared JSON (or Python) type; unknown types are not judged."""
    kinds = _kinds(declared)
    if not kinds:
        return True
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(plain(value), kinds)
