#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run-tests.sh EXAMPLEDIR - run every example and look at what it prints.
# Called by `make check`.  One line an example, then the total.

set -u
LC_ALL=C
export LC_ALL

bin=${1:?usage: run-tests.sh EXAMPLEDIR}
here=$(dirname "$0")
small=$here/data/Packages.small
facts=$here/data/Packages.small.facts

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
checks=0
failures=0

# result TEXT: report what the command before came to.
result() {
	rc=$?
	checks=$((checks + 1))
	if [ $rc -eq 0 ]; then
		echo "ok    $1"
	else
		echo "FAIL  $1"
		failures=$((failures + 1))
		sed 's/^/      | /' "$tmp/diff"
	fi
}

# same WANTED GOT...: pairs of files that must not differ.
same() {
	: >"$tmp/diff"
	while [ $# -gt 0 ]; do
		diff "$1" "$2" >>"$tmp/diff" || return 1
		shift 2
	done
}

# run WANTED_STATUS COMMAND...: standard output in out, error in err.
run() {
	wanted=$1
	shift
	"$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	echo "exit status $got" >"$tmp/diff"
	cat "$tmp/err" >>"$tmp/diff"
	[ $got -eq "$wanted" ]
}

: >"$tmp/empty"

# Few trials, for the sake of builds with sanitizers.
debgraph() {
	"$bin/debgraph" --trials=2000 "$@"
}

# The n-th block of README.md that is fenced as the given language.
readme() {
	awk -v fence="\`\`\`$1" -v want="$2" '
	$0 == fence && ++n == want { on = 1; next }
	/^```/ { on = 0 }
	on' "$here/../README.md"
}

readme c 1 >"$tmp/want"
same "$tmp/want" "$here/first.c"
result "first: is the program in README.md"

cat >"$tmp/want" <<EOF
limit:  1024
in use: 1024
in use: 0
EOF
run 0 "$bin/first" && same "$tmp/want" "$tmp/out" "$tmp/empty" "$tmp/err"
result "first: prints the limit in force and what is in use"

cat >"$tmp/want" <<EOF
asked for 6, limit is 8
8 connections, the next was refused
one hung up, the next is in
8 answers; refused 1, slept 1, open 0
EOF
echo "[zone: conn] too many connections" >"$tmp/want.err"
run 0 "$bin/connpool" &&
	same "$tmp/want" "$tmp/out" "$tmp/want.err" "$tmp/err"
result "connpool: refuses, warns, sleeps and wakes at the limit"

run 0 "$bin/mutexobj" &&
	grep -q '^ctor 128000 times, dtor 128000 times$' "$tmp/out" &&
	same "$tmp/empty" "$tmp/err"
result "mutexobj: makes few mutexes for many objects"

for alloc in uma malloc; do
	run 0 debgraph --alloc=$alloc "$small" &&
		same "$facts" "$tmp/out" "$tmp/empty" "$tmp/err"
	result "debgraph: knows the facts of the small index with $alloc"
done

from_stdin() {
	debgraph <"$small"
}
run 0 from_stdin && same "$facts" "$tmp/out"
result "debgraph: reads standard input"

checked() {
	(export UMA_OPTIONS=debug=check && debgraph "$small")
}
run 0 checked &&
	same "$facts" "$tmp/out" "$tmp/empty" "$tmp/err"
result "debgraph: makes no mistake that debug=check would find"

run 0 debgraph --table --time "$small" &&
	grep -q '^ITEM .*SIZE' "$tmp/err" &&
	grep -q '^version:  *64,  *0, *218,' "$tmp/err" &&
	grep -q '^provide:  *48,  *0, *116,' "$tmp/err" &&
	grep -q '^debgraph: alloc=uma wall=[0-9.]* .*peak_kib=[0-9]' \
		"$tmp/err"
result "debgraph: prints the zone table and its times"

# shellcheck disable=SC2016 # another shell expands it
run 0 debgraph --alive='ps -o comm= -p $PPID >&2' "$small" &&
	echo debgraph >"$tmp/want" && same "$tmp/want" "$tmp/err"
result "debgraph: runs a command while all objects are alive"

run 2 debgraph --alloc=neither && run 1 debgraph "$tmp/none" &&
	run 1 debgraph "$tmp/empty"
result "debgraph: refuses bad options, no file and an empty one"

printf 'Package: a\nVersion: 1\nDepends: b (>= , c\n\nPackage: b\n' >"$tmp/bad"
run 0 debgraph "$tmp/bad" && grep -q '^not understood  *1$' "$tmp/out"
result "debgraph: counts what it does not understand"

echo "examples: $checks checks, $failures failures"
[ $failures -eq 0 ]
