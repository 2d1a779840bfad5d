"""Upper bounds on the time of a user's regular expressions and JSON Schemas, found by reading them."""

from __future__ import annotations

import functools
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dfevals.evaluators.ecma_patterns import python_pattern

__all__ = ["CHEAP", "SchemaCost", "regex_cost"]

CHEAP = 1e7
"""Steps that take no more than some tenths of a second; what may take more is run apart, within a time-out."""


def regex_cost(pattern: str, length: int, flags: int = 0, mode: str = "search") -> float:
    """Upper bound, in steps, of matching a text of so many characters; infinite where none is known.

    The ways in which parts of a pattern can match multiply along a sequence and add up over alternatives; each is
    tried, and from every character of the text unless the pattern is anchored.

    Examples
    --------
    >>> regex_cost("ab", 10), regex_cost("(a?){2}b", 0) > regex_cost("a?b", 0)
    (33.0, True)
    >>> regex_cost("(a+)+$", 30)
    inf
    """
    parsed = _parsed(pattern, flags)
    if parsed is None:
        return math.inf
    ways, steps = _of_sequence(parsed, length)
    starts = 1 if mode != "search" or _is_anchored(parsed) else length + 1
    return starts * (steps + ways) + (length if starts == 1 else 0)


@functools.lru_cache(maxsize=512)
def _parsed(pattern: str, flags: int) -> Any:
    """The parsed pattern; None without a parser (it is private to Python), or where the pattern is not valid."""
    parser = getattr(re, "_parser", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return None if parser is None else parser.parse(pattern, flags)
        except (re.error, RecursionError, OverflowError):
            return None


def _is_anchored(parsed: Any) -> bool:
    name = str(parsed[0][1]) if len(parsed) and str(parsed[0][0]) == "AT" else ""
    many = parsed.state.flags & re.MULTILINE
    return name == "AT_BEGINNING_STRING" or (name == "AT_BEGINNING" and not many)


def _of_sequence(parts: Iterable[Any], length: int) -> tuple[float, float]:
    """Ways to match from one place, and steps to try them all."""
    ways, steps = 1.0, 0.0
    for kind, detail in parts:
        more, each = _of_part(str(kind), detail, length)
        steps += ways * each
        ways *= more
    return ways, steps


def _of_part(kind: str, detail: Any, length: int) -> tuple[float, float]:
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, body = detail
        ways, steps = _of_repeat(least, most, body, length)
        return (1.0 if kind == "POSSESSIVE_REPEAT" else ways), steps
    if kind == "SUBPATTERN":
        return _of_sequence(detail[-1], length)
    if kind == "BRANCH":
        return _of_choice(detail[1], length)
    if kind == "GROUPREF_EXISTS":
        return _of_choice([part for part in detail[1:] if part is not None], length)
    if kind in ("ASSERT", "ASSERT_NOT"):
        return 1.0, _of_sequence(detail[1], length)[1] + 1
    if kind == "ATOMIC_GROUP":
        return 1.0, _of_sequence(detail, length)[1] + 1
    return 1.0, (length + 1.0 if kind == "GROUPREF" else 1.0)


def _of_choice(parts: Iterable[Any], length: int) -> tuple[float, float]:
    found = [_of_sequence(part, length) for part in parts]
    return sum(ways for ways, _ in found) + 1, sum(steps for _, steps in found) + 1


def _of_repeat(least: int, most: int, body: Any, length: int) -> tuple[float, float]:
    """A repeat has a way for every number of times, and each time has the ways of its body."""
    ways, steps = _of_sequence(body, length)
    most = min(int(most), max(int(least), length + 1))  # a time without a character is not repeated
    if ways <= 1:
        return float(most - least + 1), most * steps + 1
    if most * math.log(ways) > 50:
        return math.inf, math.inf
    total = sum(ways**times for times in range(most + 1))
    return total, total * steps + 1


@dataclass(frozen=True, slots=True)
class SchemaCost:
    """What the time of checking a value against a schema depends on.

    Attributes
    ----------
    patterns : tuple of str
        All of its regular expressions.
    compares_pairs : bool
        Whether items of an array are compared with each other (`uniqueItems`).
    branches : float
        Subschemas with every reference written out; infinite where a value may be checked again at every depth.
    """

    patterns: tuple[str, ...]
    compares_pairs: bool
    branches: float

    @classmethod
    def of(cls, schema: Any) -> SchemaCost:
        """The cost of a parsed schema."""
        nodes = list(_nodes(schema))
        patterns = tuple(_python(pattern) for node in nodes for pattern in _patterns(node))
        chooses = any(not _CHOICES.isdisjoint(node) for node in nodes)
        pairs = any(node.get("uniqueItems") is True for node in nodes)
        dynamic = any(not _DYNAMIC.isdisjoint(node) for node in nodes)
        return cls(patterns, pairs, math.inf if dynamic and chooses else _branches(schema, chooses))

    def steps(self, length: int) -> float:
        """Upper bound for a value of so many characters; 0 where it is in proportion to them."""
        steps = sum(regex_cost(pattern, length) for pattern in self.patterns)
        steps += 10.0 * length**2 if self.compares_pairs else 0.0
        return steps + (self.branches * (length + 1) if self.branches > _MANY else 0.0)


_MANY = 1000
_CHOICES = frozenset(("allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas", "dependencies", "unevaluatedItems", "unevaluatedProperties", "extends"))  # fmt: skip
_DYNAMIC = frozenset(("$dynamicRef", "$recursiveRef"))


def _nodes(schema: Any) -> Iterator[Mapping[str, Any]]:
    """All objects in a schema."""
    todo = [schema]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            yield node
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)


def _patterns(node: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(node.get("pattern"), str):
        yield node["pattern"]
    if isinstance(node.get("patternProperties"), dict):
        yield from node["patternProperties"]


def _python(pattern: str) -> str:
    """The pattern as it is run; one that is not valid stays, and its cost has no bound."""
    try:
        return python_pattern(pattern)
    except re.error:
        return pattern


def _branches(schema: Any, chooses: bool) -> float:
    known: dict[int, float] = {}

    def size(node: Any) -> float:
        """Objects in a part, with what it refers to; a part that holds itself is found open."""
        if not isinstance(node, dict | list):
            return 0.0
        if id(node) not in known:
            known[id(node)] = math.inf if chooses else 1.0
            parts = list(node.values()) if isinstance(node, dict) else node
            if isinstance(node, dict) and isinstance(node.get("$ref"), str):
                parts.append(_target(schema, node["$ref"]))
            known[id(node)] = 1.0 + sum(map(size, parts))
        return known[id(node)]

    return size(schema)


def _target(schema: Any, reference: str) -> Any:
    """What a reference by a path within the schema means; any other may mean the whole."""
    found = schema
    for step in reference.removeprefix("#").split("/")[1:] if reference.startswith("#") else ():
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        elif isinstance(found, dict) and step in found:
            found = found[step]
        else:
            return None
    return found
