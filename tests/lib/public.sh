# SPDX-License-Identifier: BSD-2-Clause
# For tests that run as several users: needs `work`, a directory all can enter.

# for_all_users FILE...: copies of lilyvm and of the files in $work, readable for
# every user (a build or cache directory may not be); LILYVM becomes the copy.
for_all_users()
{
	cp "$LILYVM" "$work/lilyvm" || return 1
	cp --sparse=always "$@" "$work/" || return 1
	chmod 755 "$work/lilyvm"
	for file in "$@"; do
		chmod 644 "$work/${file##*/}"
	done
	LILYVM=$work/lilyvm
}
