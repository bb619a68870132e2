#!/usr/bin/env bash
# Puts the extension's three files together, as a server wants them:
#   OUT/extension/rhythm.control, OUT/extension/rhythm--VERSION.sql, OUT/lib/rhythm.so
# PostgreSQL 18 loads them from there with
#   extension_control_path = 'OUT:$system'  and  dynamic_library_path = 'OUT/lib:$libdir'.
#
# Usage: extension/assemble.sh PG_CONFIG OUT
# The library must have been built before (cargo build --release -p rhythm), into CARGO_TARGET_DIR or target/.
set -euo pipefail

if [ $# -ne 2 ]; then
  echo "usage: extension/assemble.sh PG_CONFIG OUT" >&2
  exit 2
fi
pg_config=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
built=${CARGO_TARGET_DIR:-$root/target}/release/librhythm.so

if ! server=$("$pg_config" --version 2>/dev/null); then
  echo "assemble: $pg_config does not run: give the pg_config of the server" >&2
  exit 1
fi
if [ ! -f "$built" ]; then
  echo "assemble: $built is missing: run cargo build --release -p rhythm" >&2
  exit 1
fi
version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" "$here/rhythm.control")

# The install script: the portable schema in the order of its numbers, and the functions of the library just before
# the grants. Bodies in PL/pgSQL are bound late, so they may call what comes after them.
install_script() {
  echo '\echo Use "CREATE EXTENSION rhythm" to load this file. \quit'
  for part in "$root"/sql/schema/*.sql; do
    if [ "$(basename "$part")" = 99_grants.sql ]; then
      cat "$root"/sql/native/*.sql
    fi
    cat "$part"
  done
}

# Each file is made aside and renamed: a server that runs keeps the library that it has mapped.
place() {
  local mode=$1 to=$2
  cat >"$to.new"
  chmod "$mode" "$to.new"
  mv -f "$to.new" "$to"
}

mkdir -p "$out/extension" "$out/lib"
install_script | place 644 "$out/extension/rhythm--$version.sql"
for upgrade in "$root"/sql/upgrade/rhythm--*.sql; do
  [ -e "$upgrade" ] || continue
  place 644 "$out/extension/$(basename "$upgrade")" <"$upgrade"
done
place 644 "$out/extension/rhythm.control" <"$here/rhythm.control"
place 755 "$out/lib/rhythm.so" <"$built"
echo "rhythm $version for $server is in $out"
