"""Regular expressions and JSON Schemas, checked; also run as a separate process for what may take for ever.

This file imports nothing of dfevals but two files that import nothing, so that the process starts quickly: `python
checking.py` answers one JSON request per line.
"""

from __future__ import annotations

import fractions
import functools
import json
import pathlib
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __name__ != "__main__":
    from dfevals.evaluators.ecma_patterns import UnsupportedPattern, compiled
    from dfevals.evaluators.string_formats import formats_of
else:  # the process that this file is finds its neighbours behind everything that is installed
    sys.path.append(str(pathlib.Path(__file__).parent))
    from ecma_patterns import UnsupportedPattern, compiled
    from string_formats import formats_of

__all__ = [
    "draft_of",
    "find_pattern",
    "format_checker",
    "keywords",
    "unchecked_formats",
    "validate",
]


def find_pattern(pattern: str, value: str, mode: str, flags: int) -> list[int] | None:
    """Place of the match of a pattern: [start, end], or None."""
    match = getattr(re.compile(pattern, flags), mode)(value)
    return None if match is None else list(match.span())


DRAFTS = {
    "draft3": "Draft3Validator",
    "draft4": "Draft4Validator",
    "draft6": "Draft6Validator",
    "draft7": "Draft7Validator",
    "2019-09": "Draft201909Validator",
    "2020-12": "Draft202012Validator",
}


class SchemaProblem(Exception):
    """The schema itself cannot be used."""


_DECLARED = re.compile(
    r"(?:https?:)?(?://)?json-schema\.org/(?:draft[/-](?P<draft>0[3467]|2019-09|2020-12)/)?schema/?#?", re.IGNORECASE
)


def declared_draft(schema: Any) -> str | None:
    """The draft that a schema names, in any spelling of its address; None where it names none.

    Raises
    ------
    SchemaProblem
        When it names another, since it would be read by rules that are not its own.
    """
    named = schema.get("$schema") if isinstance(schema, dict) else None
    if named is None:
        return None
    found = _DECLARED.fullmatch(named.strip()) if isinstance(named, str) else None
    if found is None:
        known = ", ".join(DRAFTS)
        raise SchemaProblem(f"$schema names no known draft: {_short(repr(named))}. Say draft= (one of {known}).")
    year = found["draft"] or "2020-12"  # the address without a draft is that of the newest
    return f"draft{year[1:]}" if year.startswith("0") else year


def draft_of(schema: Any, draft: str | None) -> str:
    """The draft by which a schema is read: the one that is said, else the one that it names, else the newest."""
    return draft or declared_draft(schema) or "2020-12"


def keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """Keyword and value of every subschema; names of properties and data are no keywords."""
    todo = [(schema, False)]
    while todo:
        node, named = todo.pop()
        if isinstance(node, list):
            todo.extend((item, False) for item in node)
        elif isinstance(node, dict):
            for key, value in node.items():
                if not named:
                    yield key, value
                if named or key not in _DATA:
                    todo.append((value, not named and key in _NAMED))


_DATA = {"const", "enum", "default", "examples", "required"}
_NAMED = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"}


def unchecked_formats(schema: Any, draft: str) -> list[str]:
    """The formats of a schema that are not checked: those that its draft does not define, and hostnames of any script."""
    named = {value for key, value in keywords(schema) if key == "format" and isinstance(value, str)}
    return sorted(named - format_checker(draft).checkers.keys())


@functools.lru_cache(maxsize=64)
def format_checker(draft: str | None) -> Any:
    """The draft's format checks, which do not depend on what is installed; without a draft patterns alone are checked."""
    import jsonschema

    checker = jsonschema.FormatChecker(formats=())
    known: dict[str, Callable[[str], bool]] = {**(formats_of(draft) if draft else {}), "regex": _is_pattern}
    checker.checkers = {name: (_of_texts(check), (ValueError, re.error)) for name, check in known.items()}
    return checker


def _of_texts(check: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or check(value)


def _is_pattern(text: str) -> bool:
    try:
        return bool(compiled(text))
    except UnsupportedPattern:
        return True
    except (RecursionError, OverflowError):
        return False


class _Pattern(str):
    """A pattern in Python's spelling, which messages show as it stands in the schema."""

    written: str

    def __repr__(self) -> str:
        return repr(self.written)

    def __hash__(self) -> int:
        return hash(self.written)

    def __eq__(self, other: object) -> bool:  # so that a reference finds it under its own name
        return self.written == getattr(other, "written", other)


def _pattern(written: str) -> _Pattern:
    pattern = _Pattern(compiled(written).pattern)
    pattern.written = written
    return pattern


def _with_python_patterns(schema: Any, named: bool = False) -> Any:
    """The schema with every pattern in Python's spelling."""
    if isinstance(schema, list):
        return [_with_python_patterns(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {}
    for key, value in schema.items():
        if named or key not in _DATA:
            value = _with_python_patterns(value, not named and key in _NAMED)
        if not named and key == "pattern" and isinstance(value, str):
            value = _pattern(value)
        if not named and key == "patternProperties" and isinstance(value, dict):
            value = {_pattern(name): part for name, part in value.items()}
        out[key] = value
    return out


def _multiple_of(validator: Any, divisor: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """`multipleOf` of numbers as they are written: 0.07 is a multiple of 0.01."""
    import jsonschema

    if validator.is_type(instance, "number") and _exact(instance) % _exact(divisor):
        yield jsonschema.ValidationError(f"{instance!r} is not a multiple of {divisor}")


def _exact(number: Any) -> fractions.Fraction:
    return fractions.Fraction(repr(number) if isinstance(number, float) else number)


@functools.lru_cache(maxsize=16)
def _kind(draft: str) -> Any:
    """jsonschema's validator of a draft, but for decimal numbers."""
    import jsonschema

    keyword = "divisibleBy" if draft == "draft3" else "multipleOf"
    return jsonschema.validators.extend(getattr(jsonschema, DRAFTS[draft]), {keyword: _multiple_of})


@functools.lru_cache(maxsize=1024)
def _validator(schema_text: str, draft: str | None, formats: bool, valid: bool) -> Any:
    """A compiled validator; remote references are not fetched."""
    import jsonschema
    from referencing.jsonschema import EMPTY_REGISTRY

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from jsonschema_specifications import REGISTRY

    schema = json.loads(schema_text)
    if not isinstance(schema, dict | bool):
        raise SchemaProblem(f"schema must be an object or a truth value, found {type(schema).__name__}.")
    draft = draft_of(schema, draft)
    kind = _kind(draft)
    try:
        if not valid:
            kind.check_schema(schema, format_checker=format_checker(None))  # names in references need not be URIs
        schema = _with_python_patterns(schema)
    except jsonschema.SchemaError as error:
        raise SchemaProblem(f"schema is not valid at {error.json_path}: {_short(error.message)}") from None
    except UnsupportedPattern as problem:
        raise SchemaProblem(f"schema has a pattern that is not supported: {_short(str(problem))}") from None
    if isinstance(schema, dict):
        schema.pop("$schema", None)  # a reference to the whole schema would be read by jsonschema's own class
    registry = REGISTRY if len(REGISTRY) else EMPTY_REGISTRY
    return kind(schema, registry=registry, format_checker=format_checker(draft) if formats else None)


def validate(schema_text: str, instance: Any, draft: str | None, formats: bool, valid: bool = False) -> dict[str, Any]:
    """Check a value against a schema, which is checked itself unless it is known to be valid.

    Returns
    -------
    dict
        `{"valid": True}`, `{"valid": False, "path": …, "message": …}` or `{"error": …}`.
    """
    try:
        validator = _validator(schema_text, draft, formats, valid)
        first = next(validator.iter_errors(instance), None)
    except SchemaProblem as problem:
        return {"error": str(problem)}
    except RecursionError:
        return {"error": "the value or the schema is nested too deeply to be checked."}
    except Exception as error:
        return {"error": _reference_problem(error)}
    if first is None:
        return {"valid": True}
    return {"valid": False, "path": first.json_path, "message": _short(first.message)}


def _reference_problem(error: Exception) -> str:
    reference = getattr(error, "ref", None)
    if reference is None and getattr(error, "__cause__", None) is not None:
        reference = getattr(error.__cause__, "ref", None)
    if isinstance(reference, str):
        remote = "://" in reference
        what = "is remote and nothing is fetched" if remote else "cannot be resolved"
        return f"$ref {_short(reference)!r} {what}. Put the definition under $defs."
    return f"the schema cannot be applied: {type(error).__name__}: {_short(str(error))}"


def _short(message: str, limit: int = 240) -> str:
    return message if len(message) <= limit else message[: limit - 1] + "…"


def _serve() -> None:
    """Answer requests from standard input until it closes."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "regex":
                answer: Any = {"span": find_pattern(*request["with"])}
            else:
                answer = validate(*request["with"])
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
