#!/usr/bin/env bash
# Evidently 0.7.23: one far value hides a drift from the population stability index.
# Its bins are of equal width over reference and current rows together, so that a single outlier puts all other rows into one bin: a shift
# of one standard deviation has a PSI near 1; with one value of 1e6 among the 2,000 current rows it is below .01.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check evidently==0.7.23 "pandas<3"
"$work/venv/bin/python" - <<'PYTHON'
import warnings; warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from evidently import Report
from evidently.metrics import ValueDrift
rng = np.random.default_rng(0)
reference = pd.DataFrame({"x": rng.normal(0, 1, 2000)})
current = pd.DataFrame({"x": rng.normal(1, 1, 2000)})
outlier = current.copy(); outlier.loc[0, "x"] = 1e6
def psi(frame):
    found = Report([ValueDrift(column="x", method="psi")]).run(frame, reference).dict()
    return float(found["metrics"][0]["value"])
seen = psi(current), psi(outlier)
print("PSI of a shift by one standard deviation, and with one outlier:", seen)
assert seen[0] > 0.5 and seen[1] < 0.02, seen
PYTHON
