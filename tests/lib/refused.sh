# SPDX-License-Identifier: BSD-2-Clause
# Runs that LilyVM has to refuse: with one clear message and the right status.
# Needs tap.sh and `work`.  What is found only when the machine is made cannot be tried
# on a host that runs no guests.

# refused NAME STATUS WORD COMMAND...: COMMAND ends with STATUS, prints nothing on
# standard output and one line on standard error, "lilyvm: ... WORD ...".
refused()
{
	name=$1 wanted=$2 word=$3
	shift 3
	timeout -s KILL 60 "$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	if [ $got = 71 ] && grep -q '^lilyvm: host: 32-bit code: ' "$work/err" &&
	   ! host_runs_guests; then
		skip "$name" "$no_guests"
	elif [ $got != "$wanted" ] || [ -s "$work/out" ] || [ "$(wc -l <"$work/err")" != 1 ] ||
	   ! grep -q '^lilyvm: ' "$work/err" || ! grep -qF -e "$word" "$work/err"; then
		not_ok "$name" "$work/err"
		echo "# status $got, wanted $wanted and '$word'"
	else
		ok "$name"
	fi
}
