#!/bin/sh
# End-to-end tests (pytest) against the programs in $BUILD. As root they run twice where it matters: as root and, through
# the `ws` fixture, as an ordinary user. The tests wait more than they work: SF_WORKERS at a time, 0 for one after the other.
set -eu
cd "$(dirname "$0")/.."
exec /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider -n "${SF_WORKERS:-$(($(nproc) + 2))}" --dist loadgroup tests "$@"
