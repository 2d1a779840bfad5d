"""What is known about one dataset: its origin, licence, columns and the evaluation call that fits it."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Column", "Dataset"]

_NO_MATH = "tex2jax_ignore mathjax_ignore"  # amounts in dollars are no formulas


@dataclass(frozen=True)
class Column:
    """One column of a dataset.

    Attributes
    ----------
    name : str
        Name of the column.
    dtype : str
        pandas dtype after loading; "str" is pandas' default type for text (`object` before pandas 3).
    meaning : str
        What the values are.
    categories : tuple of str
        The categories in their order where `dtype` is "category", else empty.
    """

    name: str
    dtype: str
    meaning: str
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """Description of a shipped dataset; shown as text or as a table in a notebook.

    Attributes
    ----------
    name, title : str
        What `load` takes, and the dataset's name in one line.
    task : str
        "binary", "multiclass", "regression", "outcomes", "agreement" or "text" (nothing is scored yet).
    used_for : str
        What the dataset serves to show.
    rows : int
        Number of rows.
    columns : tuple of Column
        The columns in their order.
    origin, licence, citation : str
        Where the data come from, under which licence, and whom to cite.
    scores : str
        How the scores were made, and by what split; says so where they came with the data.
    figures : Mapping[str, Mapping[str, float]]
        Quality of each score or prediction column over all rows, for orientation.
    roles : Mapping[str, Any]
        Suggested keyword arguments of `df.evals(...)`; empty where the columns have no roles before an evaluator ran.
    call : str
        The suggested call as code.
    note : str
        What differs from the origin and what can fool you.
    script : str
        The script that made the files.
    """

    name: str
    title: str
    task: str
    used_for: str
    rows: int
    columns: tuple[Column, ...]
    origin: str
    licence: str
    citation: str
    scores: str
    figures: Mapping[str, Mapping[str, float]]
    roles: Mapping[str, Any]
    call: str
    note: str
    script: str

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Dataset:
        """Dataset of a decoded metadata file."""
        columns = tuple(
            Column(c["name"], c["dtype"], c["meaning"], tuple(c.get("categories", ()))) for c in record["columns"]
        )
        return cls(**{**record, "columns": columns})

    def facts(self) -> list[tuple[str, str]]:
        """Pairs of heading and text, in reading order, without the columns."""
        figures = "; ".join(
            f"{column}: " + ", ".join(f"{metric} {value:g}" for metric, value in values.items())
            for column, values in self.figures.items()
        )
        pairs = [
            ("Task", self.task),
            ("Used for", self.used_for),
            ("Rows", f"{self.rows:,}"),
            ("Evaluate", self.call),
            ("Scores", self.scores),
            ("Figures", figures),
            ("Note", self.note),
            ("Origin", self.origin),
            ("Licence", self.licence),
            ("Cite", self.citation),
            ("Script", self.script),
        ]
        return [(heading, text) for heading, text in pairs if text]

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.title}"]
        for heading, text in self.facts():
            lines += _wrapped(f"  {heading:<9} ", text)
        lines.append(f"  Columns   ({len(self.columns)})")
        width = min(max(len(column.name) for column in self.columns), 28)
        for column in self.columns:
            lines += _wrapped(f"    {column.name:<{width}}  {column.dtype:<14}  ", column.meaning)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        facts = "".join(
            f'<tr><th style="text-align:left;vertical-align:top">{html.escape(heading)}</th>'
            f'<td style="text-align:left">{_code(text) if heading == "Evaluate" else html.escape(text)}</td></tr>'
            for heading, text in self.facts()
        )
        columns = "".join(
            f'<tr><td style="text-align:left"><code>{html.escape(column.name)}</code></td>'
            f'<td style="text-align:left">{html.escape(column.dtype)}</td>'
            f'<td style="text-align:left">{html.escape(column.meaning)}</td></tr>'
            for column in self.columns
        )
        return (
            f'<div class="dfevals-dataset {_NO_MATH}"><h4><code>{html.escape(self.name)}</code>: {html.escape(self.title)}</h4>'
            f"<table><tbody>{facts}</tbody></table>"
            f"<details><summary>{len(self.columns)} columns</summary><table><thead><tr>"
            '<th style="text-align:left">column</th><th style="text-align:left">dtype</th>'
            f'<th style="text-align:left">meaning</th></tr></thead><tbody>{columns}</tbody></table></details></div>'
        )


def _wrapped(prefix: str, text: str, width: int = 120) -> list[str]:
    if "\n" in text:
        first, *rest = text.splitlines()
        return [prefix + first] + [" " * len(prefix) + line for line in rest]
    return textwrap.wrap(
        text,
        width,
        initial_indent=prefix,
        subsequent_indent=" " * len(prefix),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [prefix.rstrip()]


def _code(text: str) -> str:
    return f'<pre style="margin:0;white-space:pre-wrap">{html.escape(text)}</pre>'
