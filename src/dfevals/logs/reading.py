"""`read_log`: files and folders of logs become one frame with its roles set."""

from __future__ import annotations

import glob
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dfevals.exceptions import DataError, check_choice, did_you_mean
from dfevals.logs.opening import Source
from dfevals.logs.registry import FORMATS, Format
from dfevals.logs.runs import Run, joined, many

__all__ = ["read_log"]

Paths = str | Path | Iterable[str | Path]


def read_log(path: Paths, format: str = "auto") -> pd.DataFrame:
    """Read logs of evaluations that other tools wrote, with the roles set: `read_log(...).evals()` evaluates them.

    One row per sample and trial (in lm-evaluation-harness also per filter). Every scorer, and every key of a scorer's dict,
    is a column of outcomes; a sample that could not be evaluated has none, and an error. `id` names task and sample, so
    that runs of one task are compared by sample: `read_log([a, b]).evals().compare()`. Nothing is made up: what a log does
    not tell is not there.

    Parameters
    ----------
    path : str, Path, or a list of them
        Files, patterns (`"logs/*.eval"`) or folders. In a folder the newest run of every model and task counts.
    format : str
        One of `dfevals.formats()`; "auto" goes by the contents of the files.

    Returns
    -------
    DataFrame
        With roles in `attrs["dfevals"]` (`df.evals.roles`): `id, model, unit` and `repeat` (where samples were tried several
        times), `outcomes` with kind and range, `response, reference, context, tool_calls, trajectory, tokens, cost, latency,
        error, release`, each where the log tells it. `latency` is in seconds. `input_tokens` hold those read from a cache,
        `cached_tokens`. What was left out or tried again is said on the card, `df.evals()`.

    Raises
    ------
    DataError
        No file of that name, no log of a known tool, or a damaged one: the message names the file and the line.

    Examples
    --------
    >>> import dfevals, json, tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "org__toy"
    >>> folder.mkdir()
    >>> line = {"doc_id": 0, "doc": {"question": "2 + 2"}, "target": "4", "resps": [["4"]], "filtered_resps": ["4"]}
    >>> line |= {"arguments": {"gen_args_0": {"arg_0": "2 + 2 =", "arg_1": {}}}, "metrics": ["exact_match"], "exact_match": 1}
    >>> log = folder / "samples_sums_2026-12-01T10-00-00.jsonl"
    >>> _ = log.write_text(json.dumps(line))
    >>> df = dfevals.read_log(log)
    >>> df[["id", "model", "exact_match", "response"]].to_dict("records")
    [{'id': 'sums/0', 'model': 'org/toy', 'exact_match': 1.0, 'response': '4'}]
    """
    if format != "auto":
        check_choice("format", format, ["auto", *FORMATS], DataError)
    notes: list[str] = []
    found = _recognised(list(_sources(path)), format, notes)
    if len(found) > 1:
        told = "; ".join(f"{name}: {', '.join(s.name for s in sources[:3])}" for name, sources in found.items())
        raise DataError(
            f"The files are logs of {len(found)} tools ({told}). Read them apart, or say which: format='…'."
        )
    ((name, sources),) = found.items()
    _label(sources)
    entry = FORMATS[name]
    runs = _newest(list(entry.read(sources)), {source.label for source in sources if not source.is_listed}, notes)
    notes += [note for source in sources for note in source.notes]
    return joined(runs, entry.tool, notes)


def _sources(path: Paths) -> Iterator[Source]:
    """Every file once."""
    items = [path] if isinstance(path, str | Path) else list(path)
    if not items:
        raise DataError("The list of logs is empty.")
    seen: set[Path] = set()
    for item in items:
        if not isinstance(item, str | Path):
            raise DataError(
                f"A log is a path, not {type(item).__name__}. For rows in memory there is dfevals.evaluate(...)."
            )
        for file, is_listed in _files(item):
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield Source(file, is_listed)


def _files(item: str | Path) -> Iterator[tuple[Path, bool]]:
    path = Path(item)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        if not files:
            raise DataError(f"The folder {str(item)!r} holds no files.")
        yield from ((file, False) for file in files)
    elif path.exists():
        yield path, True
    else:
        found = sorted(glob.glob(str(item), recursive=True)) if any(c in str(item) for c in "*?[") else []
        if not found:
            near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataError(f"There is no file {str(item)!r}. {did_you_mean(path.name, near)}".rstrip())
        for name in found:
            yield from _files(name)


def _label(sources: Sequence[Source]) -> None:
    """Names of files as the rows have them, with their folders where two files have one name."""
    for depth in range(2, 6):
        twice = {name for name, n in Counter(source.label for source in sources).items() if n > 1}
        for source in sources:
            if source.label in twice:
                source.label = "/".join(source.path.parts[-depth:])


def _newest(runs: list[Run], of_folders: set[str], notes: list[str]) -> list[Run]:
    """Of the runs found in a folder those that no later run of the same model and task follows."""
    last: dict[tuple[str, str], str] = {}
    for run in runs:
        if run.source in of_folders and run.release is not None:
            last[run.model, run.task] = max(run.release, last.get((run.model, run.task), ""))
    old = [
        run for run in runs if run.source in of_folders and (run.release or "") < last.get((run.model, run.task), "")
    ]
    if old:
        told = ", ".join(dict.fromkeys(run.source for run in old[:5]))
        notes.append(
            f"{many(len(old), 'earlier run')} in the folder left out, which later ones follow: {told}. Name files to read them."
        )
    return [run for run in runs if run not in old]


def _recognised(sources: Sequence[Source], format: str, notes: list[str]) -> dict[str, list[Source]]:
    found: dict[str, list[Source]] = defaultdict(list)
    other: list[str] = []
    for source in sources:
        name = next((name for name, entry in FORMATS.items() if _is_of(entry, source, format)), None)
        if name is not None:
            found[name].append(source)
        elif source.is_listed:
            source.wrong(_unknown(source))
        else:
            other.append(source.name)
    if not found:
        raise DataError(f"None of {', '.join(map(repr, other[:5]))} is a log. Formats: {', '.join(FORMATS)}.")
    if other:
        notes.append(
            f"{many(len(other), 'other file')} in the folder not read: {', '.join(other[:5])}{' …' * (len(other) > 5)}."
        )
    return found


def _is_of(entry: Format, source: Source, format: str) -> bool:
    if format == entry.name and source.is_listed:
        return True
    return format in ("auto", entry.name) and entry.recognises(source)


def _unknown(source: Source) -> str:
    first: Any = source.first
    keys = (
        f"; its first line has the keys {', '.join(map(repr, list(first)[:6]))}"
        if isinstance(first, dict) and first
        else ""
    )
    empty = "is empty" if not source.head.strip() else f"is no log of a known tool{keys}"
    return f"{empty}. Formats: {', '.join(FORMATS)} (say which: format='…'), or dfevals.evaluate(...) for a table"
