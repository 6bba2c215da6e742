# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Shared by the project's shell scripts: source it first.
#
# A script that builds something prints one line on stdout, the folder that
# holds the result, and everything else on stderr. A result is complete or not
# there: it is made under $CACHE/tmp and renamed into place by publish.
# Exit status 2 is a lab or usage error, as everywhere in this project.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kvm-pks
OUT=$TOP/out
# Counted up when what scripts/kernel and scripts/source put into the cache
# changes, so that what an older one left there is not taken.
# shellcheck disable=SC2034
LAYOUT=1
export LC_ALL=C

# die SENTENCE: name what was wrong and what to do, and stop.
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 2
}

say() {
	printf '%s\n' "$*" >&2
}

# short_sum: what comes on stdin as a short name.
short_sum() {
	sha256sum | cut -c1-16
}

# digest PATH...: a short name for the content of files or folders and the
# names in them, so that a result can be cached under it.
digest() {
	_folders=''
	for _d in "$@"; do
		[ -e "$_d" ] || die "there is no $_d to make a digest of"
		[ -f "$_d" ] || _folders=1
	done
	if [ -z "$_folders" ]; then
		sha256sum "$@" | sed 's|  .*/|  |'
	else
		for _d in "$@"; do
			if [ -f "$_d" ]; then
				sha256sum "$_d" | sed 's|  .*/|  |'
			else
				(cd "$(dirname "$_d")" && find -H "$(basename "$_d")" -type f -print0 | sort -z | xargs -0 -r sha256sum)
			fi
		done
	fi | short_sum
}

# free_mb FOLDER: what is free on its disk.
free_mb() {
	df -Pm "$1" | awk 'NR == 2 { print $4 }'
}

# need_space MB FOLDER: refuse before a long step what would fail in its middle.
need_space() {
	workplace
	_free=$(free_mb "$2")
	[ "$_free" -ge "$1" ] ||
		die "$2 has $_free MB free and this step needs $1 MB: free some space or set XDG_CACHE_HOME to a folder on another disk"
}

# has PACKAGE: whether it is installed.
has() {
	dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'
}

# need PACKAGE...: have Debian packages installed; only root can add them.
need() {
	_missing=
	for _p in "$@"; do
		has "$_p" || _missing="$_missing $_p"
	done
	[ -n "$_missing" ] || return 0
	command -v apt-get >/dev/null || die "this machine has no apt-get: install these Debian packages' contents by hand:$_missing"
	[ "$(id -u)" = 0 ] || die "these packages are missing, and only root can install them: apt-get install$_missing"
	know "${_missing##* }"
	# A list that is old names files that are gone.
	install_missing || { step "reading the machine's package lists" 10 apt-get update && install_missing; } ||
		die "apt-get could not install$_missing: see the lines above; check the network and the machine's apt sources"
}

install_missing() {
	# shellcheck disable=SC2086
	step "installing$_missing" 60 env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $_missing
}

# ready: have all packages and the room that the lab and the modules take, before
# the first long step. (Each script that is run alone looks for its own.)
ready() {
	need gcc g++ make libc6-dev bc libelf-dev binutils patch ed xz-utils zstd cpio \
		debian-archive-keyring qemu-system-x86 busybox-static
	[ -n "$(find "$CACHE" -maxdepth 1 -name "kernel-*.$LAYOUT" 2>/dev/null)" ] || need_space 2000 "$CACHE"
}

# offers PACKAGE: whether the machine's own apt has it, after a look at the
# archive where it has no lists of it yet.
offers() {
	[ -z "$(apt-cache madison "$1" 2>/dev/null)" ] || return 0
	[ -n "$(apt-cache madison base-files 2>/dev/null)" ] && return 1
	[ "$(id -u)" = 0 ] || die "apt has no package lists: run apt-get update as root, then try again"
	step "reading the machine's package lists" 10 apt-get update || true
	[ -n "$(apt-cache madison "$1" 2>/dev/null)" ]
}

# know PACKAGE: have apt's lists name the package.
know() {
	! offers "$1" || return 0
	[ "$(id -u)" = 0 ] || die "apt does not know the package $1: run apt-get update as root, then try again"
	step "reading the machine's package lists" 10 apt-get update || true
	[ -n "$(apt-cache madison "$1" 2>/dev/null)" ] ||
		die "apt does not know the package $1 even after apt-get update: check the network and the machine's apt sources"
}

# step WHAT SECONDS COMMAND...: run a long step. SECONDS is what it is known to
# take on two cores. A terminal sees the time running, anything else two lines;
# the command's own output is kept in a file and shown when it fails.
step() {
	_what=$1 _about=$2
	shift 2
	workplace
	_log=$CACHE/tmp/$$.step.log
	_start=$(date +%s)
	_tick=
	if [ -t 2 ]; then
		( while sleep 1; do
			printf '\r%s: %d s of about %d s ' "$_what" $(($(date +%s) - _start)) "$_about" >&2
		done ) &
		_tick=$!
	else
		say "$_what (about $_about s)"
	fi
	_rc=0
	( "$@" ) >"$_log" 2>&1 </dev/null || _rc=$?
	[ -z "$_tick" ] || { kill "$_tick" 2>/dev/null; wait "$_tick" 2>/dev/null || true; printf '\r' >&2; }
	if [ $_rc = 0 ]; then
		say "$_what: done in $(($(date +%s) - _start)) s      "
	else
		say "$_what: failed after $(($(date +%s) - _start)) s; its last lines:"
		tail -n 15 "$_log" >&2 || true
		if [ "$(free_mb "$CACHE")" -lt 20 ]; then
			say "the disk of $CACHE is full: free some space or set XDG_CACHE_HOME to a folder on another disk"
		fi
	fi
	rm -f "$_log"
	return $_rc
}

# workplace: have $CACHE/tmp for files named by our process id. A lock that goes
# with the process and its children tells ours from what a killed run left
# there, which goes now, its lock last; and so does what one left that had our id.
workplace() {
	[ "${_workplace:-}" != $$ ] || return 0
	_lock=$CACHE/tmp/$$.lock
	_why=$( (mkdir -p "$CACHE/tmp" && : >"$_lock") 2>&1) || {
		_why=${_why##*: }
		case $_why in
		*space* | *quota*) die "cannot write to $CACHE: $_why: free some space or set XDG_CACHE_HOME to a folder on another disk" ;;
		*) die "cannot write to $CACHE: $_why: set XDG_CACHE_HOME to a folder that you can write to" ;;
		esac
	}
	# Before we have it another may take it for a killed run's.
	while :; do
		exec 8>"$_lock"
		flock 8
		[ ! -e "$_lock" ] || break
	done
	_workplace=$$
	rm -rf "$CACHE/tmp/$$".[!l]*
	for _l in "$CACHE"/tmp/*.lock; do
		[ "$_l" = "$_lock" ] || flock -n "$_l" rm -rf "${_l%lock}"[!l]* "$_l" || true
	done
	trap 'set +f; rm -rf "$CACHE/tmp/$$".[!l]* "$CACHE/tmp/$$.lock"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# own_out: refuse, before a long step, an out/ in which results of another user
# would stay.
own_out() {
	[ -e "$OUT" ] || [ -w "$TOP" ] || die "$TOP is not writable for you: use a clone of your own"
	[ -e "$OUT" ] || return 0
	_f=$(find "$OUT" ! -type l ! -writable -print -quit 2>/dev/null || true)
	[ -z "$_f" ] ||
		die "$_f is not writable for you, it belongs to $(stat -c %U "$_f"): have $OUT removed, or use a clone of your own"
}

# debian SUITE VARIANT PACKAGE,... FOLDER: make a root of a release of Debian, its
# updates and backports, in FOLDER, by the archive and the settings (a proxy and
# the like) of this machine.
# Only root can. Needs mmdebstrap, and scratch.
# mmdebstrap gives a shell the number of a file of its own, which dash takes only up
# to 9: ours, and those of the make that started us, are in its way.
debian() {
	apt-config dump --no-empty Acquire | grep -v -e '::IndexTargets' -e '::Languages' >"$SCRATCH/apt.conf"
	grep -E "^deb .* $1(-[a-z]+)? main" "$("$TOP/scripts/archive")/sources" >"$SCRATCH/sources"
	mmdebstrap --mode=root --variant="$2" --architectures=amd64 --include="$3" --aptopt="$SCRATCH/apt.conf" \
		--aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' "$1" "$4" "$SCRATCH/sources" \
		3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
}

# lock NAME: one build of a thing at a time; the lock goes with the process.
lock() {
	workplace
	exec 9>"$CACHE/tmp/of.$1"
	flock -n 9 || { say "waiting for another run that makes $1"; flock 9; }
}

# scratch: set SCRATCH to an empty folder that goes when the script ends.
scratch() {
	workplace
	SCRATCH=$CACHE/tmp/$$.scratch
	mkdir -p "$SCRATCH"
}

# default_series: the series of the release that this machine runs.
default_series() {
	case $(. /etc/os-release && echo "${ID:-}-${VERSION_ID:-}") in
	debian-12) echo 6.1 ;;
	debian-13) echo 6.12 ;;
	*) echo 7.2 ;;
	esac
}

# accepted SOURCE: whether PKS is known to fit the source that scripts/source
# printed; says in a sentence on stdout why not. It is asked often and takes
# seconds to tell, so that what was told is kept.
accepted() {
	_verdict=$CACHE/verdicts/${1##*/}-$(digest "$TOP/kvm" "$TOP/scripts")
	if [ ! -f "$_verdict" ]; then
		mkdir -p "$CACHE/verdicts"
		"$TOP/scripts/accept" "$1" >"$_verdict.$$" || [ $? = 1 ] || return 2
		mv "$_verdict.$$" "$_verdict"
	fi
	[ -s "$_verdict" ] || return 0
	cat "$_verdict"
	return 1
}

# copy_edited SOURCE TREE: the files of a kernel source that kvm/steps edits.
copy_edited() {
	sed -n 's/^@ \([^ ]*\).*/\1/p' "$TOP"/kvm/steps/*.ed | tr '|' '\n' | sort -u | while read -r _file; do
		[ ! -f "$1/$_file" ] || { mkdir -p "$2/$(dirname "$_file")" && cp "$1/$_file" "$2/$_file"; }
	done
}

# copy_kvm SOURCE TREE: what scripts/compile takes: KVM, and what else is edited.
copy_kvm() {
	mkdir -p "$2/arch/x86" "$2/virt" && cp -r "$1/arch/x86/kvm" "$2/arch/x86/" && cp -r "$1/virt/kvm" "$2/virt/" &&
		copy_edited "$1" "$2"
}

# take_modules TREE FOLDER: what scripts/compile made in TREE, without what only a
# debugger looks at.
take_modules() {
	mkdir -p "$2" && cp "$1/arch/x86/kvm/kvm.ko" "$1/arch/x86/kvm/kvm-intel.ko" "$2/" && strip --strip-debug "$2"/*.ko
}

# unreviewed DIGESTS: those lines of scripts/texts that kvm/steps/REVIEWED lacks.
unreviewed() {
	awk '/^#/ { next }
		NR == FNR { for (i = 2; i <= NF; i++) reviewed[$1, $i] = 1; next }
		!(($1, $2) in reviewed)' "$TOP/kvm/steps/REVIEWED" "$1"
}

# upstream MAKEFILE: the version that a kernel's top makefile says.
upstream() {
	awk '/^(VERSION|PATCHLEVEL|SUBLEVEL) =/ { printf "%s%s", dot, $3; dot = "." }' "$1"
}

# options FILE NAME: what Kconfig is told for the column NAME of a table of options.
options() {
	awk -v config="$2" '
		/^#/ || !NF { next }
		$1 == "NAME" { for (i = 2; i <= NF; i++) if ($i == config) column = i; next }
		{ value = NF > 2 ? $column : $2 }
		value != "-" { print value == "n" ? "# CONFIG_" $1 " is not set" : "CONFIG_" $1 "=" value }' "$1"
}

# taken TREE FOLDER: whether FOLDER/.config has all of FOLDER/options; Kconfig does
# not say what it has not taken. What this kernel does not have it cannot take.
taken() {
	_wrong=
	while read -r _line; do
		_option=$(echo "$_line" | sed 's/^#* *CONFIG_//; s/[ =].*//')
		case $_line in
		*=*) ! grep -qxF -e "$_line" "$2/.config" || continue ;;
		*) grep -q "^CONFIG_$_option=" "$2/.config" || continue ;;
		esac
		! grep -rqE --include='Kconfig*' "^[[:space:]]*(menu)?config $_option$" "$1" || { _wrong=1; say "$_line"; }
	done <"$2/options"
	[ -z "$_wrong" ]
}

# publish FOLDER NAME: rename a finished folder to its place in the cache.
publish() {
	mv -T "$1" "$CACHE/$2" 2>/dev/null || [ -d "$CACHE/$2" ] || die "cannot write $CACHE/$2"
}

