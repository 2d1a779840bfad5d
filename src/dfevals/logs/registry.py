"""The formats that can be read: one record each, from which recognition, the table and the documentation follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from dfevals.logs.batches import is_batch, read_batch
from dfevals.logs.bfcl import is_bfcl, read_bfcl
from dfevals.logs.inspect_ai import is_inspect, read_inspect
from dfevals.logs.lm_eval import is_lm_eval, read_lm_eval
from dfevals.logs.mlflow_tables import is_mlflow, read_mlflow
from dfevals.logs.openai_evals import is_openai_evals, read_openai_evals
from dfevals.logs.opening import Source
from dfevals.logs.promptfoo import is_promptfoo, read_promptfoo
from dfevals.logs.runs import Run
from dfevals.logs.spans import is_spans, read_spans
from dfevals.logs.tau_bench import is_tau_bench, read_tau_bench

__all__ = ["FORMATS", "Format", "formats"]


@dataclass(frozen=True)
class Format:
    """How the logs of one tool are recognised and read.

    Attributes
    ----------
    name : str
        What `format=` takes.
    tool : str
    versions : str
        Of the tool with whose files the reader was tested; "documented" where only its documentation was at hand.
    files : str
        What its files are called and hold.
    rows : str
        What a row is.
    recognises : callable
        Whether a file is of the format.
    read : callable
        Runs of some files of the format.
    """

    name: str
    tool: str
    versions: str
    files: str
    rows: str
    recognises: Callable[[Source], bool]
    read: Callable[[Sequence[Source]], Iterable[Run]]


FORMATS = {
    entry.name: entry
    for entry in (
        Format(
            "lm-eval",
            "lm-evaluation-harness",
            "0.4.13",
            "samples_<task>_<time>.jsonl, results_<time>.json",
            "document × filter",
            is_lm_eval,
            read_lm_eval,
        ),
        Format(
            "inspect",
            "Inspect AI",
            "0.3.285 (log version 2)",
            "<time>_<task>_<id>.eval or .json",
            "sample × epoch",
            is_inspect,
            read_inspect,
        ),
        Format(
            "promptfoo",
            "promptfoo",
            "0.121.20 (results version 3)",
            "eval -o out.json or out.jsonl",
            "test × repeat × provider × prompt",
            is_promptfoo,
            read_promptfoo,
        ),
        Format(
            "openai-evals",
            "OpenAI evals",
            "3.0.1.post1",
            "the log of oaieval, .jsonl",
            "sample",
            is_openai_evals,
            read_openai_evals,
        ),
        Format(
            "bfcl",
            "Berkeley Function Calling Leaderboard",
            "bfcl-eval 2026.3.23",
            "BFCL_v4_<category>_result.json with BFCL_v4_<category>_score.json",
            "entry",
            is_bfcl,
            read_bfcl,
        ),
        Format(
            "tau-bench",
            "tau-bench",
            "historical trajectories; tau2-bench from its source, August 2026",
            "list of trajectories, or a document with simulations",
            "task × trial",
            is_tau_bench,
            read_tau_bench,
        ),
        Format(
            "batch",
            "batches of OpenAI and Anthropic",
            "documented; types of openai 3.57.0 and anthropic 2.14.0",
            "files of results and errors, .jsonl, and of requests",
            "request",
            is_batch,
            read_batch,
        ),
        Format(
            "mlflow",
            "MLflow",
            "3.17.2",
            "the table of mlflow.genai.evaluate as .json, .jsonl or .parquet",
            "trace",
            is_mlflow,
            read_mlflow,
        ),
        Format(
            "spans",
            "OpenTelemetry",
            "documented; a file of real spans",
            "OTLP as .json or .jsonl, or printed spans",
            "span",
            is_spans,
            read_spans,
        ),
    )
}


def formats() -> pd.DataFrame:
    """The formats of logs that `read_log` reads.

    Returns
    -------
    DataFrame
        Columns `format, tool, versions` (with whose files the reader was tested), `files, rows`.

    Examples
    --------
    >>> import dfevals
    >>> dfevals.formats().set_index("format").loc["inspect", "rows"]
    'sample × epoch'
    """
    names = ("tool", "versions", "files", "rows")
    return pd.DataFrame(
        {"format": list(FORMATS), **{name: [getattr(entry, name) for entry in FORMATS.values()] for name in names}}
    )
