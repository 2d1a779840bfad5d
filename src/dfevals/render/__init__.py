"""Tables as HTML, terminal text and Markdown: columns of cells in, markup out; no DataFrames and no statistics."""

from dfevals.render.style import NO_MATH
from dfevals.render.table import (
    FLAGS,
    Column,
    Table,
    count_column,
    escape,
    estimate_column,
    number_column,
    page,
    text_column,
)

__all__ = [
    "FLAGS",
    "NO_MATH",
    "Column",
    "Table",
    "count_column",
    "escape",
    "estimate_column",
    "number_column",
    "page",
    "text_column",
]
