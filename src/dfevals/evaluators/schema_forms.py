"""A JSON Schema out of the wrappers in which it is sent to a model, and out of a nested cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dfevals.evaluators.values import show
from dfevals.exceptions import DataError

__all__ = ["unwrapped", "without_nulls"]

_AROUND = ("json_schema", "response_format", "output_format", "output_config", "format", "text", "function", "toolSpec")
_BODIES = ("schema", "parameters", "input_schema", "inputSchema", "parametersJsonSchema", "json")
_BESIDE_BODY = {"name", "description", "strict", "type", "title", "annotations", "outputSchema", "cache_control"}
_KEYWORDS = {
    "additionalItems", "additionalProperties", "allOf", "anyOf", "const", "contains", "contentEncoding", "contentMediaType",
    "contentSchema", "default", "definitions", "dependencies", "dependentRequired", "dependentSchemas", "deprecated",
    "description", "disallow", "divisibleBy", "else", "enum", "examples", "exclusiveMaximum", "exclusiveMinimum", "extends",
    "format", "id", "if", "items", "maxContains", "maxItems", "maxLength", "maxProperties", "maximum", "minContains",
    "minItems", "minLength", "minProperties", "minimum", "multipleOf", "not", "oneOf", "pattern", "patternProperties",
    "prefixItems", "properties", "propertyNames", "readOnly", "required", "then", "title", "type", "unevaluatedItems",
    "unevaluatedProperties", "uniqueItems", "writeOnly",
}  # fmt: skip
_ALSO_IN_WRAPPERS = ("type", "description", "title", "id", "format", "default")
_MAY_BE_NULL = ("const", "default", "enum", "examples")


def unwrapped(schema: Any) -> Any:
    """The schema inside of OpenAI's `response_format`, a tool's definition and the like; any other as it is.

    Raises
    ------
    DataError
        When nothing in it is a keyword of JSON Schema, so that everything would keep to it.

    Examples
    --------
    >>> unwrapped({"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {"type": "array"}}})
    {'type': 'array'}
    """
    while (inner := _inside(schema)) is not None:
        schema = inner
    if isinstance(schema, Mapping) and schema and not any(_is_keyword(key) for key in schema):
        raise DataError(
            f"schema has no keyword of JSON Schema, so that anything would keep to it: {show(dict(schema))}."
        )
    return schema


def _inside(schema: Any) -> Any:
    """What a wrapper holds; None for what is none."""
    if not isinstance(schema, Mapping) or _KEYWORDS.difference(_ALSO_IN_WRAPPERS).intersection(schema):
        return None
    for key in _AROUND:  # `format` and the like of a schema are texts
        if isinstance(schema.get(key), Mapping):
            return schema[key]
    for key in _BODIES:
        beside = set(schema) - {key}
        if isinstance(schema.get(key), Mapping | bool) and beside <= _BESIDE_BODY and not _is_type(schema.get("type")):
            return schema[key]
    return None


def _is_type(name: object) -> bool:
    return name is not None and name not in ("json_schema", "function", "custom")


def _is_keyword(key: object) -> bool:
    return key in _KEYWORDS or str(key).startswith("$")


def without_nulls(schema: Any, named: bool = False) -> Any:
    """The schema without the nulls that Parquet writes for keys of other rows; a keyword is null only where it is data."""
    if isinstance(schema, list):
        return [without_nulls(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: value if not named and key in _MAY_BE_NULL else without_nulls(value, not named and key in _NAMED)
        for key, value in schema.items()
        if value is not None or (not named and key in _MAY_BE_NULL and key in ("const", "default"))
    }


_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")
