#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of ./demo: an account that must not go below zero, and somebody who does it.
set -eu

modules=/lib/modules/$(uname -r)
victim=/sys/kernel/debug/victim
report=$(mktemp)
mkdir -p "$modules/extra"
cp "$1" "$modules/extra/victim.ko"
insmod "$modules/extra/victim.ko"

echo "# Linux $(uname -r). A module counts the references to an account. Now and then the count"
echo "# goes below zero, and nobody knows who does it."
echo
echo "\$ culprit watch victim:account.refs --expect 'new >= 0'"
culprit watch victim:account.refs --expect 'new >= 0' >"$report" &
tries=0
until [ -s "$report" ] || [ $tries = 300 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
echo use_account 3 >$victim/run
echo close_account >$victim/run
status=0
wait $! || status=$?
cat "$report"
echo
echo "# Exit status $status: guilty. The module keeps books of its own, which culprit does not see:"
sed -n 's/^put_twice .*\(last_old=[^ ]* last_new=[^ ]* func=[^ ]* line=[^ ]*\).*/# put_twice \1/p' $victim/books
[ $status = 3 ]
