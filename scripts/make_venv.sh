#!/usr/bin/env bash
# Make a virtual environment with dfevals (editable) and some of its extras: make_venv.sh DIR EXTRAS [options of uv pip install]
set -euo pipefail
dir=$1 extras=$2
shift 2

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  for python in python3.13 python3.12 python3.11 none; do command -v "$python" >/dev/null 2>&1 && break; done
  if [ "$python" = none ]; then
    echo "dfevals needs Python 3.11 or newer. Install one and say which: make PYTHON=/path/to/python3.11" >&2
    exit 1
  fi
fi

if [ ! -x "$dir/bin/python" ] && ! "$python" -m venv "$dir" >/dev/null 2>&1; then
  rm -rf "$dir"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get -qq update && apt-get -qq install -y python3-venv >/dev/null
  fi
  "$python" -m venv "$dir"
fi

echo "Installing dfevals[$extras] into $dir" >&2
export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-120} UV_LINK_MODE=${UV_LINK_MODE:-copy}
"$dir/bin/python" -m pip install --quiet --disable-pip-version-check "uv>=0.5"
"$dir/bin/uv" pip install --quiet --python "$dir/bin/python" "$@" --editable ".[$extras]"
