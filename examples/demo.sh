#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# demo.sh EXAMPLEDIR - run debgraph on this machine's package index, with
# malloc and with libuma, and compare; then look at its zones from outside with
# umastat, while it runs.  Called by `make demo`.  Fails when the two outputs
# differ.

set -u
LC_ALL=C
export LC_ALL

debgraph=${1:?usage: demo.sh EXAMPLEDIR}/debgraph
umastat=${1%/examples}/stage/bin/umastat
here=$(dirname "$0")
runs=3

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

title() { printf '\n=== %s ===\n\n' "$1"; }

# A number of apt-cache stats; one of debgraph's facts in a file.
stats() { sed -n "s/^ *$1: *\([0-9]*\).*/\1/p" "$tmp/stats"; }
fact() { sed -n "s/^$1  *\([0-9]*\).*/\1/p" "$2"; }

find_index() {
	: >"$tmp/stats"
	if command -v apt-cache >/dev/null 2>&1; then
		apt-cache stats >"$tmp/stats" 2>/dev/null
		apt-cache dumpavail >"$tmp/index" 2>/dev/null
	fi
	if [ -s "$tmp/index" ]; then
		source="apt-cache dumpavail"
	elif [ -s /var/lib/dpkg/status ]; then
		source=/var/lib/dpkg/status
		cp "$source" "$tmp/index"
	else
		source="the small index that comes with libuma"
		cp "$here/data/Packages.small" "$tmp/index"
		: >"$tmp/stats" # of another index
	fi
}

# One run: its facts go to out.ALLOC, its times and memory to times.
run() {
	"$debgraph" --alloc="$1" --time "$tmp/index" \
		>"$tmp/out.$1" 2>"$tmp/err" || { cat "$tmp/err"; exit 1; }
	# A clean run says its times and nothing else: no leak, no warning.
	! grep -v '^debgraph: alloc=' "$tmp/err" || exit 1
	sed 's/^debgraph: //' "$tmp/err" >>"$tmp/times"
}

# check WHAT OURS APT: a line, and whether they agree.
check() {
	if [ "$2" = "$3" ]; then
		printf '  %-34s %8s = %8s\n' "$1" "$2" "$3"
	else
		printf '  %-34s %8s, apt %8s: DIFFERENT\n' "$1" "$2" "$3"
		return 1
	fi
}

# Names of packages in dpkg's status file that the index does not have.
installed_only() {
	[ -r /var/lib/dpkg/status ] || { echo 0; return; }
	awk '/^Package:/ { name = $2 }
	/^Version:/ && FILENAME == ARGV[1] { have[name] }
	/^Version:/ && FILENAME != ARGV[1] && !(name in have) { n++ }
	END { print n + 0 }' "$tmp/index" /var/lib/dpkg/status
}

# All that apt's own cache is made of: every index file, and what is installed.
apt_sources() {
	# shellcheck disable=SC2016 # apt expands it
	apt-get indextargets --format '$(CREATED_BY) $(FILENAME)' |
		sed -n 's/^Packages //p' | sort -u | while read -r file; do
		/usr/lib/apt/apt-helper cat-file "$file" && echo
	done 2>/dev/null
	cat /var/lib/dpkg/status
}

# apt's numbers are of its whole cache, dumpavail is one version a package.
check_stats() {
	if ! [ -s "$tmp/stats" ]; then
		echo "  no apt-cache stats to compare with"
		return
	fi
	if [ -n "$(dpkg --print-foreign-architectures 2>/dev/null)" ]; then
		echo "  not compared: this machine has foreign architectures, and"
		echo "  apt counts a package once for each"
		return
	fi
	apt_packages=$(($(stats 'Normal packages') +
		$(stats 'Mixed virtual packages')))
	ours=$(fact packages "$tmp/out.uma")
	only=$(installed_only)
	rc=0
	check "packages: $ours here + $only installed*" $((ours + only)) \
		"$apt_packages" || rc=1
	if apt_sources >"$tmp/all" && "$debgraph" --trials=0 "$tmp/all" \
		>"$tmp/out.all" 2>/dev/null; then
		check "packages, all files that apt reads" \
			"$(fact packages "$tmp/out.all")" "$apt_packages" || rc=1
		check "versions, all files that apt reads" \
			"$(fact versions "$tmp/out.all")" \
			"$(stats 'Total distinct versions')" || rc=1
	fi
	[ "$only" -eq 0 ] ||
		echo "  * installed from elsewhere, in no index: not in dumpavail"
	[ "$rc" -eq 0 ] ||
		echo "  (apt's cache may be older than its files: no failure)"
}

# The best of the runs of one allocator.
best() {
	sed -n "s/^alloc=$1 .*$2=\([0-9.]*\).*/\1/p" "$tmp/times" |
		sort -n | head -n 1
}

title "the package index of this machine"
find_index
size=$(wc -c <"$tmp/index")
echo "$source: $((size / 1000)) kB"
[ -t 2 ] && printf 'measuring: ' >&2
: >"$tmp/times"
i=0
while [ $i -lt $runs ]; do
	run malloc
	run uma
	i=$((i + 1))
	[ -t 2 ] && printf '%s of %s ' $i $runs >&2
done
[ -t 2 ] && printf '\r%40s\r' '' >&2

title "facts"
cat "$tmp/out.uma"

title "compared with apt-cache stats"
check_stats

title "malloc and libuma"
if ! cmp "$tmp/out.malloc" "$tmp/out.uma"; then
	echo "the outputs DIFFER"
	exit 1
fi
echo "both outputs are identical: $(wc -l <"$tmp/out.uma") lines"
echo
row='  %-24s %10s %10s\n'
# shellcheck disable=SC2059 # the format is the point
line() { printf "$row" "$1" "$(best malloc "$2")" "$(best uma "$2")"; }
printf '%-26s %10s %10s\n' "best of $runs interleaved runs" malloc uma
line "wall-clock time, s" wall
line "CPU time, s" cpu
for part in read resolve plan rebuild free; do
	line "  $part" $part
done
line "all objects alive, KiB" alive_kib
line "peak, freeing too, KiB" peak_kib

title "the zones, with all objects alive"
# shellcheck disable=SC2016 # the shell of --alive expands it: debgraph's pid
"$debgraph" --table --alive="\"$umastat\" \$PPID >\"$tmp/umastat\" 2>&1" \
	"$tmp/index" 2>"$tmp/table" >/dev/null
if grep -q '^ITEM' "$tmp/umastat"; then
	echo "umastat, of debgraph as it runs:"
	echo
	cat "$tmp/umastat"
else
	cat "$tmp/umastat" # why not: perhaps the system forbids it
	echo "so debgraph prints them itself:"
	echo
	grep -v '^debgraph: ' "$tmp/table"
fi

title "try next"
cat <<EOF
  apt-cache dumpavail | $debgraph --time --alive='$umastat --top \$PPID'
  $1/connpool    # a limit, a warning and a sleeper
  man ./man/uma.3    # the tour of the library
EOF
