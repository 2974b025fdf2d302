#!/bin/sh
# The first screen: applies the flagship stack on this machine and shows what is in the warehouse. Run by `make demo`.
set -eu
build=${1:-build}
stack=stacks/sf-finance.yaml

"$build/sfapply" -f "$stack" -auto-approve

psql=$("$build/sfstate" -f "$stack" outputs -raw psql_command)
sftp=$("$build/sfstate" -f "$stack" outputs -raw sftp_command)
ask() {
    sh -c "$psql \"\$@\"" psql -X -q "$@"
}
echo
ask -At -F ' ' -f stacks/sf-finance-demo.sql
echo
echo 'Try these:'
echo
echo "  $psql"
echo "  $sftp"
echo "  $build/sfdestroy -f $stack"
