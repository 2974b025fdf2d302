#!/bin/sh
# Installs the Debian packages that sfstack needs: `deps.sh demo` what the demo needs, `deps.sh dev` the tests' too.
#
# Lists what is missing and does nothing if nothing is. Shows the one apt line and asks (YES=1 does not ask). sudo is used for that
# line only. Installing starts no service and makes no database cluster: what listens on this machine stays the same.
set -eu

demo="gcc make pkg-config libc6-dev libssl-dev libyaml-dev libsqlite3-dev libpq-dev libssh2-1-dev libcurl4-openssl-dev libexpat1-dev libisal-dev
      libzstd-dev postgresql proftpd-core proftpd-mod-crypto proftpd-mod-vroot openssh-client"
dev="libcmocka-dev zlib1g-dev python3 python3-pytest python3-pytest-xdist clang libclang-rt-14-dev clang-format clang-tidy cppcheck shellcheck"

case "${1:-}" in
demo) wanted=$demo ;;
dev) wanted="$demo $dev" ;;
*) echo "usage: deps.sh demo|dev" >&2; exit 64 ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "error: this is not Debian or a relative of it; install what these packages hold:" >&2
    echo "  $(echo "$wanted" | tr -s ' \n' ' ')" >&2
    exit 1
fi

# shellcheck disable=SC2086 # the list is meant to be split
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p' | tr '\n' ' ')
missing=
for package in $wanted; do
    case " $installed" in *" $package "*) ;; *) missing="$missing $package" ;; esac
done
[ -n "$missing" ] || exit 0

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
line="${sudo:+sudo }apt-get install -y --no-install-recommends$missing"
echo "missing packages:$missing"
echo "to be run:  $line"
if [ -n "$sudo" ] && ! command -v sudo >/dev/null 2>&1; then
    echo "error: neither root nor sudo is here; have somebody run that line, then try again" >&2
    exit 1
fi
if [ "${YES:-}" != 1 ]; then
    if [ ! -t 0 ]; then
        echo "error: no terminal to ask on; run that line, or set YES=1" >&2
        exit 1
    fi
    printf 'Install them now? [y/N] '
    read -r answer
    case "$answer" in y | Y | yes) ;; *) exit 1 ;; esac
fi

# Everything that needs root is one script, so that a password is asked for once. It never overwrites a policy of the machine's
# owner, and takes away what it put there. Its first argument is what all paths begin with: nothing, but for a test.
script='
set -eu
root=$1
shift
policy=$root/usr/sbin/policy-rc.d
clusters=$root/etc/postgresql-common/createcluster.conf
made_policy= made_clusters= had_proftpd=1
cleanup() {
    [ -z "$made_policy" ] || rm -f "$policy"
    [ -z "$made_clusters" ] || rm -f "$clusters"
}
trap cleanup EXIT
trap "exit 1" HUP INT TERM
if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
    made_policy=1
    printf "#!/bin/sh\nexit 101\n" > "$policy"
    chmod 755 "$policy"
fi
if [ ! -e "$clusters" ] && [ ! -L "$clusters" ] && ! ls "$root"/etc/postgresql/*/* >/dev/null 2>&1; then
    mkdir -p "${clusters%/*}"
    made_clusters=1
    printf "create_main_cluster = off\n" > "$clusters"
fi
[ -e "$root/usr/sbin/proftpd" ] || had_proftpd=
export DEBIAN_FRONTEND=noninteractive
apt-get install -y --no-install-recommends "$@" || { apt-get update && apt-get install -y --no-install-recommends "$@"; }
# a ProFTPD that came with us must not begin to serve files at the next boot either
if [ -z "$had_proftpd" ] && [ -e "$root/usr/sbin/proftpd" ]; then
    if [ -d "$root/run/systemd/system" ]; then
        systemctl disable --quiet proftpd.service 2>/dev/null || true
    else
        update-rc.d proftpd disable >/dev/null 2>&1 || true
    fi
fi
'
# shellcheck disable=SC2086 # the list is meant to be split
$sudo sh -c "$script" deps "${SF_DEPS_ROOT:-}" $missing
