# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Shared by what tests the Debian package in an installed Debian: sourced by
# tests/host/package, faults, plain and kernels with their argument, 12 or 13. Their
# mounts are their own, and go with them.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
TOP=$(cd "$(dirname "$0")/../.." && pwd)

case $#/${1:-} in 1/12 | 1/13) ;; *) die "usage: tests/host/${0##*/} 12|13" ;; esac
[ "$(id -u)" = 0 ] || { printf 'KTAP version 1\n1..1\nok 1 host # SKIP Requirement not met: root\n'; exit 4; }
if [ "${HOST_MOUNTS:-}" != private ]; then
	HOST_MOUNTS=private exec unshare --mount --propagation private "$0" "$@"
fi
debian=$1
[ "$debian" != 12 ] || [ "$(default_series)" = 6.1 ] ||
	die "packages for Debian 12 must be built on Debian 12, whose libc is older: run this there"
debs=$("$TOP/scripts/deb")
ready=$("$TOP/tests/host/root" "$debian" ready)
make -s -C "$TOP" guests >&2
need_space 4000 "$CACHE"
scratch
root=$SCRATCH/root layer=$SCRATCH/layer out=$SCRATCH/out
mkdir "$root" "$layer"
n=0
# Nothing is removed through a mount, and nothing stays that we started.
started=''
trap '[ -z "$started" ] || kill -s KILL -- "-$started" 2>/dev/null; ended && rm -rf "$SCRATCH" "$CACHE/tmp/$$".*' EXIT
set +e

# fresh ROOT: an installed Debian as ROOT is, which a case may spoil.
fresh() {
	ended
	mount -t tmpfs tmpfs "$layer"
	mkdir "$layer/over" "$layer/work"
	mount -t overlay -o "lowerdir=$1,upperdir=$layer/over,workdir=$layer/work" overlay "$root" ||
		die "this machine lets us lay no root over another one (overlayfs)"
	mount -t proc proc "$root/proc"
	mount -t tmpfs tmpfs "$root/dev"
	ln -s /proc/self/fd "$root/dev/fd"
	for node in null zero full random urandom tty; do
		: >"$root/dev/$node"
		mount --bind "/dev/$node" "$root/dev/$node"
	done
	mount -t sysfs sysfs "$root/sys"
	mount -t tmpfs tmpfs "$root/sys/firmware"
	mount -t tmpfs tmpfs "$root/run"
	sed 's/^vendor_id.*/vendor_id	: GenuineIntel/' /proc/cpuinfo >"$root/run/cpuinfo"
	mount --bind "$root/run/cpuinfo" "$root/proc/cpuinfo"
	cp /etc/resolv.conf "$root/etc/" 2>/dev/null
	cp "$debs"/kvm-pks-dkms_*_all.deb "$root/root/kvm-pks-dkms.deb"
	cp "$debs"/kvm-pks-tools_*_amd64.deb "$root/root/kvm-pks-tools.deb"
	kernel "$(basename "$root"/lib/modules/*)"
	state >"$SCRATCH/before"
}
# kernel RELEASE: which one the following is about.
kernel() {
	release=$1
	modules=$root/lib/modules/$1
	refused=$root/var/lib/kvm-pks/refused/$1
}
ended() {
	for dir in "$root" "$layer"; do
		! mountpoint -q "$dir" || umount -R "$dir" 2>/dev/null || umount -R -l "$dir" || exit 2
	done
}
# inside COMMAND...: in that Debian, as a group of its own, of which nothing stays.
inside() {
	setsid chroot "$root" env -i --default-signal PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "$@" </dev/null &
	started=$!
	wait $started
	set -- $?
	kill -s KILL -- "-$started" 2>/dev/null
	started=
	return "$1"
}
apt() {
	inside apt-get -q -y "$@" >"$out" 2>&1
}
# state: what must be as before: the modules, with what depmod makes of them, the
# kernels and their initramfs.
state() {
	(cd "$root" && find lib/modules/ boot/ -printf '%y %m %p %l\n' | sort
	 find lib/modules/ boot/ -type f -print0 | sort -z | xargs -0 sha256sum)
}
same() {
	state >"$SCRATCH/after"
	diff "$SCRATCH/before" "$SCRATCH/after" >&2
}
# ours: all of our modules are there and found first, the kernel's own untouched.
ours() {
	for name in kvm kvm-intel; do
		inside modinfo -k "$release" -n "$name" | grep -q "^/lib/modules/$release/updates/dkms/$name\.ko" || return
	done
	untouched && inside modinfo -k "$release" -F parm kvm-intel | grep -q '^pks:' &&
		inside modinfo -k "$release" -F signer kvm-intel | grep -q 'DKMS module signing key' && [ ! -e "$refused" ]
}
# untouched: each file of the kernel's packages is what was unpacked.
untouched() {
	for package in $(inside dpkg-query -W -f '${Package} ' "linux-*-$release"); do
		[ -z "$(inside dpkg --verify "$package")" ] || return
	done
}
# stock SENTENCE: the kernel's own modules, all as before, and why.
stock() {
	same && grep -q "$1" "$refused" && [ "$(wc -l <"$refused")" = 1 ] && grep -q "Linux $release keeps its own KVM, without PKS: .*$1" "$out" &&
		[ "$(inside dpkg-query -W -f '${db:Status-Abbrev}' kvm-pks-dkms)" = 'ii ' ]
}
# quick [COMMAND]: the build takes no time from here on: what make modules has made
# is taken, after COMMAND.
quick() {
	mkdir -p "$root/made"
	cp "$("$TOP/scripts/modules" "$release")"/* "$root/made/"
	for dir in "$root"/usr/src/kvm-pks-*; do
		printf '#!/bin/sh\n%s\ncp /made/*.ko "$2/arch/x86/kvm/"\n' "${1:-}" >"$dir/scripts/compile"
	done
}
# unpacked [COMMAND]: the package is unpacked, with a build that takes no time, and all of
# its installation is still to come.
# shellcheck disable=SC2120
unpacked() {
	fresh "$ready"
	inside dpkg --unpack /root/kvm-pks-dkms.deb >"$out" 2>&1
	quick "${1:-}"
}
configure() {
	inside dpkg --configure -a >"$out" 2>&1
}

# boots JOB [LACKS]: on the emulated machine, where JOB, a script beside us, passes;
# on a processor without the controls LACKS, as lab/bochs.patch names them.
boots() {
	LAB_LACKS=${2:+$2,} "$TOP/tests/host/boot" "$root" "$release" "$TOP/tests/host/$1" "$TOP/out/guests/pks.elf" >"$out" 2>&1
}
# result ID: the test ID passed if $? is 0.
result() {
	rc=$?
	n=$((n + 1))
	if [ $rc = 0 ]; then
		echo "ok $n host.${0##*/}.$1~debian$debian"
	else
		[ ! -s "$out" ] || tail -n 30 "$out" | sed 's/^/# /'
		echo "not ok $n host.${0##*/}.$1~debian$debian"
	fi
}
# finish: the plan, and the end.
finish() {
	echo "1..$n"
	exit 0
}
echo 'KTAP version 1'
