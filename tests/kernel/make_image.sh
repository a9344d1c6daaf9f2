#!/usr/bin/env bash
# A kernel and a first file system from Debian packages: make_image.sh FOLDER BINARY... (whole
# paths). The kernel's package is unpacked, not installed. Exit 3: it cannot be had.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
shift
binaries=("$@")
mkdir -p "$folder"
cd "$folder"
if [ ! -d kernel ]; then
    package=$(apt-cache depends linux-image-amd64 |
        sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1)
    [ -n "$package" ] || exit 3
    apt-get download -qq "$package" 2>/dev/null || exit 3
    dpkg-deb -x "$package"_*.deb kernel.part
    rm -f "$package"_*.deb
    mv kernel.part kernel
fi
version=$(ls kernel/lib/modules)
modules=kernel/lib/modules/$version
rm -rf root
mkdir -p root/{bin,rig,proc,sys,dev,tmp,run,etc,lib64} root/lib/{systemd,udev/rules.d} root/usr \
    "root/lib/modules/$version"
ln -s ../lib root/usr/lib
ln -s ../bin root/usr/bin
cp /bin/busybox root/bin/
for name in sh mount modprobe ls cat echo sleep poweroff ln mkdir rm cut sed grep head tail uname \
    dmesg wc; do
    ln -sf busybox "root/bin/$name"
done
target=$(cd "root/lib/modules/$version" && pwd)
(
    cd "$modules"
    cp --parents -r kernel/drivers/usb/{core,common,host,class,serial,gadget,usbip,misc,mon,roles} \
        kernel/drivers/hid kernel/drivers/input kernel/drivers/leds kernel/drivers/char \
        modules.order modules.builtin modules.builtin.modinfo "$target"
    [ ! -d kernel/fs/configfs ] || cp --parents -r kernel/fs/configfs "$target"
)
depmod -b root "$version"
cp "${binaries[@]}" root/rig/
cp -L /lib/systemd/systemd-udevd root/lib/systemd/
cp /lib/udev/rules.d/50-udev-default.rules root/lib/udev/rules.d/
cp "$here"/../../udev/*.rules root/lib/udev/rules.d/
for binary in root/rig/* root/lib/systemd/systemd-udevd; do
    ldd "$binary" | grep -o '/[^ ]*' || true
done | sort -u | while read -r library; do
    mkdir -p "root$(dirname "$library")"
    cp -L "$library" "root$library"
done
printf 'root:x:0:0::/:/bin/sh\n' >root/etc/passwd
printf 'root:x:0:\ndialout:x:20:\nplugdev:x:46:\n' >root/etc/group
cp "$here/init" root/init
(cd root && find . | cpio -o -H newc 2>/dev/null | gzip -1 >../root.gz)
