#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# rewritten-image.sh DIR BUILD: builds Debian's Linux 6.1 by the lilyvm-cc in BUILD, as
# guest-patches/linux-6.1/README says, from the package linux-source-6.1, into DIR:
#
#	DIR/vmlinux	the kernel
#	DIR/modules	its modules: DIR/modules/lib/modules/RELEASE/...
#	DIR/release	its release
#
# Does nothing when DIR was made by the same compiler wrapper from the same source and
# configuration.  With BUILD "plain" it is built by gcc alone, to compare with.
set -eu
PATH=$PATH:/usr/sbin:/sbin
source=/usr/src/linux-source-6.1.tar.xz

[ $# -eq 2 ] || { echo "usage: $0 DIR BUILD" >&2; exit 64; }
config=$(cd "$(dirname "$0")/../../guest-patches/linux-6.1" && pwd)/lilyvm.config
mkdir -p "$1"
dir=$(cd "$1" && pwd)
tree=$dir/tree

say() { echo "rewritten image: $*"; }
die() { echo "rewritten image: $*" >&2; exit 1; }

case $2 in
plain) tools='' cc=gcc ;;
*)	build=$(cd "$2" && pwd)
	tools="$build/lilyvm-as $build/lilyvm-cc"
	cc="$build/lilyvm-cc gcc" ;;
esac
[ -r "$source" ] || die "$source is missing: install linux-source-6.1"
# shellcheck disable=SC2086
stamp=$({ dpkg-query -W linux-source-6.1 gcc; cat "$config" "$0" $tools; } | sha256sum)
if [ "$(cat "$dir/stamp" 2>/dev/null)" = "$stamp" ] && [ -f "$dir/vmlinux" ]; then
	say "$dir is up to date"
	exit 0
fi

kmake() { make -s -C "$tree" -j"$(nproc)" ARCH=i386 CC="$cc" HOSTCC=gcc "$@"; }

rm -rf "$dir/stamp" "$dir/modules" "$tree"
mkdir -p "$tree"
say "unpacking $source"
tar -xf "$source" -C "$tree" --strip-components=1
say "building Linux with $cc"
kmake KCONFIG_ALLCONFIG="$config" allnoconfig
kmake vmlinux modules
kmake INSTALL_MOD_PATH="$dir/modules" modules_install
kmake kernelrelease >"$dir/release"
cp "$tree/vmlinux" "$dir/vmlinux"
rm -rf "$tree"
echo "$stamp" >"$dir/stamp"
say "$dir is ready"
