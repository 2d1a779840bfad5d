#!/usr/bin/env bash
# sktime 1.2.0: the scaled error MASE of a series whose history is constant is a huge finite number instead of undefined.
# The scale, the mean absolute seasonal difference, is 0; it is replaced by the machine epsilon, so an error of .75 becomes 3.4e15 and rules
# every mean over series.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check sktime==1.2.0 pandas numpy
"$work/venv/bin/python" - <<'PYTHON'
import numpy as np
from sktime.performance_metrics.forecasting import mean_absolute_scaled_error
seen = mean_absolute_scaled_error(np.array([10.0, 0, 4, 0]), np.array([8.0, 1, 4, 0]), y_train=np.full(6, 5.0))
print("MASE after a constant history:", seen)
assert seen > 1e15 and np.isfinite(seen), seen
PYTHON
