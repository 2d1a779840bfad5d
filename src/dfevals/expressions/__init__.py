"""The language of named cohorts: a safe subset of what `DataFrame.query` understands, checked against an allow-list of syntax."""

from dfevals.expressions.parsing import (
    Block,
    Expression,
    Rows,
    parse,
)

__all__ = [
    "Block",
    "Expression",
    "Rows",
    "parse",
]
