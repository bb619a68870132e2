#!/usr/bin/env bash
# Writes what the pinned Node knows of Unicode into flow/src/regex/unicode.txt; --check only compares.
set -euo pipefail
cd "$(dirname "$0")"
if [ -z "${RHYTHM_NODE:-}" ]; then
  ./install_node.sh
  RHYTHM_NODE=$PWD/../../.node/node_modules/.bin/node
fi
exec "$RHYTHM_NODE" unicode.mjs "$@"
