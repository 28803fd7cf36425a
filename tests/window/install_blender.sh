#!/usr/bin/env bash
# Installs Debian unstable's Blender (a real window, not the wheel) and Xvfb into a folder, as a chroot.
# usage: install_blender.sh DIR    needs root and a Debian machine with debootstrap; a complete DIR is left as it is.
set -euo pipefail

root=${1:?usage: install_blender.sh DIR}
packages="blender xvfb xauth xdotool libgl1-mesa-dri libegl1 python3-numpy python3-cattr python3-requests"
[ "$(cat "$root/.likeness-window" 2>/dev/null)" = "$packages" ] && exit 0

# In a mount namespace of its own, so that whatever happens no mount outlives this script.
[ "${LIKENESS_OWN_MOUNTS:-}" ] || LIKENESS_OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"

# The machine's own archive: it is reachable, and no other address needs to be known here.
archive=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null |
    sed -n -e 's/^URIs: *\([^ ]*\).*/\1/p' -e 's/^deb  *\(\[[^]]*\]  *\)\{0,1\}\([^ ]*\).*/\2/p' | head -1) || true # one of the two files is always missing
[ -n "$archive" ] || { echo "no Debian archive in the machine's apt sources" >&2; exit 1; }

log=$root.log
failed() { tail -n 20 "$log" >&2; exit 1; }

if [ ! -f "$root/.likeness-system" ]; then
    echo "debootstrap sid into $root"
    rm -rf --one-file-system "$root" # what an interrupted debootstrap left is not worth repairing
    mkdir -p "$root"
    debootstrap --variant=minbase --include=ca-certificates sid "$root" "$archive" >"$log" 2>&1 || failed
    touch "$root/.likeness-system"
fi

# What lets this machine reach its archive: names, certificates, apt's settings and credentials.
cp -L /etc/hosts /etc/resolv.conf "$root/etc/"
cp -rL /etc/ssl/certs "$root/etc/ssl/" 2>/dev/null || true # a dangling link in it does not matter
for folder in apt.conf.d auth.conf.d; do
    mkdir -p "$root/etc/apt/$folder"
    find "/etc/apt/$folder" -type f ! -name '*packagekit*' ! -name '*appstream*' \
        -exec cp {} "$root/etc/apt/$folder/" \; 2>/dev/null || true
done
mountpoint -q "$root/proc" || mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"

echo "apt-get install $packages"
export DEBIAN_FRONTEND=noninteractive
chroot "$root" apt-get update -q >>"$log" 2>&1 || failed
# shellcheck disable=SC2086 -- a list of words
chroot "$root" apt-get install -y -q --no-install-recommends $packages >>"$log" 2>&1 || failed
chroot "$root" apt-get clean
echo "$packages" >"$root/.likeness-window"
