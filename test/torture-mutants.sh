#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# torture-mutants.sh [NAME...] - can the torture test fail?  Called by hand, in
# the top folder.  Copies the library, makes one thing wrong, and demands that
# test_int_torture finds it; the last copies are not wrong, and must pass.
#
# From the environment: O build directory, CC, MAKE.

O=${O:-build}
MAKE=${MAKE:-make}
seq=include/uma/seq_x86_64.h
checks=0
failures=0
ulimit -c 0

# try NAME FILE SED: in $dir, 0 if the copy passes.
try() {
	dir=$O/mutants/$1
	rm -rf "$dir"
	mkdir -p "$dir" &&
		cp -r Makefile include pages percpu slab zone test "$dir" ||
		exit 2
	sed -i "$3" "$dir/$2"
	if cmp -s "$2" "$dir/$2"; then
		echo "  $1: nothing was changed in $2"
		exit 2
	fi
	if ! (cd "$dir" && $MAKE --no-print-directory -s O=build DEPS=no \
		${CC:+CC="$CC"} build/test/test_int_torture) \
		>"$dir/log" 2>&1; then
		tail -n 20 "$dir/log"
		exit 2
	fi
	timeout 120 "$dir/build/test/test_int_torture" >"$dir/log" 2>&1
}

verdict() {
	checks=$((checks + 1))
	case $2 in
	wrong)
		failures=$((failures + 1))
		printf '  %-10s %s\n' "$1" "$3"
		tail -n 5 "$dir/log" ;;
	*)
		line=$(grep -E '^torture[ :]|^uma: |signal' "$dir/log" |
			head -n 1 | cut -c 1-120)
		printf '  %-10s %s: %s\n' "$1" "$3" "$line" ;;
	esac
}

wanted() {
	[ -z "$names" ] && return
	case " $names " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
}

mutant() {
	wanted "$1" || return 0
	if try "$@"; then
		verdict "$1" wrong 'was NOT CAUGHT'
	elif grep -q 'proved nothing' "$dir/log"; then
		verdict "$1" wrong 'came to no verdict'
	else
		verdict "$1" right 'caught'
	fi
}

variant() {
	wanted "$1" || return 0
	if try "$@"; then
		verdict "$1" right 'passes'
	else
		verdict "$1" wrong 'DOES NOT PASS'
	fi
}

names=$*

# Aborts after the count are not corrected; or all aborts are.
mutant uncount $seq 's/lock addq/#&/'
mutant overcount $seq 's/jns 35f/#&/'
# A drain does not wait for the sequences that are under way.
mutant barrier percpu/cpu.c \
	's/cpu_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ)/0/'
# The sequence is over before its commit.
mutant end $seq 's/32f-31f/&-3/'
# Headers by processor, as with several NUMA domains.
variant cpu-id percpu/cpu.c 's/ndomains == 1/ndomains == 0/'

echo "torture-mutants: $checks checks, $failures failures"
[ "$failures" -eq 0 ]
