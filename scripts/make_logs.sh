#!/usr/bin/env bash
# Make the logs of tests/fixtures/logs anew with the real tools, offline but for their installation:
#   scripts/make_logs.sh [TOOL ...]      lm_eval, inspect, promptfoo, mlflow, bfcl (all when absent); tau_bench with TABLE=…
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

promptfoo() {
    (cd "$work" && npm install --no-audit --no-fund --silent promptfoo@0.121.20)
    (
        cd "$work"
        export PROMPTFOO_DISABLE_TELEMETRY=1 PROMPTFOO_DISABLE_UPDATE=1 PROMPTFOO_CONFIG_DIR=$work/config
        node node_modules/promptfoo/dist/src/main.js eval -c promptfooconfig.yaml --no-cache --no-table --repeat 2 -j 3 \
            -o "$target/promptfoo/words.json" -o "$target/promptfoo/words.jsonl" || true  # it ends with 100: tests failed
    )
    sed -i -e "s|$target/promptfoo/||g" -e "s|$work/||g" "$target"/promptfoo/*
}

mlflow() {
    environment mlflow mlflow==3.17.2
    (cd "$work" && mlflow/bin/python mlflow_run.py "$target/mlflow")
}

bfcl() {
    environment bfcl bfcl-eval==2026.3.23 soundfile
    "$work/bfcl/bin/python" "$work/bfcl_run.py" "$target/bfcl"
}

tau_bench() {  # TABLE: see tau_bench_part.py
    environment tau_bench pandas pyarrow
    "$work/tau_bench/bin/python" "$work/tau_bench_part.py" "$TABLE" "$target/tau_bench"
}

for tool in "${@:-lm_eval inspect promptfoo mlflow bfcl}"; do
    for name in $tool; do
        rm -rf "${target:?}/$name"
        mkdir -p "$target/$name"
        "$name"
    done
done
