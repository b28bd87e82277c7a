#!/bin/bash
# Process 1 of the guest: mounts what a host has, runs the tests as each user, leaves what they reported, and powers off.
#
# Beside this file are `job.sh` with what was asked for (written by scripts/test-vm.mjs), and `nsclone`, the checkout.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/job.sh"
# That of an initramfs may be 0.
umask 022
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8

mountpoint -q /sys || mount -t sysfs sysfs /sys
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
mkdir -p /dev/pts /dev/shm
mountpoint -q /dev/pts || mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ln -sfn /proc/self/fd /dev/fd
for stream in stdin:0 stdout:1 stderr:2; do ln -sf "/proc/self/fd/${stream#*:}" "/dev/${stream%:*}"; done
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
for controller in cpu memory pids cpuset io; do
  echo "+$controller" 2>/dev/null >/sys/fs/cgroup/cgroup.subtree_control
done
mount --make-rshared /
[ -e /etc/hosts ] || printf '127.0.0.1 localhost\n::1 localhost\n' >/etc/hosts
[ -e /etc/resolv.conf ] || echo "nameserver 127.0.0.1" >/etc/resolv.conf
hostname guest
ip link set lo up

getent passwd 1000 >/dev/null || useradd --uid 1000 --create-home nsclone
name=$(id -nu 1000)
grep -q "^$name:" /etc/subuid || usermod --add-subuids 100000-165535 "$name"
grep -q "^$name:" /etc/subgid || usermod --add-subgids 100000-165535 "$name"

mkdir -m 1777 "$here/results"
echo "guest: Linux $(uname -rm), $(cut -d' ' -f1 /proc/uptime) s after its start"
echo "guest: security modules $(cat /sys/kernel/security/lsm 2>/dev/null), controllers $(cat /sys/fs/cgroup/cgroup.controllers)"
for setting in "${sysctls[@]}"; do
  if ! echo "${setting#*=}" >"/proc/sys/$(tr . / <<<"${setting%%=*}")"; then
    echo "guest: $setting cannot be set"
    echo "$setting" >>"$here/results/refused"
  fi
done

# The root cgroup cannot have processes and, for its children, controllers.
mkdir /sys/fs/cgroup/tests

# as <user>: the tests by this user, who owns the checkout meanwhile.
as() {
  local command=(node_modules/.bin/jest --json --outputFile="$here/results/$1.json" "${patterns[@]}")
  mkdir -p /home/tests
  chown -R "$1:$1" "$here/nsclone" /home/tests
  [ "$1" = 0 ] || command=(setpriv --reuid "$1" --regid "$1" --clear-groups --inh-caps=-all "${command[@]}")
  (
    cd "$here/nsclone" || exit
    echo "$BASHPID" >/sys/fs/cgroup/tests/cgroup.procs
    exec setsid -w env -i PATH="$PATH" HOME=/home/tests USER="$(id -nu "$1")" LANG=C.UTF-8 \
      CI=true NSCLONE_TEST_SLOW="$slow" "${environment[@]}" "${command[@]}" </dev/null
  )
  echo "guest: the tests of user $1 ended with $? after $(cut -d' ' -f1 /proc/uptime) s"
}
for user in "${users[@]}"; do as "$user"; done

# The third disk takes the reports, as an archive without a file system: whoever is outside reads it without mounting it.
for disk in vdc ubdc; do
  [ ! -b "/dev/$disk" ] || tar --create --directory="$here/results" . | dd of="/dev/$disk" bs=1M conv=notrunc status=none
done
sync
echo o >/proc/sysrq-trigger
sleep 60
