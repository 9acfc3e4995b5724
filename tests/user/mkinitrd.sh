#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Builds an initrd (cpio newc, gzip) without root.
#
# usage: mkinitrd.sh OUTPUT INIT [-m MODULES-TREE] [-b NAME]... [-u NAME]... [NAME=FILE]...
#
#	INIT		becomes /init
#	-m TREE		a lib/modules/VERSION tree
#	-b NAME		a module to load at boot, with what it depends on: /modules/boot
#	-u NAME		a module for the test to load: /modules/use
#	NAME=FILE	FILE becomes /NAME
#
# A module is named as its file, without ".ko".
set -eu

die() { echo "mkinitrd.sh: $*" >&2; exit 1; }

[ $# -ge 2 ] || die "usage: mkinitrd.sh OUTPUT INIT [-m TREE] [-b NAME] [-u NAME] [NAME=FILE]"
output=$1 init=$2
shift 2
case $output in /*) ;; *) output=$PWD/$output ;; esac
command -v cpio >/dev/null || die "cpio is missing; install the package cpio"

root=$(mktemp -d "${TMPDIR:-/tmp}/initrd.XXXXXX")
trap 'rm -rf "$root"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/mnt" "$root/modules"
: >"$root/modules/boot" >"$root/modules/use"

tree=

# The file of a module: "-" and "_" mean the same in its name.
module_file() {
	find "$tree" -name "$(echo "$1" | sed 's/[-_]/[-_]/g').ko" | head -n 1
}

# Appends a module to the list $2, after the modules that it depends on.
# (A subshell, for the recursion's variables.)
add_module() (
	file=$(module_file "$1")
	if [ -z "$file" ]; then
		grep -q "/$(echo "$1" | sed 's/[-_]/[-_]/g')\.ko$" "$tree/modules.builtin" ||
			die "no module $1 in $tree"
		exit 0
	fi
	path=/modules/${file##*/}
	if grep -qx "$path" "$root/modules/boot" "$root/modules/use"; then
		exit 0
	fi
	for needed in $(tr '\0' '\n' <"$file" | sed -n 's/^depends=//p' | tr ',' ' '); do
		add_module "$needed" "$2"
	done
	cp "$file" "$root$path"
	echo "$path" >>"$root/modules/$2"
)

cp "$init" "$root/init"
chmod 755 "$root/init"
while [ $# -gt 0 ]; do
	case $1 in
	-m) tree=$2; shift 2; [ -d "$tree/kernel" ] || die "$tree: not a modules tree" ;;
	-b) add_module "$2" boot; shift 2 ;;
	-u) add_module "$2" use; shift 2 ;;
	*=*) mkdir -p "$root/$(dirname "${1%%=*}")"
	     cp "${1#*=}" "$root/${1%%=*}"; shift ;;
	*) die "what is '$1'?" ;;
	esac
done

(cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) | gzip -1 >"$output.new"
mv "$output.new" "$output"
