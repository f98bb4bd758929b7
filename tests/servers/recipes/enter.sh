#!/bin/sh
# enter.sh ROOT [-u USER] [SOURCE:TARGET...] -- COMMAND...: run COMMAND in the chroot, directories of the host bound in.
# Only exec is used, so COMMAND keeps this process's id; its mounts are private and vanish with it.
set -eu
if [ "${ENTERED:-}" != yes ]; then ENTERED=yes exec unshare --mount --propagation private "$0" "$@"; fi
unset ENTERED
root=$1 user=; shift
if [ "$1" = -u ]; then user=--userspec=$2:$2; shift 2; fi
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do mount --bind "${1%%:*}" "$root/${1##*:}"; shift; done
shift
exec chroot $user "$root" "$@"
