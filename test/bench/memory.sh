#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# memory.sh - run the programs that run.sh has made of memory.c, make the table
# and the chart.  What is measured, and how, stands in memory.c.
#
# From the environment, as run.sh sets it: O where libuma has been built; TICK,
# not empty if it has uma_reclaim_tick.
# Results: $O/memory.txt and $O/memory.svg.

here=$(dirname "$0")
dir=$O/bench
out=$dir/memory.d
rm -rf "$out" && mkdir -p "$out" || exit 1

# Short, since the idle phase is: by default idle memory is looked at every
# 20 s, and jemalloc without a thread of its own takes 10 s.
period=200
decay=1000
caption="libuma: uma_reclaim_tick() in the loop, vm.uma.reclaim_period=$period"
[ -n "$TICK" ] ||
	caption='libuma: uma_reclaim(UMA_RECLAIM_TRIM) every 500 ms'
caption="$caption; jemalloc bg: a thread, decay $decay ms; others as they come."

# job NAME PROGRAM ARGUMENTS...: "NAME fields" in a file; these have the order
# in which the jobs began.
number=100
job() {
	name=$1 program=$dir/$2.memory
	shift 2
	"$program" "$@" </dev/null | sed "s/^/$name	/" >"$out/$number"
}
# Two at a time: they take no time, or have their own pace.
beside() {
	job "$@" &
	number=$((number + 1))
	[ $((number % 2)) -ne 0 ] || wait
}
# One that takes time.
alone() {
	wait
	job "$@"
	number=$((number + 1))
}

variants=$(cut -d ' ' -f 1 "$dir/variants" | grep -vxE 'inline|shared')
called() {
	[ "$1" = static ] && echo libuma || echo "$1"
}

begin=$(date +%s)
unset UMA_OPTIONS MALLOC_CONF
for v in $variants; do
	UMA_OPTIONS=vm.uma.reclaim_period=$period beside "$(called "$v")" "$v" \
		timeline
	[ "$v" != jemalloc ] ||
		MALLOC_CONF=background_thread:true,dirty_decay_ms:$decay \
			beside 'jemalloc bg' jemalloc timeline
done
sizes='16 64 256 1024 4096'
for size in $sizes; do
	for v in $variants; do
		beside "$(called "$v")" "$v" footprint "$size" \
			$((size == 4096 ? 250000 : 1000000))
	done
done
beside libuma static zones
for v in $variants; do
	alone "$(called "$v")" "$v" stall 256 4194304
done
for size in 64 256 4096 64 256 4096; do
	for thp in never always; do
		UMA_OPTIONS=vm.uma.thp=$thp alone $thp static huge $size \
			$((size == 4096 ? 250000 : 1000000))
	done
done

cat "$out"/* >"$dir/memory"

thp=$(sed 's/.*\[\(.*\)\].*/\1/' /sys/kernel/mm/transparent_hugepage/enabled \
	2>/dev/null)
grep -v '^rounds' "$dir/about" >"$dir/about-memory"
for made in table:txt chart:svg; do
	awk -v caption="$caption" -v thp="${thp:-unknown}" \
		-f "$here/memory-raw.awk" -f "$here/svg.awk" \
		-f "$here/memory-${made%:*}.awk" "$dir/variants" \
		"$dir/about-memory" "$dir/memory" >"$O/memory.${made#*:}" ||
		exit 1
done
[ ! -f "$dir/skipped" ] || { echo; cat "$dir/skipped"; } >>"$O/memory.txt"
echo "memory, $(($(date +%s) - begin)) s"
