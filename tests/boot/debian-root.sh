#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# debian-root.sh WORK APT SIZE: part of debian-image.sh that runs under
# fakeroot.  Unpacks the packages listed in APT/debs into WORK/root, does what
# their maintainer scripts would have done, and makes WORK/root.img of it.
set -eu

work=$1
apt=$2
size=$3
here=$(cd "$(dirname "$0")" && pwd)
root=$work/root

unpack_packages()
{
	mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib"
	# Debian 12 has /usr merged: the packages rely on these links.
	for name in bin sbin lib; do ln -s "usr/$name" "$root/$name"; done
	while read -r deb; do
		dpkg-deb --fsys-tarfile "$apt/cache/archives/$deb" |
			tar -x --keep-directory-symlink -C "$root" -f -
	done <"$apt/debs"
}

# What the packages' maintainer scripts would have done.
configure_root()
{
	for file in passwd group; do
		cp "$root/usr/share/base-passwd/$file.master" "$root/etc/$file"
	done
	sed -i 's,^root:\*:,root::,; /^root:/s,:[^:]*$,:/bin/bash,' "$root/etc/passwd"
	[ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
	[ -e "$root/usr/bin/awk" ] || ln -s mawk "$root/usr/bin/awk"
	cp "$root/usr/share/base-files/dot.bashrc" "$root/root/.bashrc"
	cp "$root/usr/share/base-files/dot.profile" "$root/root/.profile"
	cp "$root/usr/share/base-files/profile" "$root/etc/profile"
	for file in motd nsswitch.conf; do
		cp "$root/usr/share/base-files/$file" "$root/etc/$file" 2>/dev/null || true
	done
	mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp" "$root/mnt"
	chmod 1777 "$root/tmp"
	for name in init poweroff halt reboot; do
		ln -sf /bin/busybox "$root/sbin/$name"
	done
	rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale" \
		"$root/usr/share/info"
	cp -R "$here/debian-root/." "$root"
	chmod 755 "$root/etc/init.d/rcS" "$root/usr/local/sbin"/*
}

unpack_packages
configure_root
mkdir -p "$root/lib/modules"
cp -R "$work/modules/lib/modules/." "$root/lib/modules/"
mke2fs -q -t ext4 -b 4096 -L lilyvm-root -d "$root" "$work/root.img" "$size"
