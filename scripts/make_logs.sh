#!/usr/bin/env bash
# Make the logs of tests/fixtures/logs anew with the real tools, offline but for their installation:
#   scripts/make_logs.sh [TOOL ...]      lm_eval, inspect, promptfoo, mlflow, tau_bench; all when absent
# Every tool is installed, at the version below, in a throwaway environment of a temporary folder. PYTHON is 3.12 or later.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
target=$root/tests/fixtures/logs
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$root"/scripts/logs/* "$work"

environment() {  # NAME PACKAGE ...
    "$python" -m venv "$work/$1"
    "$work/$1/bin/python" -m pip install --quiet --disable-pip-version-check "${@:2}"
}

lm_eval() {
    environment lm_eval lm-eval==0.4.13
    "$work/lm_eval/bin/python" "$work/lm_eval_run.py" "$target/lm_eval"
}

inspect() {
    environment inspect inspect-ai==0.3.285
    "$work/inspect/bin/python" "$work/inspect_run.py" "$target/inspect"
}

for tool in "${@:-lm_eval inspect}"; do
    for name in $tool; do
        rm -rf "${target:?}/$name"
        mkdir -p "$target/$name"
        "$name"
    done
done
