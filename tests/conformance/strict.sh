#!/usr/bin/env bash
# Generates programs, and compares Flow's verdict with Node's: strict.sh [seed] [count].
set -euo pipefail
cd "$(dirname "$0")"
if [ -z "${RHYTHM_NODE:-}" ]; then
  ./install_node.sh
  RHYTHM_NODE=$PWD/../../.node/node_modules/.bin/node
fi
target=${CARGO_TARGET_DIR:-$PWD/../../target}
cargo build --release --locked --quiet -p rhythm-flow --example verdicts
exec "$RHYTHM_NODE" strict.mjs "$target/release/examples/verdicts" "$@"
