#!/usr/bin/env bash
# Runs generated programs in Flow and in Node: run.sh [--n 20000] [--seed 1] [--from 0] [--show] [--most 10].
set -euo pipefail
cd "$(dirname "$0")"
if [ -z "${RHYTHM_NODE:-}" ]; then
  ../conformance/install_node.sh
  RHYTHM_NODE=$PWD/../../.node/node_modules/.bin/node
fi
target=${CARGO_TARGET_DIR:-$PWD/../../target}
cargo build --release --locked --quiet -p rhythm-flow --example runs
"$RHYTHM_NODE" --test --test-reporter=dot compare.test.mjs >&2
exec "$RHYTHM_NODE" main.mjs "$target/release/examples/runs" "$@"
