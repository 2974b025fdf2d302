#!/bin/sh
# What a reviewer should not have to look for: layout, include directions, stale generated files, shell and static checks.
# `lint.sh BUILD`, from the root of the source tree, after a build.
set -eu
build=$1
bad=0
say() { echo "lint: $*"; bad=1; }
jobs=$(nproc)
flags="-std=c11 -D_GNU_SOURCE -DSF_ANALYZE -I. -I$build/gen $(pkg-config --cflags openssl yaml-0.1 sqlite3 libpq libssh2)"
export flags

files=$(git ls-files '*.c' '*.h' 2>/dev/null || find engine resources state tests -name '*.[ch]')
# shellcheck disable=SC2086
clang-format --dry-run -Werror $files || say "run clang-format -i on the files above"

# includes run one way; attr/ is generated from the schemas
may_include() { # directory, then all that its files may include: folders, or single headers
    folder=$1
    shift
    [ -e "$folder" ] || return 0
    allowed=$(printf '|%s' "$@")
    grep -rnE '^#include "' --include='*.[ch]' "$folder" | grep -vE "#include \"(${allowed#|})" | sed 's/^/  /' > "$build/includes" || true
    [ -s "$build/includes" ] || return 0
    cat "$build/includes"
    say "$folder may include $* and nothing else of ours"
}
may_include engine/kind.h engine/core/
may_include engine/core engine/core/
may_include engine/lang engine/core/ engine/lang/
may_include engine/plan engine/core/ engine/lang/ engine/plan/ engine/kind.h
may_include engine/run engine/core/ engine/lang/ engine/plan/ engine/run/ engine/kind.h state/store.h
may_include engine/cli engine/core/ engine/lang/ engine/plan/ engine/run/ engine/cli/ engine/kind.h state/store.h
may_include engine/tools engine/core/ engine/lang/ engine/tools/
may_include state engine/core/ state/
may_include resources/net engine/core/ resources/net/
may_include resources/site engine/core/ engine/kind.h attr/ resources/net/ resources/site/
may_include resources/iam engine/core/ resources/iam/
may_include resources/data engine/core/ engine/kind.h engine/lang/yaml.h attr/ resources/net/ resources/site/file.h resources/data/
may_include resources/review engine/core/ engine/kind.h attr/ resources/iam/ resources/data/dataset_attrs.h resources/data/delta.h resources/review/
may_include resources/local engine/core/ engine/kind.h attr/ resources/net/ resources/site/ resources/iam/ resources/data/world.h resources/data/dialect.h \
    resources/local/
may_include resources/aws engine/core/ engine/kind.h attr/ resources/net/ resources/site/ resources/iam/ resources/data/world.h \
    resources/data/dialect.h resources/data/manifest.h resources/data/sql.h resources/aws/
# every kind has its driver and its test
for schema in schemas/kinds/*.yaml; do
    kind=$(basename "$schema" .yaml)
    ls resources/*/"$kind".c >/dev/null 2>&1 || say "schema of '$kind' has no driver"
    grep -rqw "$kind" tests --include='*.c' --include='*.py' --include='*.test' || say "kind '$kind' has no test"
done

"$build/schemac" --json-schema "$build/stack.schema.json" schemas/kinds/*.yaml
cmp -s "$build/stack.schema.json" schemas/stack.schema.json || say "schemas/stack.schema.json is stale: make schemas/stack.schema.json"

# only our own names are global
nm -g --defined-only "$build/libsf.a" 2>/dev/null | awk 'NF == 3 && $3 !~ /^sf_/ { print $3 }' | sort -u > "$build/foreign-symbols"
[ ! -s "$build/foreign-symbols" ] || say "global names without sf_: $(tr '\n' ' ' < "$build/foreign-symbols")"

# shellcheck disable=SC2046
shellcheck -S warning $(git ls-files '*.sh' .ci/run 2>/dev/null) || say "shellcheck"

cppcheck --quiet --std=c11 --language=c --enable=warning,portability --inline-suppr --error-exitcode=1 -j"$jobs" \
    -I . -I "$build/gen" --library=engine/tools/cppcheck.cfg \
    --suppress=missingInclude --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
    engine resources state || say "cppcheck"

# One file a process: clang 14's va_list check is wrong from the second file on. A quarter of the analyzer's usual budget a function
# finds the same here, in a quarter of the time.
each() { # runs a shell command for every C file of the folders, prints what it prints once, fails if one of them fails
    command=$1
    shift
    find "$@" -name '*.c' -print0 | xargs -0 -P "$jobs" -n 1 sh -c "$command" each > "$build/found" 2>&1 && return 0
    grep -E '(warning|error):' "$build/found" | sort -u | head -40
    return 1
}
# shellcheck disable=SC2016 # expanded by the shell that runs for each file
each 'clang-tidy --quiet "$1" -- $flags -Xclang -analyzer-config -Xclang max-nodes=50000' engine state resources || say "clang-tidy"
# shellcheck disable=SC2016
each 'gcc -O2 -fanalyzer -Werror $flags -c "$1" -o /dev/null' engine state || say "gcc -fanalyzer"

[ "$bad" = 0 ] && echo "lint: clean"
exit "$bad"
