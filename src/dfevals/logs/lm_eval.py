"""lm-evaluation-harness: samples (one line per document and filter) with the results beside them, or the results alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dfevals.logs.opening import Source, as_text
from dfevals.logs.runs import Columns, Run, free_name, score, settings_of
from dfevals.roles.declared import Outcome

__all__ = ["is_lm_eval", "read_lm_eval"]

SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d[.\d]*)\.jsonl")
RESULTS = re.compile(r"results_(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d[.\d]*)\.json")
NEEDED = ("doc_id", "doc", "target", "resps", "filtered_resps")
#: Sums of log-likelihoods, which the tool turns into a number for the corpus; their mean over rows is none of its figures.
OF_THE_CORPUS = ("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte")
#: Metrics that are 0 or 1, or a share, by their definition in the tool.
SHARES = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "em", "acc_all", "pass@1")


def is_lm_eval(source: Source) -> bool:
    """Whether a file is one of samples or of results."""
    first = source.first
    if isinstance(first, dict) and all(name in first for name in NEEDED):
        return True
    return source.is_document and bool(RESULTS.fullmatch(source.name)) and b'"results"' in source.head


def read_lm_eval(sources: Sequence[Source]) -> Iterator[Run]:
    """One run per file of samples and filter; files of results say more of them, and are read where they stand alone."""
    results = [source for source in sources if source.is_document and not _is_samples(source)]
    samples = [source for source in sources if source not in results]
    if not samples:
        for source in results:
            yield _of_results(source)
        return
    known = {_key(source): source for source in results}
    for source in samples:
        beside = (
            source.path.with_name(f"results_{_match(source)['time']}.json") if SAMPLES.fullmatch(source.name) else None
        )
        if beside is not None and _key(source) not in known and beside.is_file():
            known[_key(source)] = Source(beside)
        yield from _of_samples(source, _Results.of(known.get(_key(source))))


def _is_samples(source: Source) -> bool:
    return isinstance(source.first, dict) and "doc_id" in source.first


def _match(source: Source) -> dict[str, str]:
    found = SAMPLES.fullmatch(source.name) or RESULTS.fullmatch(source.name)
    return found.groupdict() if found else {}


def _key(source: Source) -> tuple[str, str]:
    return str(source.path.parent), _match(source).get("time", source.name)


@dataclass(frozen=True)
class _Results:
    """What the file of results says of a run."""

    document: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Source | None) -> _Results:
        if source is None:
            return cls()
        document = source.document
        if not isinstance(document, dict) or not isinstance(document.get("results"), dict):
            source.wrong("holds no results of lm-evaluation-harness")
        return cls(document)

    def model(self) -> str | None:
        """Name of the model, as the run was told it."""
        config = self.document.get("config") or {}
        found = re.search(r"(?:pretrained|model)=([^,]+)", str(config.get("model_args") or ""))
        return found[1] if found else self.document.get("model_name") or None

    def higher_is_better(self, task: str, metric: str) -> bool | None:
        """Whether more is better, where it is told."""
        told = (self.document.get("higher_is_better") or {}).get(task) or {}
        value = told.get(metric) if isinstance(told, dict) else None
        return value if isinstance(value, bool) else None

    def settings(self, task: str) -> dict[str, str]:
        """What runs that are compared should have in common."""

        def of(name: str) -> Any:
            told = self.document.get(name)
            return told.get(task) if isinstance(told, dict) else None

        config = of("configs") or {}
        return settings_of(
            version=of("versions"),
            fewshot=of("n-shot"),
            limit=(self.document.get("config") or {}).get("limit"),
            generation=config.get("generation_kwargs"),
            chat_template=self.document.get("chat_template_sha"),
        )


def _of_samples(source: Source, results: _Results) -> Iterator[Run]:
    named = _match(source)
    task = named.get("task") or _task_of(source)
    by_filter: dict[str, _Rows] = {}
    for number, line in source.lines():
        rows = by_filter.get(line.get("filter", "none"))
        if rows is None:
            rows = by_filter[line.get("filter", "none")] = _Rows(source)
        rows.add(number, line)
    model = results.model() or source.path.parent.name.replace("__", "/")
    for name, rows in by_filter.items():
        columns = rows.columns.whole()
        outcomes = {metric: _outcome(metric, results.higher_is_better(task, metric)) for metric in rows.metrics}
        yield Run(
            source.label,
            task,
            f"{model} ({name})" if len(by_filter) > 1 else model,
            columns,
            outcomes,
            named.get("time"),
            results.settings(task),
            [*source.notes, *rows.notes(task)],
            partial(columns.__getitem__, "doc_hash") if "doc_hash" in columns else None,
        )
        source.notes = []


def _task_of(source: Source) -> str:
    return source.name.removesuffix(".jsonl").removeprefix("samples_")


def _outcome(metric: str, higher: bool | None) -> Outcome:
    better = None if higher is None else "higher" if higher else "lower"
    return Outcome(metric, better=better, range=(0.0, 1.0) if metric in SHARES else None)  # type: ignore[arg-type]


class _Rows:
    """The lines of one filter."""

    def __init__(self, source: Source) -> None:
        self.source, self.columns = source, Columns()
        self.metrics: dict[str, None] = {}
        self.pairs: dict[str, None] = {}
        self.seen: set[Any] = set()
        self.repeats = 1
        self.groups: dict[str, str] = {}

    def add(self, number: int, line: dict[str, Any]) -> None:
        """One line."""
        try:
            own, doc, target, resps, filtered = [line[name] for name in NEEDED]
            metrics = line.get("metrics") or ()
        except KeyError as error:
            self.source.wrong(f"is no sample of lm-evaluation-harness: {error} is missing", number)
        if own in self.seen:
            self.source.wrong(f"doc_id {own!r} is there a second time for the filter {line.get('filter')!r}", number)
        self.seen.add(own)
        try:
            row = self._texts(line.get("arguments") or {}, target, resps, filtered)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError):
            self.source.wrong("is no sample of lm-evaluation-harness: its answers have another form", number)
        row["id"] = row["doc_id"] = own
        row["doc_hash"] = line.get("doc_hash")
        row["filter"] = line.get("filter")
        for name in metrics:
            value = line.get(name)
            if isinstance(value, list | str | dict) or name in OF_THE_CORPUS:
                self.pairs[name] = None
                row[name] = as_text(value)
            else:
                self.metrics[name] = None
                row[name] = score(value)
        if isinstance(doc, dict):
            for name, value in doc.items():
                row[self._group(name, metrics)] = as_text(value)
        else:
            row["doc"] = as_text(doc)
        self.columns.add(row)

    def _group(self, name: str, metrics: Sequence[str]) -> str:
        found = self.groups.get(name)
        if found is None:
            own = ("doc_id", "doc_hash", "filter", "target", *metrics)
            found = self.groups[name] = free_name(name, "doc", own)
        return found

    def _texts(self, arguments: Any, target: Any, resps: Any, filtered: Any) -> dict[str, Any]:
        """Prompt, response and reference."""
        given = list(arguments.values()) if isinstance(arguments, dict) else list(arguments)
        pairs = [list(one.values()) if isinstance(one, dict) else list(one) for one in given]
        row = {"prompt": as_text(pairs[0][0]) if pairs else None, "reference": as_text(target)}
        if not isinstance(filtered, list):
            raise TypeError
        first = filtered[0] if filtered else None
        if isinstance(first, str):
            self.repeats = max(self.repeats, len(resps[0]))
            return row | {"response": first, "raw_response": as_text(resps[0][0])}
        if isinstance(first, list) and len(first) == 2 and len(pairs) > 1:
            return row | _choice(pairs, target, filtered)
        return row

    def notes(self, task: str) -> list[str]:
        """What is not an outcome of the rows."""
        found = []
        if self.pairs:
            found.append(
                f"{task}: {', '.join(self.pairs)} {'is a figure' if len(self.pairs) == 1 else 'are figures'} of the whole "
                "corpus, so the rows have no score of it."
            )
        if self.repeats > 1:
            found.append(f"{task}: of {self.repeats} answers to a document the one that the filter took is scored.")
        return found


def _choice(pairs: list[list[Any]], target: Any, filtered: list[Any]) -> dict[str, Any]:
    """The choice with the greatest log-likelihood, which the log does not name; with acc_mutual_info the second half of
    the entries is without the question."""
    options = [pair[1] for pair in pairs]
    half = len(options) // 2
    n = half if half > 1 and options[:half] == options[half:] and pairs[0][0] != pairs[half][0] else len(options)
    likelihood = [float(entry[0]) for entry in filtered[:n]]
    chosen = likelihood.index(max(likelihood))
    row: dict[str, Any] = {"choice": chosen, "target": target}
    if len(set(map(str, options[:n]))) < n:  # the choices stand in the prompts
        return row | {"response": str(chosen)}
    row["response"] = str(options[chosen]).strip()
    if isinstance(target, str) and target.isdecimal() and int(target) < n:
        row["reference"] = str(options[int(target)]).strip()
    return row


# Results alone


def _of_results(source: Source) -> Run:
    """One row per task and filter: its figures, where samples were not logged."""
    results = _Results.of(source)
    figures: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    outcomes: dict[str, Outcome] = {}
    for task, told in results.document["results"].items():
        for key, value in told.items() if isinstance(told, dict) else ():
            metric, comma, name = key.partition(",")
            if comma:
                row = figures[task, name]
                row[metric] = score(value)
                if not metric.endswith("_stderr"):
                    outcomes[metric] = _outcome(metric, results.higher_is_better(task, metric))
            elif key == "sample_len":
                figures[task, "none"].setdefault("samples", value)
    columns = Columns()
    for (task, name), row in figures.items():
        if len(row) > ("samples" in row):
            own = f"{task} ({name})" if name != "none" else task
            size = row.get("samples", figures.get((task, "none"), {}).get("samples"))
            columns.add({"id": own, "filter": name, **row, "samples": size})
    folder = source.path.parent.name.replace("__", "/")
    note = f"{source.name}: figures of whole tasks, since it holds no samples (--log_samples)."
    return Run(
        source.label,
        "results",
        results.model() or folder,
        columns.whole(),
        {name: Outcome(name, "score", outcome.better, range=outcome.range) for name, outcome in outcomes.items()},
        _match(source).get("time"),
        notes=[note],
    )
