#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# hits.sh BUILD_DIR: count the instructions of a hit in the disassembly, beside
# those of the prototype, and fail when there are more than there used to be.
#
# The prototype's sequences have a pop of 12 and a push of 11 instructions, and
# nothing around them.  Ours take the place of the CPU's number from the zone,
# so that it need not be compiled in, and compute that of the area from it, which
# costs less than to load it (2); a pop raises the count (1), a push
# looks whether the item is the one freed last (2); before or behind the
# sequence hooks, M_ZERO and NULL are told apart (2), then comes the return (1).
#
# Whoever makes a hit longer on purpose changes the numbers here, and says why.
# shellcheck disable=SC2086

set -u
[ $# -eq 1 ] || exit 2
O=$1
cc=${CC:-cc}
work=$O/hits
mkdir -p "$work" || exit 2

skip() {
	echo "hits: skipped: $1"
	echo "100%: Checks: 1, Failures: 0, Errors: 0"
	exit 0
}
command -v objdump >/dev/null 2>&1 || skip "no objdump here"
grep -q -e '-O2' "$O/.flags" || skip "not compiled with -O2"
grep -q -e '-fsanitize' "$O/.flags" && skip "sanitizers have no sequences"

cat >"$work/probe.c" <<'EOF'
#include <uma/inline.h>
#if !UMA_HAVE_SEQ
#error
#endif
void *inline_zalloc(uma_zone_t zone);
void inline_zfree(uma_zone_t zone, void *item);
void inline_pair(uma_zone_t zone);

void *
inline_zalloc(uma_zone_t zone)
{
	return uma_zalloc(zone, M_NOWAIT);
}

void
inline_zfree(uma_zone_t zone, void *item)
{
	uma_zfree(zone, item);
}

void
inline_pair(uma_zone_t zone)
{
	uma_zfree(zone, uma_zalloc(zone, M_NOWAIT));
}
EOF
# As a program is compiled; a module has one instruction more for each.
$cc -O2 -fPIE -Iinclude -c -o "$work/probe.o" "$work/probe.c" 2>/dev/null ||
	skip "no restartable sequences here"

# hit FILE FUNCTION: the instructions from its start to its return, branches not
# taken; what is left out are those that do nothing.
hit() {
	objdump -d --no-show-raw-insn "$1" | awk -v f="<$2>:" '
	$2 == f { on = 1; next }
	on && NF == 0 { exit }
	on && $2 !~ /^(nop|endbr64|data16|cs)/ {
		print
		if ($2 ~ /^(ret|jmp)/)
			exit
	}'
}

checks=0
failures=0
# row TITLE FILE FUNCTION COMMITS PROTOTYPE LIMIT-GCC LIMIT-CLANG
row() {
	checks=$((checks + 1))
	[ $clang = no ] && limit=$6 || limit=$7
	hit "$2" "$3" >"$work/hit"
	n=$(wc -l <"$work/hit")
	commits=$(grep -c 'mov  *%rcx,(%rdx)$' "$work/hit")
	printf '%-30s %9d %7d %7d\n' "$1" "$5" "$n" "$limit"
	if [ "$commits" -ne "$4" ] || ! tail -n 1 "$work/hit" | grep -q ret; then
		echo "FAILED: the hit of $3 is not a straight line:"
	elif [ "$n" -gt "$limit" ]; then
		echo "FAILED: the hit of $3 has grown:"
	else
		return
	fi
	failures=$((failures + 1))
	cat "$work/hit"
}

$cc --version | grep -q clang && clang=yes || clang=no
printf '%-30s %9s %7s %7s\n' "instructions of a hit" prototype here "at most"
row "uma_zalloc, called" "$O/libuma.a" uma_zalloc 1 12 18 19
row "uma_zalloc_arg, called" "$O/libuma.a" uma_zalloc_arg 1 12 19 20
row "uma_zfree, called" "$O/libuma.a" uma_zfree 1 11 19 19
row "uma_zfree_arg, called" "$O/libuma.a" uma_zfree_arg 1 11 19 19
row "uma_zalloc, inlined" "$work/probe.o" inline_zalloc 1 12 18 18
row "uma_zfree, inlined" "$work/probe.o" inline_zfree 1 11 19 19
row "the pair, inlined" "$work/probe.o" inline_pair 2 23 41 39
echo "$(((checks - failures) * 100 / checks))%: Checks: $checks," \
	"Failures: $failures, Errors: 0"
[ "$failures" -eq 0 ]
