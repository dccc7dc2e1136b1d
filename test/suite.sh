#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# suite.sh PROGRAM... - run the tests of one build, called by `make check`.
#
# From the environment: O build directory, STAGE where the library has been
# installed, SAN the sanitizers, DEBUG the level, RERUN=no to run each program
# only once.
# One line a program, a log for each in $O/log, shown when it failed; the last
# line is the total, which is also left in $O/log/total.

# The last line of one of these kinds is a result: Check's, or a script's words.
totals='^[0-9]*%: Checks: [0-9]*, Failures: [0-9]*, Errors: [0-9]*$'
words='^.*: \([0-9]*\) checks, \([0-9]*\) failures$'

# Run one: suite.sh --one LOG COMMAND...; results go to stdout and LOG.total.
if [ "$1" = --one ]; then
	log=$2
	shift 2
	start=$(date +%s)
	timeout 600 "$@" </dev/null >"$log" 2>&1
	rc=$?
	took=$(($(date +%s) - start))
	result=$(sed -n -e "/$totals/p" \
		-e "s/$words/Checks: \1, Failures: \2, Errors: 0/p" "$log" |
		tail -n 1)
	# A script that counts nothing is one check.
	[ "$1$rc$result" != sh0 ] || result='Checks: 1, Failures: 0, Errors: 0'
	count() {
		n=$(expr "$result" : ".*$1: \([0-9]*\)")
		echo "${n:-0}"
	}
	bad=$(($(count Failures) + $(count Errors)))
	ok=$(($(count Checks) - bad))
	# No check, or a bad end that no check owns up to, is a failure too.
	if [ "$bad" -eq 0 ] && [ "$rc" -ne 0 ]; then
		bad=1
		result="${result:+$result; }exit status $rc"
	elif [ "$((ok + bad))" -eq 0 ]; then
		bad=1
		result='no check was run'
	fi
	echo "$ok passed, $bad failed" >"$log.total"
	seed=$(sed -n 's/.*\(UMA_TEST_SEED=[0-9]*\).*/  \1/p' "$log" | tail -n 1)
	printf '  %-26s %-42s %3d s%s\n' "$(basename "$log" .log)" "$result" \
		"$took" "$seed"
	exit 0
fi

logs=$O/log
rm -rf "$logs"
mkdir -p "$logs" || exit 1

# Slow builds get time, and Check forks from threads: the sanitizers must allow
# it.
if [ -n "$SAN$DEBUG" ]; then
	CK_TIMEOUT_MULTIPLIER=${CK_TIMEOUT_MULTIPLIER:-10}
	ASAN_OPTIONS=allocator_may_return_null=1:${ASAN_OPTIONS-}
	TSAN_OPTIONS=die_after_fork=0:halt_on_error=1:${TSAN_OPTIONS-}
	UBSAN_OPTIONS=print_stacktrace=1:${UBSAN_OPTIONS-}
	export CK_TIMEOUT_MULTIPLIER ASAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS
fi

# gcc's thread sanitizer cannot live with the whole range of random addresses.
wrap=
if [ "$SAN" = thread ] && setarch -R true 2>/dev/null; then
	wrap='setarch -R'
fi

# "LOG COMMAND" for each program, its name's end and what to put before it.
queue() {
	suffix=$1 before=$2
	shift 2
	for p in "$@"; do
		echo "$logs/$(basename "$p")$suffix.log $before $p"
	done
}

# script NAME COMMAND...: one that uses the CPUs itself.
script() {
	name=$1
	shift
	[ -f "$2" ] && sh test/suite.sh --one "$logs/$name.log" "$@"
}

title="tests of $O${SAN:+ ($SAN)}"
[ "$RERUN" = no ] || title="$title; -no-rseq: without restartable sequences"
echo "$title"
{
	queue "" "$wrap" "$@"
	[ "$RERUN" = no ] || queue -no-rseq \
		'env GLIBC_TUNABLES=glibc.pthread.rseq=0' "$@"
} | xargs -L 1 -P "$(nproc)" sh test/suite.sh --one
echo "examples and packaging"
script examples sh examples/run-tests.sh "$O/examples"
# Programs of these are compiled without sanitizers, so cannot load such a
# library.
if [ -z "$SAN" ]; then
	script install sh test/test_install.sh
	script manual sh test/manual.sh "$STAGE" "$O"
	script inline sh test/inline.sh "$STAGE" "$O"
	script gdb sh test/gdb/run.sh "$STAGE" "$O"
	script hits sh test/hits.sh "$O"
	script probes sh test/probes.sh "$STAGE" "$O"
	script aarch64 sh test/aarch64.sh "$O"
	# Nearly a minute: once, with the variants of check-all.
	[ "$RERUN" = no ] && script model sh test/model/check.sh
fi

for t in "$logs"/*.total; do
	case $(cat "$t") in
	*', 0 failed') ;;
	*)
		printf '\n---- %s\n' "${t%.total}"
		tail -n 200 "${t%.total}" ;;
	esac
done
echo
sh test/total.sh "$logs"/*.total >"$logs/total"
rc=$?
cat "$logs/total"
exit $rc
