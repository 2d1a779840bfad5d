#!/usr/bin/env bash
# scikit-uplift 0.5.1: the normalised Qini coefficient is no share of the best possible.
# It divides by the area of a "perfect" curve that another ranking can beat: among random tables of twelve rows one has a coefficient of 1.83.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check scikit-uplift==0.5.1 numpy
"$work/venv/bin/python" - <<'PYTHON'
import itertools, warnings; warnings.simplefilter("ignore")
import numpy as np
from sklift.metrics import qini_auc_score
best = (-9.0, None)
rng = np.random.default_rng(0)
for _ in range(4000):
    y, t = rng.integers(0, 2, 12), rng.integers(0, 2, 12)
    if t.min() == t.max(): continue
    try: value = qini_auc_score(y, np.arange(12)[::-1], t)
    except Exception: continue
    if np.isfinite(value) and value > best[0]: best = (value, (y.tolist(), t.tolist()))
print("greatest Qini found:", best)
assert best[0] > 1.05
PYTHON
