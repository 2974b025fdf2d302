#!/bin/sh
# `unit.sh PROGRAM...`: runs the unit tests' programs, as many at a time as there are processors. Each writes to PROGRAM.log; what a
# failing one wrote is shown. Ends with one line that sums up, kept in $BUILD/unit/summary; fails if one of them failed.
set -u
begun=$(date +%s)
failed=$BUILD/unit/failed
: > "$failed"
export failed
# shellcheck disable=SC2016 # expanded by the shell that runs for each program; the slowest ones come last in the alphabet
printf '%s\n' "$@" | sort -r | xargs -P "$(nproc)" -n 1 sh -c '"$1" > "$1.log" 2>&1 || echo "$1 (exit $?)" >> "$failed"' run
sort "$failed" | while read -r program how; do
    echo "--- $program $how"
    grep -v -e '^\[       OK ' -e '^\[ RUN ' "$program.log"
done
passed=$(for program in "$@"; do cat "$program.log"; done | grep -c '^\[       OK ')
skipped=$(for program in "$@"; do cat "$program.log"; done | grep -c '^\[  SKIPPED \] [a-z]')
echo "unit: $# programs, $(wc -l < "$failed") failed; $passed tests passed, $skipped skipped; $(($(date +%s) - begun)) s" |
    tee "$BUILD/unit/summary"
[ ! -s "$failed" ]
