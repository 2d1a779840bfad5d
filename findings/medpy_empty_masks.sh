#!/usr/bin/env bash
# MedPy 0.5.2 with numpy 2.4.6: Dice of two empty masks is NaN, Jaccard of the same masks is 1.
# A nanmean over images leaves the empty ones out of one of the two and counts them as perfect in the other.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check medpy==0.5.2 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import warnings; warnings.simplefilter("ignore")
import numpy as np
from medpy.metric.binary import dc, jc
empty = np.zeros((4, 4), bool)
seen = float(dc(empty, empty)), float(jc(empty, empty))
print("Dice, Jaccard of two empty masks:", seen)
assert np.isnan(seen[0]) and seen[1] == 1.0, seen
PYTHON
