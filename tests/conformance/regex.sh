#!/usr/bin/env bash
# Compares regular expressions with Node: random patterns on random texts: regex.sh [seed] [count].
set -euo pipefail
cd "$(dirname "$0")"
if [ -z "${RHYTHM_NODE:-}" ]; then
  ./install_node.sh
  RHYTHM_NODE=$PWD/../../.node/node_modules/.bin/node
fi
target=${CARGO_TARGET_DIR:-$PWD/../../target}
cargo build --release --locked --quiet -p rhythm-flow --example regexes
exec "$RHYTHM_NODE" regex.mjs "$target/release/examples/regexes" "$@"
