#!/usr/bin/env bash
# river 0.26.1: metrics.ROCAUC counts at ten fixed thresholds, so a ranking whose scores all lie below the second of them is not seen.
# Fraud scores of .001 to .05 that separate the classes without a mistake have a ROC AUC of 1; river says 0.5 (n_thresholds=10 is the default).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check river==0.26.1
"$work/venv/bin/python" - <<'PYTHON'
from river import metrics
auc, fine = metrics.ROCAUC(), metrics.ROCAUC(n_thresholds=1000)
for i in range(200):
    positive = i % 2 == 1
    score = 0.03 + i * 1e-4 if positive else 0.001 + i * 1e-5
    auc.update(positive, score)
    fine.update(positive, score)
print("default:", auc.get(), " 1,000 thresholds:", fine.get())
assert abs(auc.get() - 0.5) < 1e-9 and fine.get() > 0.99
PYTHON
