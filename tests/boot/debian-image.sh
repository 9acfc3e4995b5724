#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# debian-image.sh DIR: makes a Debian i386 guest in DIR from Debian's packages,
# without root and without changing the host's package system:
#
#	DIR/vmlinuz	the stock 686 kernel, unmodified
#	DIR/initrd	busybox and the modules that reach the root disk
#	DIR/root.img	an ext4 root disk (raw, sparse)
#	DIR/modules	its modules: DIR/modules/lib/modules/RELEASE/...
#	DIR/release	the kernel's release
#	DIR/pae/...	vmlinuz, initrd, modules and release of the stock 686-pae kernel,
#			for the same root disk
#	DIR/gnumach	GNU Mach, an ELF file
#
# Does nothing when DIR is up to date.  LILYVM_MIRROR is the Debian mirror.
set -eu

mirror=${LILYVM_MIRROR:-http://deb.debian.org/debian}
suite=bookworm
disk_size=400M
gnumach=gnumach-image-1.8-486
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
PATH=$PATH:/usr/sbin:/sbin

# What a shell that one likes to use is made of.
packages="base-files base-passwd bash bsdutils busybox-static bzip2 coreutils dash debianutils
	diffutils e2fsprogs findutils grep gzip hostname iproute2 iputils-ping kmod less libc-bin
	login mawk mount nano ncurses-base ncurses-bin passwd procps psmisc sed strace sysvinit-utils
	tar usr-is-merged util-linux xz-utils"
# Modules that a machine without such hardware has no use for.
no_modules="sound drivers/gpu drivers/media drivers/net/wireless drivers/net/ethernet/mellanox
	drivers/infiniband drivers/iio drivers/comedi drivers/staging drivers/hwmon"
# Modules of the initrd, with what they depend on: those for a root disk on virtio,
# those for one on IDE.
virtio_modules="virtio_pci virtio_blk crc32c_generic ext4"
ide_modules="ata_piix sd_mod sr_mod crc32c_generic ext4"

here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 64; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
work=$dir/work

say() { echo "image: $*"; }
die() { echo "image: $*" >&2; exit 1; }

# --- packages ----------------------------------------------------------------

# apt-get or apt-cache with a configuration and state of our own, for i386.
apt()
{
	command=$1; shift
	"$command" -q -c "$dir/apt/apt.conf" "$@"
}

setup_apt()
{
	[ -r "$keyring" ] || die "$keyring is missing: install debian-archive-keyring"
	mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial" "$dir/apt/none/partial"
	: >"$dir/apt/status"
	echo "deb [signed-by=$keyring] $mirror $suite main" >"$dir/apt/sources.list"
	cat >"$dir/apt/apt.conf" <<EOF
#clear APT::Architectures;
APT::Architecture "i386";
APT::Architectures { "i386"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "$dir/apt";
Dir::State::status "$dir/apt/status";
Dir::State::lists "$dir/apt/lists";
Dir::Cache "$dir/apt/cache";
Dir::Cache::archives "$dir/apt/cache/archives";
Dir::Etc::sourcelist "$dir/apt/sources.list";
Dir::Etc::sourceparts "-";
EOF
}

# A mirror's index is inconsistent for moments while it is being updated: an
# attempt that fails starts again from a fresh index.
retry()
{
	for pause in 5 15 30 60 0; do
		if "$@"; then return 0; fi
		[ $pause -eq 0 ] || say "not complete, next attempt in $pause s"
		sleep $pause
	done
	die "Debian's packages cannot be obtained from $mirror: see the messages above"
}

# kernel_release FLAVOUR: the release of the current kernel.
kernel_release()
{
	apt apt-cache depends "linux-image-$1" |
		sed -n "s/^ *Depends: linux-image-\\([0-9].*-$1\\)\$/\\1/p" | head -n 1 | grep .
}

fetch()
{
	rm -rf "$dir/apt/lists"/*_* "$dir/apt/lists/partial"/*
	apt apt-get update || return 1
	release=$(kernel_release 686) && pae_release=$(kernel_release 686-pae) || return 1
	# The kernels by themselves: their dependencies are a boot loader's and udev's.
	(cd "$dir/apt/cache/archives" &&
	 apt apt-get download "linux-image-$release" "linux-image-$pae_release" $gnumach) || return 1
	# apt does not name what it already has: ask with an empty cache.
	apt apt-get -y -o Dir::Cache::archives="$dir/apt/none" --print-uris install $packages \
		>"$dir/apt/uris" || return 1
	apt apt-get -y --download-only install $packages || return 1
	awk '/^\047/ { print $2 }' "$dir/apt/uris" >"$dir/apt/debs"
	[ -s "$dir/apt/debs" ]
}

unpack()
{
	dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" -f -
}

# --- kernel and initrd -----------------------------------------------------------

# make_kernel DEST RELEASE: vmlinuz, modules and release.
make_kernel()
{
	mkdir -p "$work/kernel" "$1/modules/lib/modules"
	deb=$(ls -t "$dir/apt/cache/archives/linux-image-$2"_*_i386.deb | head -n 1)
	unpack "$deb" "$work/kernel"
	mv "$work/kernel/boot/vmlinuz-$2" "$1/vmlinuz"
	mv "$work/kernel/lib/modules/$2" "$1/modules/lib/modules/"
	for name in $no_modules; do
		rm -rf "$1/modules/lib/modules/$2/kernel/$name"
	done
	depmod -b "$1/modules" "$2"
	echo "$2" >"$1/release"
	rm -rf "$work/kernel"
}

make_gnumach()
{
	mkdir -p "$work/gnumach.dir"
	unpack "$(ls -t "$dir/apt/cache/archives/${gnumach}"_*_i386.deb | head -n 1)" \
		"$work/gnumach.dir"
	gzip -dc "$work/gnumach.dir"/boot/gnumach-*.gz >"$work/gnumach"
}

# module_files DEST NAME...: files of the modules, dependencies first, each once.
module_files()
{
	tree=$(echo "$1"/modules/lib/modules/*)
	shift
	for name; do
		awk -v name="$name" -F: '
			{ n = split($1, part, "/"); file = part[n]; sub(/\.ko.*/, "", file) }
			file == name {
				n = split($2, dep, " ")
				for (i = n; i > 0; i--) print dep[i]
				print $1
				found = 1
			}
			END { exit !found }' "$tree/modules.dep" ||
			die "the kernel has no module $name"
	done | awk '!seen[$0]++'
}

# copy_modules DEST NAME...: puts them into the initrd, lists their files.
copy_modules()
{
	module_files "$@" | while read -r file; do
		cp "$1"/modules/lib/modules/*/"$file" "$initrd/modules/"
		basename "$file"
	done
}

# make_initrd DEST: with the modules there.
make_initrd()
{
	initrd=$work/initrd.dir
	rm -rf "$initrd" "$work/busybox"
	busybox=$(grep '^busybox-static_' "$dir/apt/debs")
	mkdir -p "$initrd/bin" "$initrd/modules" "$initrd/dev" "$initrd/proc" "$initrd/sys" \
		"$initrd/root" "$work/busybox"
	unpack "$dir/apt/cache/archives/$busybox" "$work/busybox"
	cp "$work/busybox/bin/busybox" "$initrd/bin/busybox"
	ln -s busybox "$initrd/bin/sh"
	cp "$here/initrd-init" "$initrd/init"
	chmod 755 "$initrd/init"
	copy_modules "$1" $virtio_modules >"$initrd/modules/virtio"
	copy_modules "$1" $ide_modules >"$initrd/modules/ide"
	(cd "$initrd" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) |
		gzip -9n >"$1/initrd"
}

# --- all of it ---------------------------------------------------------------

for program in apt-get dpkg-deb fakeroot mke2fs depmod cpio flock; do
	command -v $program >/dev/null || die "$program is missing: run ./bootstrap deps"
done

exec 9>"$dir/lock"
flock -n 9 || { say "another one is at work here, waiting"; flock 9; }

recipe=$(cat "$0" "$here/debian-root.sh" "$here/initrd-init" \
	$(find "$here/debian-root" -type f | LC_ALL=C sort) | sha256sum | cut -d' ' -f1)
if [ "$(cat "$dir/stamp" 2>/dev/null)" = "$recipe" ]; then exit 0; fi

rm -rf "$work" "$dir/stamp"
mkdir -p "$work"
setup_apt
say "obtaining Debian's i386 packages from $mirror"
retry fetch
say "kernels $release and $pae_release"
make_kernel "$work" "$release"
make_kernel "$work/pae" "$pae_release"
make_gnumach
say "initrds"
make_initrd "$work"
make_initrd "$work/pae"
say "root disk of $(wc -l <"$dir/apt/debs") packages"
# Files of the root disk belong to root there, whoever builds it.
fakeroot sh "$here/debian-root.sh" "$work" "$dir/apt" "$disk_size"

rm -rf "$dir/modules" "$dir/pae"
for result in vmlinuz initrd root.img modules release pae gnumach; do
	mv -f "$work/$result" "$dir/$result"
done
rm -rf "$work"
echo "$recipe" >"$dir/stamp"
say "done: $dir"
