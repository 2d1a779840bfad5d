#!/usr/bin/env bash
# ranx 0.3.21: documents with equal scores keep the order in which they were inserted, so a run of constant scores has any value.
# The same four documents, all scored 1, listed best first and worst first: NDCG@1 of 1 and 0 (the expectation over ties is .4167).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check ranx==0.3.21
"$work/venv/bin/python" - <<'PYTHON'
from ranx import Qrels, Run, evaluate
grades = {"a": 3, "b": 2, "c": 0, "d": 0}
qrels = Qrels({"q": {k: v for k, v in grades.items() if v}})
seen = tuple(float(evaluate(qrels, Run({"q": {d: 1.0 for d in order}}), "ndcg@1")) for order in ("abcd", "dcba"))
print("NDCG@1 best first, worst first:", seen)
assert seen == (1.0, 0.0), seen
PYTHON
