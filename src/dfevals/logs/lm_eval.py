"""lm-evaluation-harness: samples (one line per document and filter) with the results beside them, or the results alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import Any, NoReturn

from dfevals.logs.opening import Source, as_text
from dfevals.logs.runs import Columns, Run, free_name, score, settings_of
from dfevals.roles.declared import Outcome

__all__ = ["is_lm_eval", "read_lm_eval"]

SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d[.\d]*)\.jsonl")
RESULTS = re.compile(r"results_(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d[.\d]*)\.json")
NEEDED = ("doc_id", "doc", "target", "resps", "filtered_resps")
MALFORMED = (TypeError, ValueError, IndexError, KeyError, AttributeError)
CHUNK = 24  # lines taken at a time, so that they stay in the cache
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
    lines = source.lines()
    while chunk := list(islice(lines, CHUNK)):
        parts: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
        for numbered in chunk:
            parts[str(numbered[1].get("filter", "none"))].append(numbered)
        for name, part in parts.items():
            by_filter.setdefault(name, _Rows(source)).extend(part)
    model = results.model() or source.path.parent.name.replace("__", "/")
    for name, rows in by_filter.items():
        columns = rows.columns.whole()
        outcomes = {
            metric: _outcome(metric, results.higher_is_better(task, metric))
            for metric in rows.metrics
            if metric not in rows.pairs
        }
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
    """The lines of one filter, taken column by column."""

    def __init__(self, source: Source) -> None:
        self.source, self.columns = source, Columns()
        self.metrics: dict[str, None] = {}
        self.pairs: dict[str, None] = {}
        self.seen: set[Any] = set()
        self.repeats = 1

    def extend(self, numbered: list[tuple[int, dict[str, Any]]]) -> None:
        """Some lines more."""
        lines = [line for _, line in numbered]
        try:
            own = [line["doc_id"] for line in lines]
            is_new = len(set(own)) == len(own) and self.seen.isdisjoint(own)
            part = {"id": own, "doc_id": own, **self._texts(lines), **self._metrics(lines)}
            part |= _groups([line["doc"] for line in lines], part)
        except MALFORMED:
            self._refuse(numbered)
        if not is_new:
            self._refuse(numbered)
        self.seen.update(own)
        self.columns.extend(part, len(lines))

    def _refuse(self, numbered: list[tuple[int, dict[str, Any]]]) -> NoReturn:
        """Name the first line that is wrong."""
        for number, line in numbered:
            missing = [name for name in NEEDED if name not in line]
            if missing:
                self.source.wrong(f"is no sample of lm-evaluation-harness: {missing[0]!r} is missing", number)
            own = line["doc_id"]
            try:
                again = own in self.seen
                self.seen.add(own)
                self._texts([line]), self._metrics([line]), _groups([line["doc"]], {})
            except MALFORMED:
                self.source.wrong("is no sample of lm-evaluation-harness: a field has another form", number)
            if again:
                self.source.wrong(
                    f"doc_id {own!r} is there a second time for the filter {line.get('filter')!r}", number
                )
        self.source.wrong("holds lines of different forms", numbered[0][0])

    def _metrics(self, lines: list[dict[str, Any]]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for name in dict.fromkeys(chain.from_iterable({tuple(line.get("metrics") or ()): 1 for line in lines})):
            values = [line.get(name) for line in lines]
            if name in OF_THE_CORPUS or {list, str, dict} & {*map(type, values)}:
                self.pairs[name] = None
                found[name] = [as_text(value) for value in values]
            else:
                self.metrics[name] = None
                found[name] = [score(value) for value in values]
        return found

    def _texts(self, lines: list[dict[str, Any]]) -> dict[str, Any]:
        """Prompts, responses and references."""
        names = ("prompt", "response", "reference", "raw_response", "choice", "target")
        rows = [_answer(line) for line in lines]
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        if columns["raw_response"][0] is not None:
            self.repeats = max(self.repeats, *(len(line["resps"][0]) for line in lines))
        beside = {name: [line.get(name) for line in lines] for name in ("doc_hash", "filter")}
        return columns | beside

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


def _groups(docs: list[Any], taken: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The columns of the data set."""
    if not all(isinstance(doc, dict) for doc in docs):
        return {"doc": [as_text(doc) for doc in docs]}
    found: dict[str, list[Any]] = {}
    for name in dict.fromkeys(chain.from_iterable({tuple(doc): 1 for doc in docs})):
        values = [doc.get(name) for doc in docs]
        nested = {list, dict} & {*map(type, values)}
        found[free_name(name, "doc", taken)] = [as_text(value) for value in values] if nested else values
    return found


def _answer(line: dict[str, Any]) -> tuple[Any, ...]:
    """Prompt, response, reference, response before the filter, number of the choice, and target as written."""
    arguments, filtered, target = line.get("arguments") or {}, line["filtered_resps"], line["target"]
    given = list(arguments.values()) if isinstance(arguments, dict) else list(arguments)
    if given and not isinstance(given[0], dict):
        given = [dict(zip(("arg_0", "arg_1"), pair, strict=False)) for pair in given]
    prompt = given[0]["arg_0"] if given else None
    if type(prompt) is not str:
        prompt = as_text(prompt)
    if not isinstance(filtered, list):
        raise TypeError
    first = filtered[0] if filtered else None
    if isinstance(first, str):
        return prompt, first, as_text(target), as_text(line["resps"][0][0]), None, None
    if isinstance(first, list) and len(first) == 2 and len(given) > 1:
        chosen, response, reference = _choice(given, target, filtered)
        return prompt, response, reference, None, chosen, as_text(target)
    return prompt, None, as_text(target), None, None, None


def _choice(given: list[dict[str, Any]], target: Any, filtered: list[Any]) -> tuple[int, str, Any]:
    """The choice with the greatest log-likelihood, which the log does not name, its text, and that of the right one.

    With acc_mutual_info the second half of the entries is without the question. Where the choices stand in the prompts,
    they are called by their number.
    """
    n, half = len(given), len(given) // 2
    if half > 1 and given[0]["arg_1"] == given[half]["arg_1"] and given[0]["arg_0"] != given[half]["arg_0"]:
        n = half
    likelihood = [float(entry[0]) for entry in filtered[:n]]
    chosen = likelihood.index(max(likelihood))
    if given[0]["arg_1"] == given[1]["arg_1"]:
        return chosen, str(chosen), as_text(target)
    is_number = isinstance(target, str) and target.isdecimal() and int(target) < n
    reference = str(given[int(target)]["arg_1"]).strip() if is_number else as_text(target)
    return chosen, str(given[chosen]["arg_1"]).strip(), reference


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
