#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# aarch64.sh BUILD_DIR: compile the sequences of uma/seq_aarch64.h with a cross
# compiler, link them, and hold the code against what the kernel and the
# protocol demand of it.  CROSS is the prefix of the tools.
#
# Of each sequence: the descriptor's version and flags are 0; it starts with the
# load of the CPU's number and ends with the commit, its only release; before
# that it stores nowhere but into the bucket, the caller's array and the count,
# and calls nothing; the abort stub is not in it, is preceded by the signature
# and ends with a jump to where the descriptor is announced.
# shellcheck disable=SC2086,SC2317

set -u
[ $# -eq 1 ] || exit 2
cross=${CROSS:-aarch64-linux-gnu-}
checks=0
failures=0

finish() {
	echo "$(((checks - failures) * 100 / checks))%: Checks: $checks," \
		"Failures: $failures, Errors: 0"
	[ "$failures" -eq 0 ]
	exit
}
for tool in gcc objdump objcopy; do
	if ! command -v "$cross$tool" >/dev/null 2>&1; then
		echo "aarch64: skipped: there is no $cross$tool"
		checks=1
		finish
	fi
done
include=$(cd include && pwd) || exit 2
mkdir -p "$1/aarch64" && cd "$1/aarch64" || exit 2

cat >probe.c <<'EOF'
#define UMA_SEQ_AARCH64
#include <uma/inline.h>
#if !UMA_HAVE_SEQ
#error
#endif

typedef struct uma_seq_cache cache;

void *
probe_pop(cache *c)
{
	void *item;

	UMA_SEQ_POP(c, item, miss);
	return item;
miss:
	UMA_SEQ_MISSED;
	UMA_SEQ_MISS_LEAVE(c);
	return (void *)4;
}

int
probe_push(cache *c, void *item)
{
	UMA_SEQ_PUSH(c, item, miss);
	return 1;
miss:
	UMA_SEQ_MISSED;
	UMA_SEQ_MISS_LEAVE(c);
	return 0;
}

long
probe_pop_bulk(cache *c, void **items, long n)
{
	return uma_seq_pop_bulk(c, items, n);
}

long
probe_push_bulk(cache *c, void **items, long n)
{
	return uma_seq_push_bulk(c, items, n);
}

void **
probe_swap_empty(cache *c, void *table, void **to)
{
	return uma_seq_swap_empty(c, table, to);
}

void **
probe_swap_full(cache *c, void *table, void **to)
{
	return uma_seq_swap_full(c, table, to);
}
EOF
cat >inline.c <<'EOF'
#define UMA_SEQ_AARCH64
#include <uma/inline.h>
int use(uma_zone_t zone);

int
use(uma_zone_t zone)
{
	void *item = uma_zalloc(zone, M_WAITOK);

	uma_zfree_arg(zone, item, item);
	return item != NULL;
}
EOF

# ok WHERE WHAT COMMAND...
ok() {
	what="$1: $2"
	shift 2
	checks=$((checks + 1))
	"$@" >out 2>&1 && return
	failures=$((failures + 1))
	echo "FAILED: $what"
	cat out
}
# at ADDRESS: the instruction there, without its address.
at() {
	awk -v a="$(printf '%x:' "$(($1))")" '$1 == a {
		sub(/^[ \t]*[0-9a-f]+:[ \t]*/, "")
		print
	}' code
}
# The sequence's instructions, one a line, without their addresses.
body() {
	pc=$1
	while [ "$((pc))" -lt "$(($1 + $2))" ]; do
		at "$pc"
		pc=$((pc + 4))
	done
}
matches() {
	echo "$1"
	echo "$1" | grep -qE "$2"
}
# From the stub on, what the first plain jump jumps to.
stub_goes_to() {
	pc=$1
	until at "$pc" | grep -qE '^b	'; do
		at "$pc" | grep -q . || return 1
		pc=$((pc + 4))
	done
	at "$pc" | awk '{ print "0x" $2 }'
}
announces() {
	matches "$(at "$1")" '^adrp	x9,' && matches "$(at "$(($1 + 20))")" \
		'^str	x9, \[x11, #8\]' && [ $(($1 + 24)) -eq $(($2)) ]
}

# descriptor TITLE VERSION_FLAGS START LENGTH ABORT
descriptor() {
	t="$1, at $3"
	start=0x$3
	len=0x$4
	abort=0x$5
	end=$((start + len))
	body "$start" "$len" >seq
	ok "$t" "version and flags" [ "$((0x$2))" -eq 0 ]
	ok "$t" "length" [ $((len % 4 == 0 && len > 0 && len < 200)) -eq 1 ]
	ok "$t" "starts with the CPU's number" matches "$(head -n 1 seq)" \
		'^ldr	w12, \[x10, x[0-9]+\]'
	ok "$t" "ends with the commit" matches "$(tail -n 1 seq)" \
		'^stlr	x[0-9]+, \[x1[25]\]'
	ok "$t" "one commit" [ "$(grep -c '^stl' seq)" -eq 1 ]
	grep '^st' seq | sed '$d' | grep -vE -e '\[x13, #8\]!' \
		-e '^str	x14, \[x[0-9]+\], #(8|-8)$' >stores
	ok "$t" "no other stores" sh -c 'cat stores; ! [ -s stores ]'
	ok "$t" "no calls, no returns" sh -c '! grep -E "^(bl|ret|svc)" seq'
	ok "$t" "the stub is outside" [ $((abort >= end || abort < start)) -eq 1 ]
	ok "$t" "the signature" matches \
		"$(at $((abort - 4)))" '^(brk	#0x45e0|\.inst	0xd428bc00)'
	back=$(stub_goes_to "$abort")
	ok "$t" "the stub begins again" announces "$back" "$start"
	# A count that was stored is undone, and only then.
	if grep -q '#-8$' seq; then
		ok "$t" "the count comes right before the commit" matches \
			"$(tail -n 2 seq | head -n 1)" '^str	x14, \[x15\], #-8'
		ok "$t" "x15 says so" matches "$(at $((back + 16)))" \
			'^mov	x15, #0x8'
		ok "$t" "the stub looks at it" matches "$(at "$abort")" \
			'^tbnz	[wx]15, #3,'
	fi
}

# compile FLAGS: and look at every descriptor.
compile() {
	ok "$1" "compiles" "${cross}gcc" $1 -std=c11 -pedantic -Wall -Wextra \
		-Werror "-I$include" -c -o probe.o probe.c
	ok "$1" "inlined hits compile" "${cross}gcc" $1 -std=c11 -pedantic \
		-Wall -Wextra -Werror "-I$include" -c -o inline.o inline.c
	ok "$1" "links" "${cross}gcc" $1 -nostdlib -static -Wl,-e,0 -o probe \
		probe.o -Wl,--unresolved-symbols=ignore-all
	"${cross}objdump" -d --no-show-raw-insn probe |
		sed -n 's/^ *\([0-9a-f]*:\)/\1/p' | sed 's/ *\/\/.*//' >code
	"${cross}objcopy" -O binary -j __rseq_cs probe descriptors
	od -An -v -t x8 -w32 descriptors >list
	ok "$1" "six sequences" [ "$(wc -l <list)" -eq 6 ]
	while read -r flags start len abort; do
		descriptor "$1" "$flags" "$start" "$len" "$abort"
	done <list
}

compile "-O2"
compile "-O2 -fPIC"
compile "-O0"
# A module that may be unloaded clears its mark, on both ways out.
"${cross}gcc" -O2 -fPIC -std=c11 "-I$include" -c -o probe.o probe.c
ok "-fPIC" "leaves no mark" [ "$("${cross}objdump" -d probe.o |
	grep -c 'str	xzr, \[x[0-9]*, #8\]')" -ge 8 ]
finish
