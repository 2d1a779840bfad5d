#!/usr/bin/env bash
# crepes 0.9.1: the half-width of a conformal interval is one rank too wide when (n + 1) * level is a whole number.
# With absolute residuals 1 to 99 and 90 %, rank ceil(100 * 0.9) = 90 already covers at least 90 % (Vovk et al. 2005); crepes takes 91, and
# with 9 residuals (rank 9 of 9) an infinite interval.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check crepes==0.9.1 scikit-learn==1.9.1 numpy pandas
"$work/venv/bin/python" - <<'PYTHON'
import warnings
import numpy as np
from crepes import ConformalRegressor
warnings.simplefilter("ignore")
def half(n, level):
    model = ConformalRegressor().fit(residuals=np.arange(1, n + 1, dtype=float))
    low, high = model.predict_int(y_hat=np.zeros(1), confidence=level)[0]
    return high
seen = half(99, 0.9), half(9, 0.9), half(100, 0.9)
print("half-widths for n = 99, 9, 100 at 90 %:", seen)
assert seen[0] == 91 and np.isinf(seen[1]) and seen[2] == 91, seen
PYTHON
