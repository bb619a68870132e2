#!/usr/bin/env bash
# Builds the extension for one server and installs it there, as a DBA expects it.
#
# Usage: extension/install.sh PG_CONFIG        (make install PG_CONFIG=/usr/lib/postgresql/17/bin/pg_config)
# DESTDIR is put before the paths, for packagers.
set -euo pipefail

fail() {
  echo "install: $1" >&2
  [ -z "${2:-}" ] || echo "  $2" >&2
  exit 1
}

[ $# -eq 1 ] || { echo "usage: extension/install.sh PG_CONFIG" >&2; exit 2; }
pg_config=$(command -v "$1") || fail "$1 is not there" "Give the server's own: make install PG_CONFIG=/usr/lib/postgresql/18/bin/pg_config"
server=$("$pg_config" --version) || fail "$pg_config does not run"
major=$(printf '%s\n' "$server" | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
case $major in
  15 | 16 | 17 | 18) ;;
  *) fail "$server is not supported" "Rhythm runs on PostgreSQL 15 to 18." ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
# One target directory for each other major: switching bindings back and forth would rebuild them each time.
target=${CARGO_TARGET_DIR:-$root/target}
[ "$major" = 18 ] || target=$target/pg$major
made=$target/rhythm-install

build() {
  local headers
  headers=$("$pg_config" --includedir-server)
  [ -f "$headers/postgres.h" ] ||
    fail "the server headers of $server are missing ($headers/postgres.h)" \
      "On Debian and Ubuntu: apt-get install postgresql-server-dev-$major"
  command -v clang >/dev/null || fail "clang is missing, which reads the server's headers" "On Debian and Ubuntu: apt-get install clang"
  cd "$root"
  PGRX_PG_CONFIG_PATH=$pg_config CARGO_TARGET_DIR=$target \
    cargo build --release --locked -p rhythm --no-default-features --features "pg$major"
  CARGO_TARGET_DIR=$target "$here/assemble.sh" "$pg_config" "$made" >/dev/null
}

if command -v cargo >/dev/null; then
  build
elif [ -f "$made/lib/rhythm.so" ]; then
  # Root often has no cargo of its own: whoever runs this with sudo has built without it before.
  echo "There is no cargo here: installing what was built on $(date -r "$made/lib/rhythm.so" '+%Y-%m-%d at %H:%M')."
else
  fail "cargo is missing" "Install Rust: https://rustup.rs. If root only lacks it, run this without sudo first."
fi

library=${DESTDIR:-}$("$pg_config" --pkglibdir)
shared=${DESTDIR:-}$("$pg_config" --sharedir)/extension
mkdir -p "$library" "$shared" 2>/dev/null || true
for folder in "$library" "$shared"; do
  [ -w "$folder" ] || fail "built, but there is no right to write in $folder" "Now run it with sudo: sudo make install PG_CONFIG=$pg_config"
done
# Renamed into place, so that a running server keeps the library that it has mapped.
put() {
  install -m "$1" "$2" "$3.new"
  mv -f "$3.new" "$3"
}
put 755 "$made/lib/rhythm.so" "$library/rhythm.so"
for file in "$made"/extension/*; do
  put 644 "$file" "$shared/$(basename "$file")"
done

cat <<TEXT
Rhythm is installed in $server.
  1. In postgresql.conf:  shared_preload_libraries = 'rhythm'   (for background workers and instant wake-ups; restart)
  2. In each database:    create extension rhythm;
TEXT
