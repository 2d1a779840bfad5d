#!/usr/bin/env bash
# DuckDB 2.0.1 reading Parquet written by pyarrow 26.0.1: filters skip NaN rows that the same query on a table finds.
# pyarrow writes column statistics without NaN; DuckDB takes them to include it, so x > 10 (true for NaN in DuckDB order) and isnan(x)
# return fewer rows from the file than from the identical in-memory table. Way out: SET parquet_can_have_nan = true, or isfinite(x).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1
"$work/venv/bin/python" - <<'PYTHON'
import duckdb, pyarrow as pa, pyarrow.parquet as pq, tempfile, os
path = os.path.join(tempfile.mkdtemp(), "x.parquet")
frame = pa.table({"x": pa.array([0.1, 0.2, float("nan"), 0.4])})
pq.write_table(frame, path)
con = duckdb.connect()
seen = {}
for name, source in (("memory", "frame"), ("file", f"read_parquet('{path}')")):
    seen[name] = tuple(
        con.execute(f"select count(*) from {source} where {test}").fetchall()[0][0] for test in ("isnan(x)", "x > 10", "isfinite(x)")
    )
con.execute("set parquet_can_have_nan = true")
seen["file, option set"] = tuple(
    con.execute(f"select count(*) from read_parquet('{path}') where {test}").fetchall()[0][0] for test in ("isnan(x)", "x > 10", "isfinite(x)")
)
print("rows with isnan(x), x > 10, isfinite(x):", seen)
assert seen == {"memory": (1, 1, 3), "file": (0, 0, 3), "file, option set": (1, 1, 3)}, seen
PYTHON
