#!/usr/bin/env bash
# rouge 1.0.1 (PyPI) counts n-grams as a set, where ROUGE (Lin 2004) clips counts: a text that repeats one right word scores perfectly.
# "the the the" against "the" has ROUGE-1 F of 0.5 (rouge-score 0.1.2); rouge says 1.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check rouge==1.0.1 rouge-score==0.1.2
"$work/venv/bin/python" - <<'PYTHON'
from rouge import Rouge
from rouge_score.rouge_scorer import RougeScorer
seen = Rouge().get_scores("the the the", "the")[0]["rouge-1"]["f"], RougeScorer(["rouge1"]).score("the", "the the the")["rouge1"].fmeasure
print("rouge, rouge-score:", seen)
assert seen[0] > 0.999 and seen[1] == 0.5, seen
PYTHON
