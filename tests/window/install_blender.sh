#!/usr/bin/env bash
# Installs Debian unstable's Blender (a real window, not the wheel) and Xvfb into a folder, as a chroot.
# usage: install_blender.sh DIR    needs root and a Debian machine with debootstrap; does nothing when DIR is complete.
set -euo pipefail

root=${1:?usage: install_blender.sh DIR}
stamp=$root/.likeness-window
packages="blender xvfb xauth xdotool libgl1-mesa-dri libegl1 python3-numpy python3-cattr"
[ "$(cat "$stamp" 2>/dev/null)" = "$packages" ] && exit 0

# The machine's own archive: it is reachable, and no other address needs to be known here.
archive=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -1)
[ -n "$archive" ] || archive=$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:\/\//) { print $i; exit } }' \
    /etc/apt/sources.list)
[ -n "$archive" ] || { echo "no Debian archive in the machine's apt sources" >&2; exit 1; }

# A half-made chroot of an interrupted run is not worth repairing. Nothing may be mounted in it then.
mounted() { awk -v at="$root/" 'index($2, at) == 1 { print $2 }' /proc/mounts | sort -r; }
unmount() { mounted | while read -r point; do umount "$point"; done; }
unmount
[ -z "$(mounted)" ] || { echo "$root has mounts that do not come off" >&2; exit 1; }
rm -rf --one-file-system "$root"
mkdir -p "$root"
trap unmount EXIT

echo "debootstrap sid into $root"
debootstrap --variant=minbase --include=ca-certificates sid "$root" "$archive" >"$root.log" 2>&1 \
    || { tail -n 20 "$root.log" >&2; exit 1; }

# What lets this machine reach its archive: names, certificates, apt's own settings and credentials.
cp -L /etc/hosts /etc/resolv.conf "$root/etc/" 2>/dev/null || true
cp -rL /etc/ssl/certs "$root/etc/ssl/" 2>/dev/null || true
for folder in apt.conf.d auth.conf.d; do
    [ -d "/etc/apt/$folder" ] && cp -rL "/etc/apt/$folder/." "$root/etc/apt/$folder/" 2>/dev/null || true
done
rm -f "$root"/etc/apt/apt.conf.d/*packagekit* "$root"/etc/apt/apt.conf.d/*appstream*
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"

echo "apt-get install $packages"
export DEBIAN_FRONTEND=noninteractive
chroot "$root" apt-get update -q >>"$root.log" 2>&1 &&
    # shellcheck disable=SC2086 -- a list of words
    chroot "$root" apt-get install -y -q --no-install-recommends $packages >>"$root.log" 2>&1 ||
    { tail -n 20 "$root.log" >&2; exit 1; }
chroot "$root" apt-get clean
echo "$packages" >"$stamp"
