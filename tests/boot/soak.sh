#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# soak.sh [BOOTS]: boots the Debian guest to its shell and powers it off, 50 times
# in a row, and tells how long each boot took.  Stops at the first failure.
: "${LILYVM=./lilyvm}" "${LILYVM_IMAGES=${LILYVM_CACHE-$HOME/.cache/lilyvm}/debian}"
: "${abs_top_srcdir=$(cd "$(dirname "$0")/../.." && pwd)}"
boots=${1-50}
work=$(mktemp -d "${TMPDIR:-/tmp}/lilyvm-soak.XXXXXX") || exit 1
. "$abs_top_srcdir/tests/lib/vm.sh"
trap 'vm_stop; rm -rf "$work"' EXIT
vm_options='-m 256 --time-limit 120 --reboot exit'

failed()
{
	echo "boot $n failed: $1"
	tail -n 40 "$vm_log" "$vm_err"
	exit 1
}

n=0
while [ $n -lt "$boots" ]; do
	n=$((n + 1))
	start=$(date +%s%N)
	vm_debian
	vm_prompt 60 || failed 'no prompt'
	echo "boot $n: $((($(date +%s%N) - start) / 1000000)) ms to the prompt"
	vm_type "dmesg | grep -ciE 'oops|BUG:|general protection|segfault|call trace' | sed 's/^/PROBLEMS /'; poweroff"
	vm_wait 60
	[ "$vm_status" = 0 ] || failed "status $vm_status"
	tr -d '\r' <"$vm_log" | grep -aqx 'PROBLEMS 0' || failed 'the kernel complains'
done
echo "$boots boots in a row"
