#!/usr/bin/env bash
# scikit-survival 0.28.0: the Brier score weights an event by 1 / G(T) where Graf et al. (1999) use the limit from the left, 1 / G(T-).
# They differ when an event and a censoring share a time, which is common with whole days or months: times 2, 2, 3, 4, 5 with the second
# censored, and a constant prediction of one half, must score 0.25 at time 3 (every weighted row is wrong by one half); it says 0.2667.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check scikit-survival==0.28.0 numpy
"$work/venv/bin/python" - <<'PYTHON'
import numpy as np
from sksurv.metrics import brier_score
y = np.array([(True, 2.0), (False, 2.0), (True, 3.0), (True, 4.0), (True, 5.0)], dtype=[("event", bool), ("time", float)])
_, score = brier_score(y, y, np.full((5, 1), 0.5), [3.0])
print("Brier at 3:", score[0])
assert abs(score[0] - 4 / 15) < 1e-9, score
PYTHON
