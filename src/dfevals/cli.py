"""The command line's door: `python -m dfevals COMMAND`; each command is one function in one table."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

import dfevals
from dfevals.exceptions import DfevalsError

__all__ = ["USAGE_ERROR", "main"]

USAGE_ERROR = 3  # exit status of wrong usage or data; 1 and 2 are answers of a gate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the name of the program; `sys.argv` when absent.

    Returns
    -------
    int
        0, or 3 for wrong usage or data, with a message on the standard error. A gate also ends with 1 and 2, which
        therefore nothing but an answer may cause: an unexpected error shows its traceback and ends with 3 too.
    """
    parser = _Parser(prog="dfevals", description="Metrics per cohort with intervals, on tables of predictions.")
    parser.add_argument("--version", action="version", version=f"dfevals {dfevals.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (declare, run) in COMMANDS.items():
        mine = commands.add_parser(name, help=(run.__doc__ or "").strip().rstrip("."), description=run.__doc__)
        declare(mine)
        mine.set_defaults(run=run)
    given = parser.parse_args(arguments)
    try:
        status: int = given.run(given)
    except DfevalsError as error:
        print(f"dfevals: {error}", file=sys.stderr)
        return USAGE_ERROR
    except OSError as error:  # a report that cannot be written
        print(f"dfevals: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
        return USAGE_ERROR
    except Exception:  # a traceback alone would end with 1, which means that the gate fails
        traceback.print_exc()
        return USAGE_ERROR
    return status


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n")


def _metrics_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", help="only metrics of this task, such as binary")


def _metrics(given: argparse.Namespace) -> int:
    """List the metrics."""
    from dfevals.metrics import table

    found = table()
    if given.task is not None:
        tasks = sorted({task for text in found["tasks"] for task in text.split(", ")})
        if given.task not in tasks:
            raise DfevalsError(f"There is no task {given.task!r}. Tasks: {', '.join(tasks)}.")
        found = found[[given.task in text.split(", ") for text in found["tasks"]]]
    width = int(found["name"].str.len().max())
    for name, text in zip(found["name"], found["description"], strict=True):
        print(f"{name.ljust(width)}  {text}")
    return 0


def _datasets_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="describe this one")


def _datasets(given: argparse.Namespace) -> int:
    """List the datasets, or describe one."""
    from dfevals import datasets

    if given.name is not None:
        print(datasets.describe(given.name))
    else:
        print(datasets.list()[["name", "task", "rows", "columns", "licence"]].to_string(index=False))
    return 0


def _gate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data",
        nargs="+",
        help="tables of predictions with the same columns: .csv, .json, .jsonl or .parquet (also compressed), or directories",
    )
    parser.add_argument("--config", required=True, metavar="gate.toml", help="roles and rules")
    parser.add_argument(
        "--missing",
        metavar="worst|ignore",
        help="what rows without a label, prediction or verdict mean: a pass must hold with all of them on the bad side "
        "(worst), or they are like the others (ignore); as the gate file says when absent",
    )
    parser.add_argument("--json", metavar="FILE", help="also write the evidence as JSON")
    parser.add_argument("--junit", metavar="FILE", help="also write JUnit XML")
    parser.add_argument("--markdown", metavar="FILE", help="also write Markdown, for a pull request")
    parser.add_argument("--html", metavar="FILE", help="also write a self-contained page")


def _gate(given: argparse.Namespace) -> int:
    """Judge a release by a gate file: 0 pass, 1 fail, 2 inconclusive, 3 wrong usage or data."""
    from dataclasses import replace
    from pathlib import Path

    from dfevals.analyses.gate.gate_file import read_gate_file

    gate = read_gate_file(given.config)
    if given.missing is not None:
        gate = replace(gate, missing=given.missing)
    result = gate.judge(dfevals.evaluate(given.data, gate.roles))
    for path, text in (
        (given.json, result.to_json),
        (given.junit, result.to_junit),
        (given.markdown, result.to_markdown),
    ):
        if path is not None:
            Path(path).write_text(text(), encoding="utf-8")
    if given.html is not None:
        result.to_html(given.html)
    _show(result)
    return {"pass": 0, "fail": 1, "inconclusive": 2}[result.answer]


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    from dfevals.roles.written import OPTIONS

    parser.add_argument("data", nargs="+", help="tables of predictions, as for gate")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the page; .ipynb writes a notebook")
    parser.add_argument("--by", nargs="+", metavar="COHORTS", help="columns, or 'bins(age, [30, 50])' …")
    parser.add_argument("--sections", nargs="+", metavar="NAME", help="such as metrics, compare, calibration")
    parser.add_argument("--title", default="Evaluation")
    parser.add_argument("--no-rows", action="store_true", help="leave the rows on view out of the interactive part")
    roles = parser.add_argument_group("roles")
    for name, settings in OPTIONS.items():
        roles.add_argument("--" + name.replace("_", "-"), default=argparse.SUPPRESS, **settings)


def _report(given: argparse.Namespace) -> int:
    """Write a report for a colleague: one offline page, or a notebook."""
    from dfevals.columns.sources import to_frame
    from dfevals.roles.declared import Roles
    from dfevals.roles.kinds import written_kinds
    from dfevals.roles.written import OPTIONS, cohorts_of, roles_in

    words = {name: value for name, value in vars(given).items() if name in OPTIONS}
    columns = {name: value for name, value in words.items() if name in ("y_true", "sample_weight", "release", "model")}
    frame = to_frame(given.data, written_kinds(Roles.build(None, **columns)))
    ev = dfevals.evaluate(frame, **roles_in(words, frame))
    by = None if given.by is None else cohorts_of(given.by, frame)
    if given.output.endswith(".ipynb"):
        ev.to_notebook(given.output, given.sections, by=by, title=given.title)
    else:
        ev.report(given.output, given.sections, by=by, title=given.title, rows=not given.no_rows)
    print(given.output)
    return 0


def _show(result: object) -> None:
    """Print; a reader that has seen enough (`| head`) changes nothing of the answer."""
    try:
        print(result, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


Declare = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace], int]
COMMANDS: dict[str, tuple[Declare, Run]] = {
    "metrics": (_metrics_arguments, _metrics),
    "datasets": (_datasets_arguments, _datasets),
    "gate": (_gate_arguments, _gate),
    "report": (_report_arguments, _report),
}
