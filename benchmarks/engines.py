"""Cohorts of a folder of Parquet: dfevals beside hand-written SQL of DuckDB, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from harness import Fact, Row

FILES = 10
COHORTS = 1_000
MEASURE = """
import json, resource, sys, time
{setup}
start = time.process_time()
{code}
spent = time.process_time() - start
own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps([spent, max(own.ru_maxrss, children.ru_maxrss) / 1024]))
"""
SUMS = """
import duckdb
connection = duckdb.connect()
connection.execute("SET threads = 1")
loss = "-ln(greatest(case when y = 1 then p else 1 - p end, 2.220446049250313e-16))"
brier = "(p - y) * (p - y)"
"""
QUERY = """
connection.sql(f'''
SELECT g, count(*), count(*) FILTER (WHERE y = 1 AND p >= 0.5::DOUBLE), count(*) FILTER (WHERE y = 1),
       count(*) FILTER (WHERE p >= 0.5::DOUBLE), sum(l), sum(l * l), sum(l * l * l), sum(b), sum(b * b), sum(b * b * b)
FROM (SELECT g, y, p, {loss} AS l, {brier} AS b FROM read_parquet('FOLDER/*.parquet'))
GROUP BY g ORDER BY g''').fetchall()
"""
WARM = """
import dfevals, pandas, pyarrow.parquet
small = pandas.DataFrame({"y": [0, 1, 1, 0], "p": [0.1, 0.9, 0.4, 0.6], "g": list("aabb")})
small.evals(y_true="y", y_score="p").metrics(["accuracy", "log_loss", "roc_auc", "mcc"], by="g")  # loads what loads late
"""
COUNTS = [
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "specificity",
    "npv",
    "mcc",
    "log_loss",
    "brier",
]
OURS = """
ev = dfevals.evaluate("FOLDER/*.parquet", y_true="y", y_score="p")
ev.metrics({metrics!r}, by="g")
"""


def write(folder: Path, rows: int) -> None:
    """A folder of Parquet files: labels, scores, and a cohort as text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = pa.array([f"cohort {i:04d}" for i in range(COHORTS)])
    for i in range(FILES):
        rng = np.random.default_rng(i)
        n = rows // FILES
        y = rng.random(n) < 0.3
        p = 1 / (1 + np.exp(-(1.5 * y - 1 + rng.normal(size=n))))
        codes = pa.array(rng.integers(0, COHORTS, n).astype(np.int32))
        text = pa.DictionaryArray.from_arrays(codes, names).cast(pa.string())
        pq.write_table(pa.table({"y": y.astype(np.int64), "p": p, "g": text}), folder / f"part-{i}.parquet")


def measured(setup: str, code: str, folder: Path) -> tuple[float, float]:
    """CPU seconds and peak resident MiB of a fresh process that runs the code."""
    text = MEASURE.format(setup=setup, code=code).replace("FOLDER", str(folder))
    done = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True)
    found: Any = json.loads(done.stdout.splitlines()[-1])
    return found[0], found[1]


def run(rows: int) -> list[Row | Fact]:
    """Counts and losses, and ranks, of ten times `rows` rows."""
    rows *= 10
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder, rows)
        sql, sql_mib = measured(SUMS, QUERY, folder)
        counts, counts_mib = measured(WARM, OURS.format(metrics=COUNTS), folder)
        ranks, ranks_mib = measured(WARM, OURS.format(metrics=[*COUNTS, "roc_auc", "average_precision", "ks"]), folder)
    what = f"{{}} × {COHORTS:,} cohorts with intervals, {rows:,} rows of Parquet"
    return [
        Row(what.format("10 metrics"), "DuckDB, sums by hand", counts, sql, "≥ 0.7×"),
        Fact("their peak memory, DuckDB's beside it", f"{counts_mib:.0f} and {sql_mib:.0f} MiB", "≤ 300 MiB"),
        Row(what.format("13 metrics with AUC, AP and KS"), "the 10 metrics", ranks, counts, "≥ 0.33×"),
        Fact("their peak memory", f"{ranks_mib:.0f} MiB", "≤ 800 MiB"),
    ]
