#!/bin/sh
# `all.sh PROGRAM...`: every test there is: the unit tests' programs, then the end-to-end tests, whatever became of the first.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
sh tests/unit.sh "$@" || bad=1
sh tests/run.sh || bad=1
cat "$BUILD/unit/summary"
[ "$bad" = 0 ] && echo "test: all passed" || echo "test: FAILED"
exit "$bad"
