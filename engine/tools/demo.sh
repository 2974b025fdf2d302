#!/bin/sh
# The first screen: applies the flagship stack on this machine and shows what is in the warehouse. Run by `make demo`.
set -eu
build=${1:-build}
stack=stacks/sf-finance.yaml

begun=$(date +%s%N)
"$build/sfapply" -f "$stack" -auto-approve
seconds=$(awk -v from="$begun" -v to="$(date +%s%N)" 'BEGIN { printf "%.1f", (to - from) / 1e9 }')

output() { "$build/sfstate" -f "$stack" outputs -raw "$1"; }
rejects=$("$build/sfstate" -f "$stack" -json show spending_revenue | sed -n 's/.*"rejected":\([0-9]*\).*/\1/p')
echo
sh -c "$(output psql_command) -X -q -v seconds='$seconds' -v rejects='$rejects' -f stacks/sf-finance-demo.sql"

cat <<END
Try these:

  $(output psql_command)
  $(output sftp_command)
  $build/sfdestroy -f $stack
END
