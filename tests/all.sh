#!/bin/sh
# `all.sh PROGRAM...`: every test there is: the unit tests' programs, then the end-to-end tests, whatever became of the first.
# Told to end, it tells the end-to-end tests, which stop what they started, and waits for them.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
sh tests/unit.sh "$@" || bad=1
sh tests/run.sh &
run=$!
trap 'bad=1; kill "$run" 2>/dev/null' HUP INT TERM
wait "$run" || bad=1
while kill -0 "$run" 2>/dev/null; do # a signal ends a wait early
    wait "$run" || bad=1
done
cat "$BUILD/unit/summary"
[ "$bad" = 0 ] && echo "test: all passed" || echo "test: FAILED"
exit "$bad"
