#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# check.sh - spin visits all states of the models beside it; the models must
# hold, and each of their mutants must not.  CC is the compiler; no arguments.
# Without spin, nothing is checked, and that is no failure.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
CC=${CC:-cc}
mib=2000	# of memory, at most, for each search

if ! command -v spin >/dev/null 2>&1; then
	echo "skipped: spin is not installed"
	exit 0
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
cd "$tmp" || exit 1

checks=0
failures=0

# search OPTIMISE MODEL DEPTH DEFINES: leaves pan's report in the file out.
search() {
	optimise=$1 model=$2 depth=$3
	shift 3
	rm -f pan* out
	# -w: pan.c is spin's, and not ours to mend.
	spin -a "$@" "$here/$model.pml" >out 2>&1 &&
		"$CC" "$optimise" -w -DSAFETY "-DMEMLIM=$mib" -o pan pan.c \
			>>out 2>&1 &&
		./pan "-m$depth" -n >out 2>&1
}
# report RESULT MODEL DEFINES; the result is empty when all is well
report() {
	result=$1 what=$2
	shift 2
	checks=$((checks + 1))
	states=$(awk '/states, stored/ { print $1 }' out)
	seconds=$(awk '/elapsed time/ { print $4 }' out)
	printf '  %-8s %-6s %-36s %9s states %6s s\n' "${result:-ok}" "$what" \
		"$(echo "$*" | sed 's/-D//g')" "${states:-0}" "${seconds:-0}"
	[ -z "$result" ] && return
	failures=$((failures + 1))
	sed 's/^/           /' out | head -n 20
}

# Every state, and no error in any of them.
holds() {
	search -O1 "$@"
	result=FAILED
	grep -q 'errors: 0$' out &&
		! grep -Eq 'not completed|too small|MEMLIM bound' out &&
		grep -q 'pan: elapsed time' out && result=
	model=$1
	shift 2
	report "$result" "$model" "$@"
}

# An assertion that fails: not just any error.  Found soon, hence -O0.
fails() {
	search -O0 "$@"
	result=FAILED
	grep -q 'assertion violated' out && grep -q 'errors: 1$' out && result=
	model=$1
	shift 2
	report "$result" "$model" "$@"
}

holds cache 4000000 -DNT=2 -DNI=2 -DNB=2 -DONE
holds cache 2000000 -DNT=1 -DNI=3 -DNB=3 -DCAP=2
holds cache 2000000 -DNT=2 -DNI=1 -DNB=2 -DTSO
for m in M_NOBARRIER M_BASE_OUTSIDE M_BASE_EARLY M_NOABORT M_STUB \
	M_STUB_FLAGS; do
	fails cache 2000000 -D$m
done
for m in M_SPARE M_NOSPARE; do
	fails cache 2000000 -DNT=1 -D$m
done
for m in M_LATE_BASE M_LATE_CURSOR; do
	fails cache 2000000 -DTSO -D$m
done

holds limit 100000 -DMAX=1 -DROUNDS=2
holds limit 100000 -DMAX=2 -DROUNDS=1
for m in M_DRAIN_FIRST M_LOOK_FIRST M_PASS M_NO_SECOND_LOOK M_DEPOT \
	M_DEPOT_EARLY; do
	fails limit 100000 -D$m
done

echo "model: $checks checks, $failures failures"
[ "$failures" -eq 0 ]
