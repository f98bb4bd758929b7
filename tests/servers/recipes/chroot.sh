#!/bin/bash
# chroot.sh DIR SUITE PACKAGE: a small Debian of SUITE with PACKAGE under DIR/root. As root, without containers.
set -euo pipefail
DIR=$(realpath -m "$1"); SUITE=$2; PACKAGE=$3; R=$DIR/root
[ ! -e "$R/.done" ] || exit 0
rm -rf "$R"; mkdir -p "$DIR/dl"
# The mirror that this machine takes its own packages from, in either form of its list.
MIRROR=${MIRROR:-$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null |
  awk '/^URIs:/{print $2; exit} /^deb /{for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) {print $i; exit}}' || true)}
[ -n "$MIRROR" ] || { echo "no Debian mirror is configured here; say MIRROR=URL" >&2; exit 1; }
(cd "$DIR/dl" && { ls debootstrap_*.deb >/dev/null 2>&1 || apt-get -q download debootstrap; } && dpkg -x debootstrap_*.deb debootstrap)
export DEBOOTSTRAP_DIR=$DIR/dl/debootstrap/usr/share/debootstrap
# Mounts of its own: nothing stays mounted on the host.
unshare --mount --propagation private "$DIR/dl/debootstrap/usr/sbin/debootstrap" --variant=minbase --include=ca-certificates \
  --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
  "$SUITE" "$R" "$MIRROR" "$DEBOOTSTRAP_DIR/scripts/sid"
printf '#!/bin/sh\nexit 101\n' >"$R/usr/sbin/policy-rc.d"; chmod +x "$R/usr/sbin/policy-rc.d"   # start no service
mkdir -p "$R/etc/postgresql-common"; echo 'create_main_cluster = false' >"$R/etc/postgresql-common/createcluster.conf"
[ ! -e /etc/ssl/certs/ca-certificates.crt ] || cp /etc/ssl/certs/ca-certificates.crt "$R/etc/ssl/certs/"
cp /etc/resolv.conf /etc/hosts "$R/etc/"
"$(dirname "$0")/enter.sh" "$R" -- \
  env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -y --no-install-recommends install "$PACKAGE"
rm -rf "$R"/var/cache/apt/archives/*.deb; mkdir -p "$R/data" "$R/sock"; touch "$R/.done"
