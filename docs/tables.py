"""Tables of the documentation, written from the package's own records so that they cannot go stale."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import pandas as pd

import dfevals
from dfevals import roles

FAMILIES = {
    "classification": "Classification",
    "ranking": "Ranking",
    "probabilistic": "Probabilities",
    "calibration": "Calibration",
    "regression": "Regression",
    "outcomes": "Outcomes of evaluators, systems and people",
}
EVALUATOR_FAMILIES = {
    "grounding": "Groundedness and relevance",
    "structured": "JSON, schemas and tool calls",
    "reference": "Against a reference",
    "safety": "Safety",
    "style": "Style",
    "judge": "Judged by a language model",
}
ARROWS = {"higher": " ↑", "lower": " ↓", "zero": " → 0", "one": " → 1"}


def write_tables(folder: Path) -> None:
    """Write every table as a Markdown file to be included."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.md").write_text(_metrics(dfevals.metrics.table()), encoding="utf-8")
    (folder / "evaluators.md").write_text(_evaluators(dfevals.evaluators.table()), encoding="utf-8")
    (folder / "datasets.md").write_text(_datasets(), encoding="utf-8")
    (folder / "roles.md").write_text(_roles(), encoding="utf-8")
    (folder / "formats.md").write_text(_formats(dfevals.formats()), encoding="utf-8")


def write_listing(path: Path, module: str, title: str, text: str) -> None:
    """Write a page that lists the public names of a module, functions before classes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = sorted(import_module(module).__all__, key=lambda name: (name[0].isupper(), name))
    lines = [f"# {title}", "", text, "", "```{eval-rst}", f".. currentmodule:: {module}", ""]
    lines += [
        ".. autosummary::",
        "   :toctree: api",
        "   :nosignatures:",
        "",
        *(f"   {name}" for name in names),
        "```",
        "",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def _metrics(table: pd.DataFrame) -> str:
    parts = []
    for family in [*FAMILIES, *sorted(set(table["family"]) - set(FAMILIES))]:
        rows = table[table["family"] == family]
        if len(rows):
            parts += [f"## {FAMILIES.get(family, family.capitalize())}", "", _pipe_table(_metric_rows(rows)), ""]
    return "\n".join(parts)


def _metric_rows(rows: pd.DataFrame) -> pd.DataFrame:
    averages = [" (`_macro`, `_micro`, `_weighted`)" if has else "" for has in rows["averages"]]
    also = [f"; also {', '.join(f'`{a}`' for a in text.split(', '))}" if text else "" for text in rows["aliases"]]
    return pd.DataFrame(
        {
            "metric": [f"**{name}**{a}{b}" for name, a, b in zip(rows["name"], averages, also, strict=True)],
            "what it is": [f"{what} {_code(f)}" for what, f in zip(rows["description"], rows["formula"], strict=True)],
            "range": [r + ARROWS.get(better, "") for r, better in zip(rows["range"], rows["better"], strict=True)],
            "interval": rows["interval"],
            "source": rows["reference"],
        }
    )


def _evaluators(table: pd.DataFrame) -> str:
    parts = []
    for family in [*EVALUATOR_FAMILIES, *sorted(set(table["family"]) - set(EVALUATOR_FAMILIES))]:
        rows = table[table["family"] == family]
        if len(rows):
            parts += [
                f"### {EVALUATOR_FAMILIES.get(family, family.capitalize())}",
                "",
                _pipe_table(_evaluator_rows(rows)),
                "",
            ]
    return "\n".join(parts)


def _evaluator_rows(rows: pd.DataFrame) -> pd.DataFrame:
    optional = [f" ({text})" if text else "" for text in rows["optional"]]
    marks = ["none" if pd.isna(mark) else f"{mark:g}" for mark in rows["pass_at"]]
    return pd.DataFrame(
        {
            "evaluator": [f"**{name}**" for name in rows["evaluator"]],
            "what it measures": rows["measures"],
            "range": [
                span + ARROWS.get(better, "") for span, better in zip(rows["range"], rows["better"], strict=True)
            ],
            "pass mark": marks,
            "roles (optional)": [roles + more for roles, more in zip(rows["roles"], optional, strict=True)],
            "how good it is, and where it is weak": rows["accuracy"] + " " + rows["weaknesses"],
        }
    )


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _datasets() -> str:
    table = dfevals.datasets.list()
    described = [dfevals.datasets.describe(name) for name in table["name"]]
    rows = pd.DataFrame(
        {
            "name": [f"`{name}`" for name in table["name"]],
            "title": [dataset.title for dataset in described],
            "task": table["task"],
            "rows": table["rows"].map("{:,}".format),
            "used for": table["used_for"],
            "licence": table["licence"],
        }
    )
    return _pipe_table(rows)


def _roles() -> str:
    table = roles.table()
    return _pipe_table(
        pd.DataFrame(
            {
                "role": [f"**{name}**" for name in table["role"]],
                "takes": table["takes"],
                "what it means": table["means"],
                "a row without a value": table["missing"],
                "such as": [f"`{text}`" for text in table["example"]],
            }
        )
    )


def _formats(table: pd.DataFrame) -> str:
    return _pipe_table(table.assign(format=[f"`{name}`" for name in table["format"]]))


def _pipe_table(frame: pd.DataFrame) -> str:
    lines = [_line(frame.columns), _line("---" for _ in frame.columns)]
    lines += [_line(row) for row in frame.astype(str).itertuples(index=False)]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(cell: str) -> str:
    """Text that stays within its cell: bars end a cell even inside code spans."""
    return cell.replace("|", "\\|").replace("<", "&lt;") if "`" not in cell else cell.replace("|", "\\|")
