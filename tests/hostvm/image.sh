#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# image.sh DIR: the emulated host's kernel and initrd in DIR, from the Debian packages
# linux-image-amd64 and busybox-static, which are downloaded, not installed:
#
#	DIR/vmlinuz	the stock amd64 kernel
#	DIR/initrd	busybox, the modules for 9p over virtio, tests/hostvm/init
#
# Does nothing when DIR is up to date.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 64; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
# In the order in which they need one another; kernels differ in which they have.
modules="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci netfs fscache
	9pnet 9pnet_virtio 9p"

recipe=$(cat "$0" "$here/init" | sha256sum | cut -d' ' -f1)
[ "$(cat "$dir/stamp" 2>/dev/null)" != "$recipe" ] || exit 0

rm -rf "$dir/stamp" "$dir/work"
mkdir -p "$dir/work"
trap 'rm -rf "$dir/work"' EXIT
cd "$dir/work"
kernel=$(apt-cache depends linux-image-amd64 |
	sed -n 's/^ *Depends: \(linux-image-[0-9].*-amd64\)$/\1/p' | head -n 1)
[ -n "$kernel" ] || { echo "hostvm: apt knows no linux-image-amd64" >&2; exit 1; }
apt-get -q -o APT::Sandbox::User=root download "$kernel" busybox-static
mkdir root initrd
for deb in *.deb; do
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C root -f -
done
cp root/boot/vmlinuz-* vmlinuz

mkdir initrd/bin initrd/modules initrd/proc initrd/root
for name in $modules; do
	file=$(find root -name "$name.ko" | head -n 1)
	[ -n "$file" ] || continue
	cp "$file" initrd/modules/
	echo "$name.ko"
done >initrd/modules/list
cp "$(find root -path '*/bin/busybox' | head -n 1)" initrd/bin/busybox
ln -s busybox initrd/bin/sh
cp "$here/init" initrd/init
chmod 755 initrd/init
(cd initrd && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) | gzip -9n >initrd.gz
mv vmlinuz "$dir/vmlinuz"
mv initrd.gz "$dir/initrd"
echo "$recipe" >"$dir/stamp"
