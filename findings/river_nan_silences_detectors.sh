#!/usr/bin/env bash
# river 0.26.1: one missing value silences drift.ADWIN and drift.PageHinkley for ever.
# A stream of errors jumps from 0 to 1 at row 1000; with one NaN at row 100 neither detector alarms in the 4,000 rows that follow the jump.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check river==0.26.1
"$work/venv/bin/python" - <<'PYTHON'
from river import drift
def first(detector, missing):
    for i in range(5000):
        value = float("nan") if missing and i == 100 else float(i >= 1000)
        detector.update(value)
        if detector.drift_detected and i > 100:
            return i
seen = {d.__name__: (first(d(), False), first(d(), True)) for d in (drift.ADWIN, drift.PageHinkley)}
print("row of the first alarm without and with one NaN:", seen)
assert seen["ADWIN"][0] and seen["PageHinkley"][0] and seen["ADWIN"][1] is None and seen["PageHinkley"][1] is None, seen
PYTHON
