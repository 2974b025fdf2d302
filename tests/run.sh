#!/bin/sh
# End-to-end tests (pytest) against the programs in $BUILD. As root they run twice where it matters: as root and, through
# the `as_user` fixture, as an ordinary user.
set -eu
cd "$(dirname "$0")/.."
exec /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider tests "$@"
