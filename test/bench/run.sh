#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh - build the bench once for each allocator, run all in rounds, make the
# tables and the charts.  What is measured, and how, stands in bench.c, and for
# memory in memory.c, whose programs memory.sh runs.
#
# From the environment, as `make bench` sets it: CC, CFLAGS, O where libuma has
# been built; BENCH_ROUNDS, 7 by default; BENCH_SECONDS, after which no round
# begins any more, 50 by default; BENCH_MEMORY=no for no runs of memory.c.
# Results: $O/bench.txt and .svg, $O/memory.txt and .svg.

here=$(dirname "$0")
CC=${CC:-cc}
rounds=${BENCH_ROUNDS:-7}
seconds=${BENCH_SECONDS:-50}
dir=$O/bench
rm -rf "$dir" && mkdir -p "$dir" || exit 1

# ---- who takes part ----

skipped() {
	echo "skipped: $1: $2" | tee -a "$dir/skipped"
}
header() {
	echo "#include <$1>" | $CC -Iinclude -E - >/dev/null 2>&1
}
bulk=
if echo '#include <uma.h>' | $CC -Iinclude -E - 2>/dev/null |
	grep -q 'uma_zalloc_bulk('; then
	bulk=-DPEER_BULK
else
	skipped 'bulk 32' 'this libuma has no uma_zalloc_bulk'
fi

tick=
if echo '#include <uma/reclaim.h>
int main(void) { return uma_reclaim_tick(); }' | $CC -Iinclude -x c - -x none \
	"$O/libuma.a" -pthread -o "$dir/tick" 2>/dev/null; then
	tick=-DPEER_TICK
else
	skipped 'idle memory by time' 'this libuma has no uma_reclaim_tick'
fi

# compile PROGRAM DEFINES SOURCE LIBRARIES...
compile() {
	program=$1 defines=$2 source=$3
	shift 3
	# shellcheck disable=SC2086
	$CC -std=gnu11 -Wall -Wextra ${CFLAGS:--O2} -fno-builtin -Iinclude \
		$defines $bulk $tick "$here/$source" -o "$dir/$program" "$@" \
		-pthread 2>"$dir/$program.log"
}
# build NAME DEFINE LIBRARIES...: for the memory of libuma, one way of calling
# it will do; system calls are seen of what is linked in.
wrap=-Wl,--wrap=mmap,--wrap=munmap,--wrap=madvise,--wrap=syscall
wrap=$wrap,--wrap=process_madvise
build() {
	name=$1 define=$2
	shift 2
	compile "$name" "-D$define" bench.c "$@" || return
	case $name/$1 in
	inline/* | shared/*) ;;
	*.a) compile "$name.memory" "-D$define -DPEER_WRAPPED" memory.c \
		"$@" $wrap ;;
	*) compile "$name.memory" "-D$define" memory.c "$@" ;;
	esac
}
takes_part() {
	echo "$1 $2 $("$dir/$1" about)" >>"$dir/variants"
}
# ours NAME HOW DEFINE LIBRARIES...
ours() {
	name=$1 how=$2
	shift 2
	if build "$name" "$@"; then
		takes_part "$name" "$how"
	else
		skipped "$name" "it does not compile: $(grep -m 1 -E \
			'error|undefined' "$dir/$name.log")"
	fi
}
# peer NAME DEFINE HEADER STEM LIBRARIES...: the archive libSTEM.a, which needs
# LIBRARIES, or else the shared library.
peer() {
	name=$1 define=$2 stem=$4
	header "$3" || {
		skipped "$name" "there is no <$3>"
		return
	}
	shift 4
	archive=$($CC -print-file-name="lib$stem.a")
	if [ -f "$archive" ] && build "$name" "$define" "$archive" "$@"; then
		takes_part "$name" archive
		return
	fi
	shared=$(pkg-config --libs "$stem" 2>/dev/null ||
		pkg-config --libs "lib$stem" 2>/dev/null || echo "-l$stem")
	# shellcheck disable=SC2086
	if build "$name" "$define" $shared; then
		takes_part "$name" shared
	else
		skipped "$name" "there is no library $stem to link with"
	fi
}

lib=$(cd "$O" && pwd)
if [ -f include/uma/inline.h ]; then
	ours inline archive PEER_INLINE "$O/libuma.a"
else
	skipped inline 'there is no <uma/inline.h>'
fi
ours static archive PEER_STATIC "$O/libuma.a"
ours shared shared PEER_SHARED "-L$O" -luma "-Wl,-rpath,$lib"
ours glibc shared PEER_GLIBC
peer jemalloc PEER_JEMALLOC jemalloc/jemalloc.h jemalloc -lm -ldl
peer mimalloc PEER_MIMALLOC mimalloc.h mimalloc
peer tcmalloc PEER_TCMALLOC gperftools/tcmalloc.h tcmalloc_minimal -lstdc++ -lm

# ---- what the reader has to know about this run ----

about() {
	model=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
	commit=$(git describe --always --dirty=', changed' 2>/dev/null)
	load=$(cut -d ' ' -f 1 /proc/loadavg)
	echo "machine  ${model:-$(uname -m)}, $(nproc) CPUs," \
		"$(uname -s) $(uname -r | cut -d - -f 1)"
	echo "compiler $($CC --version | head -n 1), ${CFLAGS:--O2}"
	echo "date     $(date -u '+%Y-%m-%d %H:%M') UTC, load before: $load"
	echo "commit   ${commit:-unknown}"
	echo "command  make bench"
}
about >"$dir/about"

# ---- rounds ----

variants=$(cut -d ' ' -f 1 "$dir/variants" | tr '\n' ' ')
first=${variants%% *}
"$dir/$first" rows >"$dir/rows" || exit 1

# row NUMBER ROUND VARIANT...: all do one row; "round variant row value" each.
row() {
	number=$1 round=$2
	shift 2
	for v in "$@"; do
		"$dir/$v" "$number" "$round" </dev/null |
			sed "s/^/$round	$v	/"
	done >>"$dir/raw"
}
# rotated N WORD...: the words, beginning with the nth.
rotated() {
	n=$1
	shift
	n=$((n % $#))
	while [ $n -gt 0 ]; do
		w=$1
		shift
		set -- "$@" "$w"
		n=$((n - 1))
	done
	echo "$@"
}

: >"$dir/raw"
begin=$(date +%s)
round=0
while [ $round -lt "$rounds" ]; do
	[ $(($(date +%s) - begin)) -lt "$seconds" ] || break
	while read -r number _; do
		# shellcheck disable=SC2046,SC2086
		row "$number" $round $(rotated $((round + number)) $variants)
	done <"$dir/rows"
	round=$((round + 1))
	echo "round $round of $rounds, $(($(date +%s) - begin)) s"
done
echo "rounds   $round" >>"$dir/about"

# ---- results ----

awk -f "$here/raw.awk" -f "$here/table.awk" "$dir/variants" "$dir/about" \
	"$dir/raw" >"$O/bench.txt" &&
	awk -f "$here/raw.awk" -f "$here/svg.awk" -f "$here/chart.awk" \
		"$dir/variants" "$dir/about" "$dir/raw" >"$O/bench.svg" ||
	exit 1
if [ -f "$dir/skipped" ]; then
	{
		echo
		cat "$dir/skipped"
	} >>"$O/bench.txt"
fi
if [ "$BENCH_MEMORY" != no ]; then
	O=$O TICK=$tick sh "$here/memory.sh" || exit 1
fi
echo
cat "$O/bench.txt"
if [ "$BENCH_MEMORY" != no ]; then
	echo
	cat "$O/memory.txt"
fi
echo
echo "tables: $O/*.txt, charts: $O/*.svg"
