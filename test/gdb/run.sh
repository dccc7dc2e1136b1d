#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh STAGE O - the commands for gdb, on processes and cores of program.c,
# with the shared library and the archive, with and without debug information
# and symbols.  Called by suite.sh; CC is set.
# shellcheck disable=SC3045 # ulimit -c: every shell has it

CC=${CC:-cc}
stage=$1
top=$(cd "$2" && pwd)/gdb-test
here=test/gdb
commands=tools/libuma-gdb.py
if ! command -v gdb >/dev/null; then
	echo "skipped: no gdb here"
	exit 0
fi
if ! gdb -nx -batch -ex 'python print("py", 3)' 2>&1 | grep -qx "py 3"; then
	echo "skipped: this gdb has no Python"
	exit 0
fi
if ! gdb -nx -batch -ex run /bin/true 2>&1 | grep -q 'exited normally'; then
	echo "skipped: gdb may not run programs here"
	exit 0
fi
rm -rf "$top"
mkdir -p "$top"
checks=0 failures=0
result() {
	checks=$((checks + 1))
	if [ "$1" = 0 ]; then
		echo "ok: $2"
	else
		failures=$((failures + 1))
		echo "FAILED: $2"
		cat "$top/log"
	fi
}

# ask NAME ARGUMENT...: gdb with check.py behind the arguments.
ask() {
	name=$1
	shift
	LC_ALL=C.UTF-8 OUT=$top/out timeout 300 gdb -nx -batch "$@" \
		-x $here/check.py >"$top/log" 2>&1
	grep -qx '0 failed' "$top/log" && ! grep -q '^FAILED' "$top/log"
	result $? "$name"
	grep '^ok: ' "$top/log" | sed "s|^ok: |    |" >>"$top/all"
}
# program NAME SCRIPT: both on a live process, its core by gdb, and a core by
# the system; SCRIPT is how the commands come in.
program() {
	p=$top/$1
	shift
	ask "$(basename "$p"), live" "$@" "$p" -ex "run >$top/out" \
		-ex "gcore $top/core.gdb"
	[ -f "$top/core.gdb" ] &&
		BREAK=no ask "$(basename "$p"), core by gdb" "$@" "$p" "$top/core.gdb"
	rm -rf "$top/core.gdb" "$top/dump"
	mkdir "$top/dump"
	(cd "$top/dump" && ulimit -c unlimited &&
		"$p" abort >"$top/out" 2>/dev/null)
	core=$(find "$top/dump" -name 'core*' | head -n 1)
	if [ -n "$core" ]; then
		BREAK=no ask "$(basename "$p"), core by the system" "$@" "$p" "$core"
		[ $DEBUG_INFO = yes ] ||
			ask "$(basename "$p"), core alone" "$@" -c "$core"
	else
		echo "skipped: the system leaves no core here"
	fi
	rm -rf "$top/dump"
}
compile() {
	out=$top/$1
	shift
	$CC -std=gnu11 -I"$stage/include" -o "$out" $here/program.c "$@" \
		>"$top/log" 2>&1
}

lib=$stage/lib
so=$(readlink "$lib/libuma.so.0")
DEBUG_INFO=yes
export DEBUG_INFO BREAK
BREAK=yes
compile archive -g "$lib/libuma.a" -pthread -ldl
program archive -x $commands
BREAK=no
compile shared -g -L"$lib" -luma -Wl,-rpath,"$lib"
# As installed: gdb finds the commands by itself.
auto=$stage/share/gdb/auto-load
program shared -iex "add-auto-load-scripts-directory $auto" \
	-iex "add-auto-load-safe-path $auto"
DEBUG_INFO=no
mkdir -p "$top/lib"
cp "$lib/$so" "$top/lib/libuma.so.0"
strip "$top/lib/libuma.so.0"
compile shared-stripped -s -L"$lib" -luma -Wl,-rpath,"$top/lib"
program shared-stripped -x $commands
compile archive-stripped -s "$lib/libuma.a" -pthread
program archive-stripped -x $commands
if compile static-stripped -static -s "$lib/libuma.a" -pthread; then
	program static-stripped -x $commands
else
	echo "skipped: no static C library here"
fi

# says SENTENCE WANTED ARGUMENT...: a message, and no traceback.
says() {
	sentence=$1 wanted=$2
	shift 2
	gdb -nx -batch -x $commands "$@" >"$top/log" 2>&1
	grep -qF "$wanted" "$top/log" && ! grep -q Traceback "$top/log"
	result $? "$sentence"
}
for command in zones 'walk conn' 'slabs conn' 'whatis 1'; do
	says "uma $command, no process: says so" \
		"There is no process and no core file" -ex "uma $command"
	says "uma $command, no libuma: says so" \
		"This program does not use libuma" -ex "break exit" -ex run \
		-ex "uma $command" /bin/true
done
says "help uma: lists the commands" "uma whatis -- What an address is" \
	-ex "help uma"
if command -v pyflakes3 >/dev/null; then
	pyflakes3 $commands $here/check.py >"$top/log" 2>&1
	result $? "pyflakes is silent"
fi

echo "100%: Checks: $checks, Failures: $failures, Errors: 0" |
	if [ "$failures" -eq 0 ]; then cat; else sed s/100/0/; fi
[ "$failures" -eq 0 ] && rm -rf "$top"
[ "$failures" -eq 0 ]
