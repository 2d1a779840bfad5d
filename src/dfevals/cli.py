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

ANSWERS = {"pass": 0, "fail": 1, "inconclusive": 2}
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
    return ANSWERS[result.answer]


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "logs",
        nargs="+",
        help="logs of runs of the same task: files, patterns or folders; differences are first − second",
    )
    parser.add_argument("--by", nargs="+", metavar="COHORTS", help="columns of the log, or 'bins(level, [3, 6])' …")
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help="such as acc_pass_rate; all outcomes when absent")
    parser.add_argument("--models", nargs=2, metavar="NAME", help="which two; all pairs when absent")
    parser.add_argument("--cluster", metavar="COLUMN", help="rows with the same value are not independent")
    parser.add_argument("--level", type=float, default=0.95, help="of the intervals (default: 0.95)")
    parser.add_argument("--format", default="auto", help="format of the logs; told by their contents when absent")
    parser.add_argument(
        "--margin",
        type=float,
        help="judge whether the first is no worse than the second by more than this: ends with 0 pass, 1 fail, 2 inconclusive",
    )


def _compare(given: argparse.Namespace) -> int:
    """Compare logged runs of one task; with --margin also judge the first: 0 pass, 1 fail, 2 inconclusive."""
    from dfevals.roles.origin import Origin
    from dfevals.roles.written import cohorts_of

    frame = dfevals.read_log(given.logs, format=given.format)
    _show("\n".join(Origin.of(frame).notes) + "\n")
    roles = {"cluster": given.cluster} if given.cluster is not None else {}
    evaluation = dfevals.evaluate(frame, **roles)
    by = None if given.by is None else cohorts_of(given.by, frame)
    names, options = tuple(given.models or evaluation.models), {"by": by, "level": given.level}
    if given.margin is None:
        first, second = names if len(names) == 2 else (None, None)
        _show(evaluation.compare(first, second, given.metrics, **options))
        return 0
    if len(names) != 2:
        raise DfevalsError(f"--margin judges one model by another: say --models A B. Models: {', '.join(names)}.")
    metrics = given.metrics or _only_metric(evaluation)
    _show(evaluation.compare(names[0], names[1], metrics, margin=given.margin, **options))
    rules = [dfevals.Gate(metric, vs="baseline", margin=given.margin) for metric in metrics]
    result = evaluation.gate(rules, model=names[0], baseline=names[1], **options)
    _show(result)
    return ANSWERS[result.answer]


def _only_metric(evaluation: dfevals.Evaluation) -> list[str]:
    """The rate or mean of the only outcome.

    Raises
    ------
    DfevalsError
        There are several.
    """
    outcomes = evaluation.roles.outcomes
    names = ["pass_rate" if outcome.kind == "pass" else "mean" for outcome in outcomes]
    if len(outcomes) == 1:
        return names
    known = ", ".join(f"{outcome.column}_{name}" for outcome, name in zip(outcomes, names, strict=True))
    raise DfevalsError(
        f"The log has {len(outcomes)} outcomes: say by --metrics what the margin is about. Metrics: {known}."
    )


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
    "compare": (_compare_arguments, _compare),
}
