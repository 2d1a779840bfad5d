"""Regular expressions and JSON Schemas, checked; also run as a separate process for what may take for ever.

This file imports nothing of dfevals, so that the process starts quickly: `python checking.py` answers one JSON request
per line.
"""

from __future__ import annotations

import datetime
import functools
import json
import re
import sys
import warnings
from typing import Any

__all__ = ["find_pattern", "format_checker", "validate"]

_LOCAL_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"


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


@functools.lru_cache(maxsize=64)
def format_checker(draft: str) -> Any:
    """The draft's format checks, with plain ones for those whose libraries are not installed."""
    import jsonschema

    given = getattr(jsonschema, draft).FORMAT_CHECKER
    checker = jsonschema.FormatChecker(formats=())
    checker.checkers = {**_own_formats(), **given.checkers}
    return checker


def _own_formats() -> dict[str, tuple[Any, tuple[type[Exception], ...]]]:
    hostname = re.compile(rf"(?=.{{1,253}}\Z){_LOCAL_PART}(?:\.{_LOCAL_PART})*\Z")
    uri = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*\Z")
    clock = re.compile(r"\d{2}:\d{2}:\d{2}(?:\.\d{1,12})?(?:[Zz]|[+-]\d{2}:\d{2})\Z")

    def is_time(value: object) -> bool:
        if not isinstance(value, str):
            return True
        if not clock.match(value):
            return False
        datetime.datetime.fromisoformat(f"2000-01-01T{re.sub('[.][0-9]+', '', value).upper()}")
        return True

    def is_date_time(value: object) -> bool:
        if not isinstance(value, str):
            return True
        if len(value) < 20 or value[10] not in "Tt":
            return False
        datetime.date.fromisoformat(value[:10])
        return is_time(value[11:])

    def matches(pattern: re.Pattern[str]) -> Any:
        return lambda value: not isinstance(value, str) or bool(pattern.match(value))

    return {
        "date-time": (is_date_time, (ValueError,)),
        "time": (is_time, (ValueError,)),
        "hostname": (matches(hostname), ()),
        "uri": (matches(uri), ()),
    }


@functools.lru_cache(maxsize=1024)
def _validator(schema_text: str, draft: str | None, formats: bool, valid: bool) -> Any:
    """A compiled validator; remote references are not fetched."""
    import jsonschema
    from jsonschema.validators import validator_for
    from referencing.jsonschema import EMPTY_REGISTRY

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from jsonschema_specifications import REGISTRY

    schema = json.loads(schema_text)
    if not isinstance(schema, dict | bool):
        raise SchemaProblem(f"schema must be an object or a truth value, found {type(schema).__name__}.")
    newest = jsonschema.Draft202012Validator
    if draft is not None:
        kind = getattr(jsonschema, DRAFTS[draft])
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = validator_for(schema, default=newest)
    try:
        if not valid:
            kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise SchemaProblem(f"schema is not valid at {error.json_path}: {_short(error.message)}") from None
    checker = format_checker(kind.__name__) if formats else None
    return kind(schema, registry=REGISTRY if len(REGISTRY) else EMPTY_REGISTRY, format_checker=checker)


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
