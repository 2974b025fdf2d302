#!/bin/sh
# What a reviewer should not have to look for: layout, include directions, stale generated files, shell and static checks.
# `lint.sh BUILD`, from the root of the source tree, after a build.
set -eu
build=$1
bad=0
say() { echo "lint: $*"; bad=1; }

files=$(git ls-files '*.c' '*.h' 2>/dev/null || find engine resources state tests -name '*.[ch]')
# shellcheck disable=SC2086
clang-format --dry-run -Werror $files || say "run clang-format -i on the files above"

# includes run one way: core <- lang <- plan <- run <- cli; the store is for run and cli; resources see kind.h and core
may_not() { # directory, forbidden prefix
    grep -rnE "#include \"$2" --include='*.[ch]' "$1" 2>/dev/null && say "$1 must not include $2"
    return 0
}
for above in lang plan run cli; do may_not engine/core "engine/$above/"; done
for above in plan run cli; do may_not engine/lang "engine/$above/"; done
for above in run cli; do may_not engine/plan "engine/$above/"; done
may_not engine/run "engine/cli/"
may_not engine resources/
for low in core lang plan tools; do may_not engine/$low state/; done
may_not resources state/
for inner in plan run cli; do may_not resources "engine/$inner/"; done
may_not resources/iam resources/local/

# every kind has its schema and every schema its driver and its test
for schema in schemas/kinds/*.yaml; do
    kind=$(basename "$schema" .yaml)
    ls resources/*/"$kind".c >/dev/null 2>&1 || say "schema of '$kind' has no driver"
    grep -rqE "kind: *$kind\b|\"$kind\"|$kind" tests --include='*.c' --include='*.py' --include='*.test' || say "kind '$kind' has no test"
done

"$build/schemac" --json-schema "$build/stack.schema.json" schemas/kinds/*.yaml
cmp -s "$build/stack.schema.json" schemas/stack.schema.json || say "schemas/stack.schema.json is stale: make schemas/stack.schema.json"

# only our own names are global
nm -g --defined-only "$build/libsf.a" 2>/dev/null | awk 'NF == 3 && $3 !~ /^sf_/ { print $3 }' | sort -u > "$build/foreign-symbols"
[ ! -s "$build/foreign-symbols" ] || say "global names without sf_: $(tr '\n' ' ' < "$build/foreign-symbols")"

# shellcheck disable=SC2046
shellcheck -S warning $(git ls-files '*.sh' .ci/run 2>/dev/null) || say "shellcheck"

cppcheck --quiet --std=c11 --language=c --enable=warning,portability --inline-suppr --error-exitcode=1 -j2 -I . -I "$build/gen" \
    --suppress=missingInclude --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
    engine resources state || say "cppcheck"

find engine state resources -name '*.c' ! -name schemac.c -print0 |
    xargs -0 -P 2 -n 8 clang-tidy --quiet -- -std=c11 -D_GNU_SOURCE -I. -I"$build/gen" -I/usr/include/postgresql > "$build/clang-tidy.txt" 2>/dev/null ||
    { grep -E '(warning|error):' "$build/clang-tidy.txt" | head -40; say "clang-tidy"; }

[ "$bad" = 0 ] && echo "lint: clean"
exit "$bad"
