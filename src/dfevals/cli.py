"""The command line's door: `python -m dfevals COMMAND`; each command is one function in one table."""

from __future__ import annotations

import argparse
import sys
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
        0, or 3 for wrong usage or data, with a message on the standard error.
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


Declare = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace], int]
COMMANDS: dict[str, tuple[Declare, Run]] = {
    "metrics": (_metrics_arguments, _metrics),
    "datasets": (_datasets_arguments, _datasets),
}
