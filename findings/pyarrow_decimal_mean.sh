#!/usr/bin/env bash
# pyarrow 26.0.1: the mean of a decimal column is rounded to the scale of the column.
# Outcomes 0/1 stored as decimal(1, 0), as databases export them, have a mean of 0 or 1: an error rate of 60 % is reported as 1.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check pyarrow==26.0.1
"$work/venv/bin/python" - <<'PYTHON'
from decimal import Decimal
import pyarrow as pa, pyarrow.compute as pc
errors = pa.array([Decimal(v) for v in (1, 1, 1, 0, 0)], pa.decimal128(1, 0))
seen = pc.mean(errors).as_py(), pc.mean(errors.cast(pa.float64())).as_py()
print("mean as decimal, mean as float64:", seen)
assert seen == (Decimal(1), 0.6), seen
PYTHON
