"""Is the response JSON, and does it keep to its schema?"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dfevals.evaluators import checking, plain_schemas
from dfevals.evaluators.pattern_costs import CHEAP, SchemaCost
from dfevals.evaluators.protocol import Evaluated, Evaluator, EvaluatorRecord
from dfevals.evaluators.sandbox import run_apart
from dfevals.evaluators.schema_forms import unwrapped, without_nulls
from dfevals.evaluators.values import is_missing, nested, show, text, unfenced
from dfevals.exceptions import DataError, check_choice

__all__ = ["JSONValidation", "SchemaCompliance"]

_MOST_CHARACTERS = 4_000_000
_TOO_DEEP = "the JSON is nested too deeply to be read."


class _NotJSON(Exception):
    """The text is not JSON; the message says where."""


def _no_constant(name: str) -> Any:
    raise _NotJSON(f"{name} is not a JSON value")


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _NotJSON(f"the key {show(key)} appears twice in one object")
            seen.add(key)
    return found


_STRICT = json.JSONDecoder(parse_constant=_no_constant)
_STRICT_UNIQUE = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_unique_pairs)


def _load(value: str, decoder: json.JSONDecoder) -> Any:
    """Parse a text; RecursionError and _NotJSON say why not."""
    try:
        return decoder.decode(value)
    except json.JSONDecodeError as error:
        if not value.strip():
            raise _NotJSON("the response is empty") from None
        raise _NotJSON(f"{error.msg} at line {error.lineno} column {error.colno}") from None
    except ValueError:  # a whole number of more digits than Python reads
        longer = json.JSONDecoder(parse_constant=decoder.parse_constant, parse_int=float)
        return longer.decode(value)


class JSONValidation(Evaluator):
    """Whether the response is one JSON value (RFC 8259).

    Score 1 or 0. NaN and Infinity are not JSON. Pass mark 1.

    Parameters
    ----------
    fenced : bool
        Accept a Markdown code fence around the value, as CommonMark reads it.
    unique_keys : bool
        Also refuse an object with a key given twice.
    require : {"object", "array"}, optional
        Kind of the outermost value.
    **common
        `name`, `pass_at`, and the columns of the roles.

    Examples
    --------
    >>> JSONValidation().evaluate(response='{"a": 1,}').reason
    'not JSON: Expecting property name enclosed in double quotes at line 1 column 9'
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="json_validation",
        measures="Whether the response is one valid JSON value.",
        roles=("response",),
        weaknesses="Says nothing of the content; values nested deeper than Python reads are errors, not verdicts.",
        accuracy="Agrees with RFC 8259 as Python's json module reads it, NaN and Infinity refused.",
        family="structured",
    )
    version: ClassVar[int] = 2

    def __init__(
        self, *, fenced: bool = False, unique_keys: bool = False, require: str | None = None, **common: Any
    ) -> None:
        if require is not None:
            check_choice("require", require, ("object", "array"), DataError)
        settings = {"fenced": fenced, "unique_keys": unique_keys, "require": require}
        super().__init__(settings=settings, **common)
        self.fenced, self.require = fenced, require
        self._decoder = _STRICT_UNIQUE if unique_keys else _STRICT

    def _evaluate(self, response: object) -> Evaluated:
        value = text("response", response)
        try:
            parsed = _load(unfenced(value) if self.fenced else value, self._decoder)
        except _NotJSON as problem:
            return Evaluated(0.0, False, f"not JSON: {problem}")
        except RecursionError:
            raise DataError(_TOO_DEEP) from None
        kind = "object" if isinstance(parsed, dict) else "array" if isinstance(parsed, list) else "single value"
        if self.require is not None and kind != self.require:
            return Evaluated(0.0, False, f"valid JSON, but the outermost value is no {self.require} ({kind})")
        return Evaluated(1.0, True, f"valid JSON ({kind})")


class SchemaCompliance(Evaluator):
    """Whether the response, read as JSON, keeps to a JSON Schema (drafts 3, 4, 6, 7, 2019-09 and 2020-12).

    Score 1 or 0; the reason names the path of the first violation. An invalid schema, one of an unknown draft, or one with
    a remote reference (nothing is ever fetched) is an error of the evaluation, not a fail. What may take long (patterns
    that backtrack, unique items, references that look at a value again at every depth) is checked in another process
    within `timeout` seconds.

    Parameters
    ----------
    schema : str or dict, optional
        Column of the schemas, or one schema for all rows (a dict, a truth value, or a JSON text). The wrappers in which
        it is sent to a model (`response_format`, `json_schema`, `text.format`, a tool's definition) are taken off.
    draft : {"draft3", "draft4", "draft6", "draft7", "2019-09", "2020-12"}, optional
        Instead of what `$schema` says (2020-12 without it).
    formats : bool
        Check `format` (date, email, uri, …): the formats that the draft defines, the same way on every machine. Formats
        that are not checked are named in the reason and in `details["unchecked_formats"]`.
    fenced : bool
        Accept a Markdown code fence around the value, as CommonMark reads it.
    timeout : float
        Seconds for one row that may take long.
    **common
        `name`, `pass_at`, and the columns of the roles.

    Notes
    -----
    Patterns are read as ECMA-262 has them, with Unicode: `$` is the end of the text, `\\d` is 0 to 9, `\\p{L}` a letter.
    Numbers are decimals: 0.07 is a multiple of 0.01. NaN is not JSON. Responses may be nested cells of a column read from
    Parquet; but Arrow gives every record the keys of all others, as null, so JSON text is the safer way to keep them.

    Examples
    --------
    >>> check = SchemaCompliance(schema={"type": "object", "properties": {"age": {"type": "integer"}}})
    >>> check.evaluate(response='{"age": "x"}').reason
    "$.age: 'x' is not of type 'integer'"

    References
    ----------
    JSON Schema, https://json-schema.org; validated by the jsonschema library. ECMA-262, https://tc39.es/ecma262.
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="schema_compliance",
        measures="Whether the response keeps to a JSON Schema; names the path of the first violation.",
        roles=("response", "schema"),
        weaknesses="As good as the schema; hostnames of any script (idn-hostname) and formats of one's own are not checked, "
        "which the reason says.",
        accuracy="The verdict is jsonschema's own (no disagreement on 6,000 random pairs of schema and value), but for "
        "patterns, decimals and formats, which follow ECMA-262, the decimal system and the formats' own standards.",
        family="structured",
    )
    version: ClassVar[int] = 2

    def __init__(
        self,
        schema: object = None,
        *,
        draft: str | None = None,
        formats: bool = True,
        fenced: bool = False,
        timeout: float = 2.0,
        **common: Any,
    ) -> None:
        if draft is not None:
            check_choice("draft", draft, checking.DRAFTS, DataError)
        if isinstance(schema, str) and schema.lstrip().startswith(("{", "true", "false")):
            schema = _schema_from(schema)
        self._constant = None if schema is None or isinstance(schema, str) else _schema_text(schema)
        settings = {"schema": self._constant, "draft": draft, "formats": formats, "fenced": fenced}
        if schema is not None:
            common["schema"] = schema
        super().__init__(settings=settings, **common)
        self.draft, self.formats, self.fenced, self.timeout = draft, formats, fenced, timeout
        self._schemas: dict[str, _Schema] = {}
        self._characters = 0

    def _evaluate(self, response: object, schema: object) -> Evaluated:
        read = self._read(schema)
        response = nested(response)
        try:
            instance = self._instance(response)
        except _NotJSON as problem:
            return Evaluated(0.0, False, f"not JSON: {problem}")
        except RecursionError:
            raise DataError(_TOO_DEEP) from None
        found = self._verdict(read, instance, len(response) if isinstance(response, str) else None)
        if "error" in found:
            raise DataError(found["error"])
        if found["valid"] and read.unchecked and self.formats:
            reason = f"keeps to the schema; not checked: format {', '.join(map(show, read.unchecked))}"
            return Evaluated(1.0, True, reason, details={"unchecked_formats": list(read.unchecked)})
        if found["valid"]:
            return Evaluated(1.0, True, "keeps to the schema")
        return Evaluated(0.0, False, f"{found['path']}: {found['message']}", details={"path": found["path"]})

    def _instance(self, response: object) -> Any:
        if not isinstance(response, dict | list):
            value = text("response", response)
            return _load(unfenced(value) if self.fenced else value, _STRICT)
        try:
            json.dumps(response, allow_nan=False, default=str)
        except ValueError:
            raise _NotJSON("NaN or Infinity is not a JSON value") from None
        return response

    def _verdict(self, schema: _Schema, instance: Any, length: int | None) -> dict[str, Any]:
        if schema.cost.steps(_characters(instance) if length is None else length) > CHEAP:
            request = {"do": "schema", "with": [schema.text, instance, self.draft, self.formats]}
            return dict(run_apart(request, self.timeout, schema.text))
        if schema.plain_draft is not None:
            try:
                if plain_schemas.keeps(schema.parsed, instance, self._conforms(schema.plain_draft)):
                    return {"valid": True}
            except Exception:  # jsonschema says what is wrong
                pass
        return checking.validate(schema.text, instance, self.draft, self.formats, schema.plain_draft is not None)

    def _conforms(self, draft: str) -> plain_schemas.Conforms | None:
        return checking.format_checker(draft).conforms if self.formats else None

    def _read(self, schema: object) -> _Schema:
        """A schema as it is read from its text, remembered while not too many characters are."""
        known = self._constant if schema is self.constants.get("schema") else schema
        if not isinstance(known, str):
            known = _schema_text(without_nulls(nested(schema)))
        found = self._schemas.get(known)
        if found is None:
            found = _Schema.of(known, self.draft)
            self._characters += len(known)
            if self._characters > _MOST_CHARACTERS:
                self._schemas.clear()
                self._characters = len(known)
            self._schemas[known] = found
        return found


@dataclass(frozen=True, slots=True)
class _Schema:
    """A schema, what the time of checking it depends on, its draft where it is plain, and the formats not checked."""

    text: str
    parsed: Any
    cost: SchemaCost
    plain_draft: str | None
    unchecked: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str, draft: str | None) -> _Schema:
        given = _schema_from(text)
        parsed = unwrapped(given)
        text = text if parsed is given else json.dumps(parsed)
        try:
            told = plain_schemas.draft_of(parsed, draft)
            plain_draft = told if told is not None and plain_schemas.is_plain(parsed) else None
            unchecked = checking.unchecked_formats(parsed, checking.draft_of(parsed, draft))
            return cls(text, parsed, SchemaCost.of(parsed), plain_draft, tuple(unchecked))
        except (re.error, RecursionError, checking.SchemaProblem):  # the schema itself is wrong: the validator says it
            return cls(text, parsed, SchemaCost((), False, 0.0), None)


def _characters(instance: Any) -> int:
    """About the length of a value as text."""
    total, todo = 0, [instance]
    while todo:
        one = todo.pop()
        total += 1 + (len(one) if isinstance(one, str) else 0)
        if isinstance(one, Mapping):
            todo += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple):
            todo += one
    return total


def _schema_from(value: str) -> object:
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise DataError(f"schema is not valid JSON: {error}.") from None


def _schema_text(value: object) -> str:
    """The schema as one JSON text: the key of its compiled validator."""
    value = nested(value)
    if isinstance(value, Mapping | bool):
        try:
            return json.dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(f"schema cannot be written as JSON: {error}.") from None
    if is_missing(value):
        raise DataError(f"schema is missing ({value!r}).")
    raise DataError(f"schema must be a dict or a JSON text, found {type(value).__name__}.")
