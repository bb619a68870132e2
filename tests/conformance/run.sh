#!/usr/bin/env bash
# Runs the corpus in Node: run.sh [--write] [part of a name]. RHYTHM_NODE names another Node than the pinned one.
set -euo pipefail
cd "$(dirname "$0")"
if [ -z "${RHYTHM_NODE:-}" ]; then
  ./install_node.sh
  RHYTHM_NODE=$PWD/../../.node/node_modules/.bin/node
fi
exec "$RHYTHM_NODE" run_node.mjs "$@"
