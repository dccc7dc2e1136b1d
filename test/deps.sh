#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# deps.sh deps|deps-all - install what `make check`, or `make check-all`, needs
# and this machine has not.  Silent when nothing is missing; otherwise it
# prints the command before it runs it.  What counts is whether the thing is
# there, not which package it came from.
# shellcheck disable=SC2317 # the tables are called by name

CC=${CC:-cc}

has() {
	command -v "$1" >/dev/null 2>&1
}
header() {
	echo "#include <$1>" | $CC -E - >/dev/null 2>&1
}

# what THING is missing, in words that the tables of packages below know.
missing() {
	has "$CC" && has ld && header stdlib.h && header linux/futex.h ||
		echo compiler
	has make || echo compiler
	has pkg-config || echo pkg-config
	pkg-config --exists check 2>/dev/null || echo check
	header urcu/list.h || echo urcu
	header numa.h || echo numa
	[ "$1" = deps-all ] || return
	has g++ || echo g++
	has clang || echo clang
	has clang-format || has clang-format-14 || echo clang-format
	has mandoc || echo mandoc
	has cmake || echo cmake
	has gdb || echo gdb
	has shellcheck || echo shellcheck
	# These two are not needed where they are not packaged: what they check
	# does not depend on the machine.
	has spin || ! has apt-get || echo spin
	has aarch64-linux-gnu-gcc || ! has apt-get || echo aarch64
	# Static probes, and who watches them: optional, so only where it is easy.
	header sys/sdt.h || ! has apt-get || echo sdt
	has gdb || ! has apt-get || echo gdb
	sanitizers || echo sanitizers
}

# Fedora keeps the sanitizers' run time apart; Alpine has none for gcc.
sanitizers() {
	has dnf || return 0
	for s in address undefined thread; do
		echo 'int main(void) { return 0; }' |
			$CC -fsanitize=$s -o /dev/null -xc - 2>/dev/null || return
	done
}

apt() {
	case $1 in
	compiler | g++) echo build-essential ;;
	check | pkg-config | clang | clang-format | mandoc | shellcheck | spin | cmake)
		echo "$1" ;;
	urcu | numa) echo "lib$1-dev" ;;
	aarch64) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross ;;
	sdt) echo systemtap-sdt-dev ;;
	gdb) echo gdb ;;
	esac
}
dnf_() {
	case $1 in
	compiler) echo gcc binutils make glibc-devel kernel-headers ;;
	g++) echo gcc-c++ ;;
	pkg-config) echo pkgconf-pkg-config ;;
	check) echo check-devel ;;
	urcu) echo userspace-rcu-devel ;;
	numa) echo numactl-devel ;;
	clang | mandoc | cmake | gdb) echo "$1" ;;
	clang-format) echo clang-tools-extra ;;
	shellcheck) echo ShellCheck ;;
	sanitizers) echo libasan libubsan libtsan ;;
	esac
}
pacman_() {
	case $1 in
	compiler | pkg-config | g++) echo base-devel ;;
	urcu) echo liburcu ;;
	numa) echo numactl ;;
	clang-format) echo clang ;;
	check | clang | mandoc | shellcheck | cmake | gdb)
		echo "$1" ;;
	esac
}
apk_() {
	case $1 in
	compiler | g++) echo build-base linux-headers ;;
	pkg-config) echo pkgconf ;;
	check) echo check-dev ;;
	urcu) echo userspace-rcu-dev ;;
	numa) echo numactl-dev ;;
	clang | mandoc | shellcheck | cmake | gdb) echo "$1" ;;
	clang-format) echo clang-extra-tools ;;
	esac
}

# packages TABLE: the packages of all that is missing, each once.
packages() {
	missing "$goal" | while read -r thing; do
		$1 "$thing"
	done | tr ' ' '\n' | sort -u | tr '\n' ' ' | sed 's/ $//'
}

say_and_run() {
	echo "$1"
	sh -c "$1" </dev/null
}

goal=$1
[ -n "$(missing "$goal")" ] || exit 0

sudo=
[ "$(id -u)" -eq 0 ] || ! has sudo || sudo='sudo '
if has apt-get; then
	names=$(packages apt)
	update="${sudo}apt-get update"
	install="${sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y \
--no-install-recommends"
	# Package lists may be absent (fresh containers) or too old to be true.
	# shellcheck disable=SC2086
	if apt-get install -s $names >/dev/null 2>&1; then
		say_and_run "$install $names" ||
			say_and_run "$update && $install $names"
	else
		say_and_run "$update && $install $names"
	fi
elif has dnf; then
	say_and_run "${sudo}dnf install -y $(packages dnf_)"
elif has pacman; then
	say_and_run "${sudo}pacman -Sy --needed --noconfirm $(packages pacman_)"
elif has apk; then
	say_and_run "${sudo}apk add -U $(packages apk_)"
fi

left=$(missing "$goal" | sort -u | tr '\n' ' ')
[ -z "$left" ] && exit 0
echo "still missing: $left(DEPS=no goes on without)" >&2
exit 1
