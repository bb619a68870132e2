# Sourced by the other scripts: says what is being done and how long it took. Knows nothing of Rhythm.

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
  bold='' green='' red='' plain=''
fi

# stage "what is done" command…: runs the command, and shows its output only when it fails.
stage() {
  local what=$1 started=$SECONDS log ticker
  shift
  log=$(mktemp)
  printf '%s==>%s %s\n' "$bold" "$plain" "$what" >&2
  # A long build says every 30 seconds that it is alive, and what it is at.
  (
    while sleep 30; do
      printf '    … %ds: %s\n' $((SECONDS - started)) "$(tail -n 1 "$log" | cut -c1-100)" >&2
    done
  ) &
  ticker=$!
  local status=0
  "$@" >"$log" 2>&1 </dev/null || status=$?
  kill "$ticker" 2>/dev/null
  wait "$ticker" 2>/dev/null || true
  if [ "$status" -eq 0 ]; then
    printf '    %sdone%s in %ds\n' "$green" "$plain" $((SECONDS - started)) >&2
  else
    printf '    %sfailed%s after %ds, exit code %d:\n' "$red" "$plain" $((SECONDS - started)) "$status" >&2
    tail -n 80 "$log" >&2
  fi
  rm -f "$log"
  return "$status"
}
