#!/usr/bin/env bash
# Find a Chromium for the tests that drive a real browser; as root on Debian, install it. Prints its path.
set -euo pipefail

find_browser() {
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    [ -n "$name" ] && command -v "$name" && return 0
  done
  return 1
}

find_browser && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Chromium" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends chromium >/dev/null
  find_browser && exit 0
fi
echo "No Chromium or Chrome was found. Install one (Debian: apt-get install chromium), or name it: CHROMIUM=/path/to/chrome make test" >&2
exit 1
