# SPDX-License-Identifier: BSD-2-Clause
# TAP for shell scripts: `. "$srcdir/tests/lib/tap.sh"`.  Every test ends with
# one "ok" or "not ok" line; tap_done writes the plan.

tap_count=0

# ok NAME: the test NAME has passed.
ok()
{
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

# not_ok NAME [FILE]: the test NAME has failed; FILE says more.
not_ok()
{
	tap_count=$((tap_count + 1))
	echo "not ok $tap_count - $1"
	if [ -n "${2-}" ]; then tail -n 40 "$2" | tap_comment; fi
}

# skip NAME REASON: the test NAME cannot be run here.
skip()
{
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# skip_all REASON: nothing of this script can be run here.
skip_all()
{
	echo "1..0 # SKIP $1"
	exit 0
}

# seconds N: a time limit, longer where LILYVM_TEST_SLOW=FACTOR says that the host is slow.
seconds()
{
	echo $(($1 * ${LILYVM_TEST_SLOW:-1}))
}

# host_lacks THING: the report of `lilyvm host`, asked once, has it as missing.
host_lacks()
{
	: "${tap_host:=$(timeout "$(seconds 60)" "$LILYVM" host 2>/dev/null)}"
	case $tap_host in
	*"MISSING  $1 "* | *"missing  $1 "*) return 0 ;;
	*) return 1 ;;
	esac
}

# host_runs_guests: false on a host that runs no 32-bit code, where no guest can run.
# Whatever else a host lacks that guests need is for the tests to fail at.
# LILYVM_TEST_HOST=no-code32 makes every host such a one.
no_guests='this host runs no 32-bit code (see lilyvm host)'
host_runs_guests()
{
	[ "${LILYVM_TEST_HOST-}" != no-code32 ] && ! host_lacks '32-bit code'
}

# needs_guests: the whole script runs guests, or is skipped.
needs_guests()
{
	host_runs_guests || skip_all "$no_guests"
}

# Quotes standard input as diagnostics, without the console's control characters.
tap_comment()
{
	tr -d '\r\000-\010\013-\037' | sed 's/^/# /'
}

# is NAME GOT WANTED
is()
{
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1"
		echo "# got '$2', wanted '$3'"
	fi
}

# has NAME FILE REGEX: FILE has a line that matches the extended REGEX.
has()
{
	if grep -aqE -- "$3" "$2"; then
		ok "$1"
	else
		not_ok "$1" "$2"
		echo "# no line matches '$3'"
	fi
}

# same NAME WANTED-FILE GOT-FILE
same()
{
	if diff -u "$2" "$3" >"$3.diff"; then
		ok "$1"
	else
		not_ok "$1" "$3.diff"
	fi
	rm -f "$3.diff"
}

tap_done()
{
	echo "1..$tap_count"
}
