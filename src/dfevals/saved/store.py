"""A folder with one tally per file of rows and question, so that only files that are new or changed are read again.

    store/<roles and source>/meaning.json           task, labels, models: settled on the first files read
    store/<roles and source>/<question>/            question.json, one tally per file, and their sum with a list of its parts

A part is named after the path, size and time of its file, so that nothing stale can be taken for fresh; whatever is written
appears whole or not at all, and two writers write the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pandas as pd

from dfevals.analyses.metrics import collect
from dfevals.cohorts import resolve
from dfevals.cohorts.by import regroup
from dfevals.columns.sources.reading import FileOfRows, files_of
from dfevals.engines.held import TallyBound
from dfevals.estimates.asked import requested
from dfevals.exceptions import CohortError, DataError, DfevalsError
from dfevals.needs import Rows
from dfevals.roles.bound import Bound, bind
from dfevals.roles.declared import Roles, specs, stand_in
from dfevals.roles.kinds import written_kinds
from dfevals.roles.meaning import Meaning
from dfevals.saved.plain import from_json, to_json
from dfevals.saved.tallies import from_bytes, read_meaning, to_bytes, write_meaning, write_whole
from dfevals.tally import Tally
from dfevals.tally.alike import check_alike

__all__ = ["Store"]

VERSION = 1


@dataclass
class Store:
    """Tallies of the files of a source.

    Attributes
    ----------
    source : path, pattern or list of paths
    roles : Roles
    folder : Path
    read : list of str
        The files that the last question read; empty when the store answered.
    said : list of str
        What to know of how the last tally came about.
    """

    source: Any
    roles: Roles
    folder: Path
    read: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    last: tuple[Path | None, Tally | None] = (None, None)

    def __post_init__(self) -> None:
        key = [VERSION, _roles_text(self.roles), sorted(map(str, self._named()))]
        files_of(self.source)  # refuses what are no files
        self.home = Path(self.folder) / _hash(json.dumps(key))[:16]
        _make(self.home)
        self.kinds = written_kinds(self.roles)

    def _named(self) -> list[Any]:
        source = self.source if isinstance(self.source, list | tuple) else [self.source]
        return [Path(item).absolute() if isinstance(item, str | Path) else item for item in source]

    def meaning(self) -> Meaning:
        """Task, labels and models: as settled before, else by the first file, or by all where one does not tell."""
        found = self._settled()
        if found is not None:
            return found
        files = files_of(self.source)
        try:
            return self._settle(files[:1])
        except DfevalsError:
            return self._settle(files)

    def tally(self, metrics: Any, by: Any) -> Tally:
        """The tally of all files there are now.

        Parameters
        ----------
        metrics : list of metrics, or None for the default ones
        by : definition of cohorts

        Raises
        ------
        DataError
            A file cannot be read or changes while it is read; its name is in the message.
        """
        self.read, self.said = [], []
        files = files_of(self.source)
        labels = self._labels(metrics)
        for known in self._questions():
            found = self._covered(known, labels, by, files)
            if found is not None:
                return found
        asked = {"metrics": None if labels is None else [*map(str, labels)], "by": _by_text(by)}
        question = self.home / _hash(json.dumps(asked))[:16]
        _make(question)
        tally = self._updated(question, labels, by, files)
        entry = {**asked, "holds": [request.label for request in tally.requests]}
        write_whole(question / "question.json", json.dumps(entry).encode())
        return tally

    def _labels(self, metrics: Any) -> list[Any] | None:
        """The metrics asked for; of the default ones those that need no rows."""
        if metrics is None:
            return None
        return [metrics] if isinstance(metrics, str) or not isinstance(metrics, Iterable) else list(metrics)

    # What was asked before

    def _questions(self) -> list[Path]:
        found = [path for path in self.home.iterdir() if (path / "all.json").exists()]
        return sorted(found, key=lambda path: path.name)

    def _covered(self, question: Path, labels: list[Any] | None, by: Any, files: list[FileOfRows]) -> Tally | None:
        """The tally of an earlier question from which this one follows."""
        entry = _json(question / "question.json") or {}
        try:
            wanted = None if labels is None else [*map(str, labels)]
            same = entry["metrics"] == wanted and entry["by"] == _by_text(by)
            if not same and (wanted is None or not {*wanted} <= {*entry["holds"]}):
                return None
            if not same and ((held := self._sum(question)) is None or not _follows(by, held)):
                return None
            return self._updated(question, entry["metrics"], _by_of(entry["by"]), files)
        except (KeyError, TypeError, CohortError):
            return None

    # Keeping up with the files

    def _updated(self, question: Path, labels: list[Any] | None, by: Any, files: list[FileOfRows]) -> Tally:
        """The sum of the parts of all files; those without a part are read."""
        meaning = self.meaning()
        for _ in range(2):
            parts: dict[str, _Part] = {}
            try:
                for file in files:
                    part = self._part(question, file, labels, by, meaning)
                    parts[part.name] = part
                return self._summed(question, parts)
            except _Unlike as unlike:
                new = self._settle(files)
                if new == meaning:
                    raise DataError(f"{unlike.why} It is in {unlike.file}.") from None
                self.said.append(
                    f"{unlike.why} It is new in {unlike.file}, so all {len(files):,} files were read again."
                )
                meaning = new
        raise DataError("The files do not settle on one meaning of the roles. Say task=, labels= and score_kind=.")

    def _part(self, question: Path, file: FileOfRows, labels: list[Any] | None, by: Any, meaning: Meaning) -> _Part:
        """The part of a file; a file without a part is read now."""
        own = _hash(json.dumps([str(file.path.absolute()), file.folders]))[:16]
        name = f"{own}-{_hash(file.stamp + _meaning_text(meaning))[:16]}.tally"
        path = question / name

        def counted() -> Tally:
            tally = self._counted(file, labels, by, meaning)
            write_whole(path, to_bytes(tally))
            return tally

        if path.exists():  # a part that proves damaged is counted again
            return _Part(name, str(file.path), lambda: _loaded(path) or counted())
        tally = counted()
        for old in question.glob(f"{own}-*.tally"):
            if old.name != name:
                _remove(old)
        return _Part(name, str(file.path), lambda: tally)

    def _counted(self, file: FileOfRows, labels: list[Any] | None, by: Any, meaning: Meaning) -> Tally:
        """The tally of one file, read now."""
        stamp = file.stamp
        frame = file.frame(self.kinds)
        try:
            _check_alike(self._own(frame, meaning, str(file.path)), meaning, str(file.path))
            bound = Bound.of(frame, meaning)
            metrics = _without_rows(bound) if labels is None else labels
            tally = collect(bound, resolve(by, frame), metrics)
        except _Unlike:
            raise
        except DfevalsError as error:
            raise type(error)(f"{error} It is in {file.path}.") from error
        if file.stamp != stamp:
            raise DataError(f"{file.path} changed while it was read. Ask again when it is whole.")
        self.read.append(str(file.path))
        return tally

    def _own(self, frame: pd.DataFrame, meaning: Meaning, file: str) -> Meaning:
        """What a file means by itself; where it does not tell, what was settled."""
        roles = self.roles.inferred(frame.columns)
        try:
            return bind(frame, roles)
        except DfevalsError as error:
            known = {"task": meaning.task, "labels": meaning.labels or None, "pos_label": meaning.pos_label}
            try:
                return bind(frame, replace(roles, **known))
            except DfevalsError:
                raise _Unlike(str(error), file) from None

    def _summed(self, question: Path, parts: dict[str, _Part]) -> Tally:
        """The sum of all parts, from that of before where none of its parts has changed."""
        if not parts:
            raise DataError(f"There are no files of {self.source!r}.")
        pointer = _json(question / "all.json") or {}
        before, old = pointer.get("parts", []), None
        if before and {*before} <= {*parts}:
            old = self._sum(question)
        rest = {part.file: part.tally() for part in parts.values() if old is None or part.name not in before}
        if old is not None and not rest:
            return self._noted(old)
        total = _tree({**({} if old is None else {"the files of before": old}), **rest})
        data = to_bytes(total)
        name = f"all-{data[-32:].hex()[:16]}.tally"  # after the seal
        write_whole(question / name, data)
        self.last = question / name, total
        write_whole(question / "all.json", json.dumps({"parts": sorted(parts), "tally": name}).encode())
        for stale in question.glob("*.tally"):
            if stale.name not in parts and stale.name != name:
                _remove(stale)
        return self._noted(total)

    def _sum(self, question: Path) -> Tally | None:
        pointer = _json(question / "all.json") or {}
        name = pointer.get("tally")
        if not isinstance(name, str) or Path(name).name != name:
            return None
        if self.last[0] != question / name:  # its name says what is in it
            self.last = question / name, _loaded(question / name)
        return self.last[1]

    def _noted(self, tally: Tally) -> Tally:
        if not self.said:
            return tally
        return replace(tally, context={**tally.context, "notes": (*tally.context.get("notes", ()), *self.said)})

    # What the roles mean

    def _settled(self) -> Meaning | None:
        found = _json(self.home / "meaning.json")
        try:
            return None if found is None else read_meaning(found["meaning"], found["task"], from_json(found["labels"]))
        except (DfevalsError, LookupError, TypeError, ValueError, AttributeError):
            return None  # damaged: settled anew

    def _settle(self, files: Sequence[FileOfRows]) -> Meaning:
        """The meaning that all these files have together, from the distinct labels, models and verdicts of each."""
        sketches = [_sketch(file.frame(self.kinds), self.roles) for file in files]
        if not sketches:
            raise DataError(f"There are no files of {self.source!r}.")
        frame = pd.concat(sketches, ignore_index=True) if len(sketches) > 1 else sketches[0]
        meaning = bind(frame, self.roles.inferred(frame.columns)).meaning
        described = {"meaning": write_meaning(meaning), "task": meaning.task, "labels": to_json(meaning.labels)}
        write_whole(self.home / "meaning.json", json.dumps(described).encode())
        found = self._settled()
        assert found is not None
        return found


@dataclass(frozen=True)
class _Part:
    """The tally of a file: its name in the store, the file, and what gives the tally."""

    name: str
    file: str
    tally: Callable[[], Tally]


class _Unlike(Exception):
    """A file does not mean what was settled."""

    def __init__(self, why: str, file: str) -> None:
        super().__init__(why)
        self.why, self.file = why, file


def _check_alike(own: Meaning, meaning: Meaning, file: str) -> None:
    """Raise unless what a file means by itself fits what was settled on others."""
    if own.task != meaning.task and (own.task, meaning.task) != ("binary", "multiclass"):
        raise _Unlike(f"The task is {own.task!r} where it was {meaning.task!r}.", file)
    stand = stand_in(own.labels[-1]) if own.task == "binary" else None
    new = [label for label in own.labels if label not in meaning.labels and label != stand]
    if new:
        raise _Unlike(f"The label {new[0]!r} was not among {', '.join(map(repr, meaning.labels))}.", file)
    names = [m.name for m in own.models if m.name not in {known.name for known in meaning.models}]
    if names:
        raise _Unlike(f"The model {names[0]!r} was not there.", file)
    for one, other in zip(own.roles.outcomes, meaning.roles.outcomes, strict=True):
        if one.kind != other.kind:
            raise _Unlike(f"The outcome {one.column!r} is a {one.kind} where it was a {other.kind}.", file)


def _sketch(frame: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """A few rows that show every label, model and verdict."""
    roles = roles.inferred(frame.columns)
    single = [name for spec in specs(roles.y_pred) for name in (spec if isinstance(spec, tuple) else (spec,))]
    names = [roles.y_true, roles.model, *single, *(o.column for o in roles.outcomes if o.kind is None)]
    keep = frame.index[:1]
    for name in dict.fromkeys(name for name in names if name in frame.columns):
        with suppress(TypeError):
            found = frame[name].drop_duplicates()
            keep = keep.union(found.index if len(found) <= 10_000 else found.index[:100])
    return frame.loc[keep]


def _without_rows(bound: Bound) -> list[str]:
    """The default metrics, without those that read the rows themselves."""
    found = requested(bound, bound.models, None)
    return [r.label for r in found if not any(isinstance(need, Rows) for need in r.metric.needs)]


def _follows(by: Any, tally: Tally) -> bool:
    """Whether cohorts follow from those of a tally."""
    if tally.meaning is None:
        return False
    settled = {part.name: getattr(tally.meaning, part.name) for part in fields(Meaning)}
    try:
        regroup(by, tally.cohorts, TallyBound(**settled, held=tally).each)
    except CohortError:
        return False
    return True


def _tree(parts: dict[str, Tally]) -> Tally:
    """The sum in pairs, so that few are added to many as seldom as can be.

    Raises
    ------
    DataError
        Two do not add up; the message names the files.
    """
    first = next(iter(parts))
    for file, tally in parts.items():
        try:
            check_alike(parts[first], tally)
        except DataError as error:
            raise DataError(
                f"{error} They are of {first} and {file}. Say what both mean (score_kind=, threshold=, task=)."
            ) from None
    tallies = list(parts.values())
    while len(tallies) > 1:
        tallies = [reduce(add, tallies[i : i + 2]) for i in range(0, len(tallies), 2)]
    return tallies[0]


def _loaded(path: Path) -> Tally | None:
    """The tally of a file; None where it is gone or damaged, so that it is made anew."""
    try:
        return from_bytes(path.read_bytes(), str(path))
    except (OSError, DataError):
        return None


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"The store {folder} cannot be made: {error.strerror or error}.") from error


def _remove(path: Path) -> None:
    with suppress(OSError):
        os.unlink(path)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _roles_text(roles: Roles) -> str:
    return roles.to_json()


def _meaning_text(meaning: Meaning) -> str:
    return json.dumps([write_meaning(meaning), meaning.task, to_json(meaning.labels)], sort_keys=True)


def _by_text(by: Any) -> Any:
    """A definition of cohorts as JSON.

    Raises
    ------
    CohortError
        Masks, or cohorts that every file would cut for itself.
    """
    from dfevals.cohorts.plain import to_plain

    return to_plain(by)


def _by_of(text: Any) -> Any:
    from dfevals.cohorts.plain import from_plain

    return from_plain(text)
