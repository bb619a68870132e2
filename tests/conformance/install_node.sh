#!/usr/bin/env bash
# Installs the one Node with which the corpus is compared into .node, from the npm registry: a machine's own may be older.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=22.23.3
node=.node/node_modules/.bin/node
if [ -x "$node" ] && [ "$("$node" --version)" = "v$version" ]; then exit 0; fi
case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) echo "no Node $version for $(uname -m) on npm: set RHYTHM_NODE to one" >&2; exit 1 ;;
esac
echo "==> install Node $version into .node" >&2
npm install --prefix .node --no-save --no-audit --no-fund --loglevel=error "node-linux-$arch@$version" >&2
mkdir -p .node/node_modules/.bin
ln -sf "../node-linux-$arch/bin/node" "$node"
"$node" --version >&2
