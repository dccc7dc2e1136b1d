#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# probes.sh STAGE_PREFIX BUILD_DIR: the static probes, held against
# uma_probes(7): in both libraries as they are installed below STAGE_PREFIX, in
# programs that the archive was linked into in every way, and in a live program
# under gdb.  Scratch files go to BUILD_DIR/probes.
#
# Lists of flags are words on purpose.
# shellcheck disable=SC2086,SC2317

set -u
LC_ALL=C
export LC_ALL
[ $# -eq 2 ] || exit 2
here=$(cd "$(dirname "$0")" && pwd) || exit 2
stage=$(cd "$1" && pwd) || exit 2
O=$(cd "$2" && pwd) || exit 2
rm -rf "$O/probes" && mkdir -p "$O/probes" && cd "$O/probes" || exit 2
page=$here/../man/uma_probes.7
program=$here/probe/traffic.c
lib=$(PKG_CONFIG_PATH=$stage/lib/pkgconfig \
	pkg-config --variable=libdir libuma) || exit 2
libs=$(PKG_CONFIG_PATH=$stage/lib/pkgconfig pkg-config --static \
	--libs-only-other --libs-only-l libuma | sed 's/-luma //')
cc=${CC:-cc}
checks=0
failures=0

has() {
	command -v "$1" >/dev/null 2>&1
}
finish() {
	echo "$((checks == 0 ? 100 : (checks - failures) * 100 / checks))%:" \
		"Checks: $checks, Failures: $failures, Errors: 0"
	exit $((failures > 0))
}
skip() {
	echo "probes: skipped: $1"
	[ $checks -gt 0 ] || checks=1
	finish
}
# is SENTENCE FUNCTION...: the function prints what is wrong, or nothing.
is() {
	sentence=$1
	shift
	checks=$((checks + 1))
	"$@" >found 2>&1
	if [ -s found ]; then
		failures=$((failures + 1))
		echo "FAILED: $sentence"
		head -n 20 found
	else
		echo "ok: $sentence"
	fi
}

# ---- what the page says ----

# PROVIDER:NAME and the sizes of its arguments, negative ones being signed.
awk '$1 == ".It" && $2 == "Fn" {
	provider = "uma"
	name = $3
	if (split(name, part, ":") == 2) {
		provider = part[1]
		name = part[2]
	}
	out = provider ":" name
	n = split($0, quoted, "\"")
	for (k = 2; k <= n; k += 2) {
		type = quoted[k]
		size = type ~ /\*/ || type ~ /64_t/ ? 8 : 4
		out = out " " (type ~ /^int/ ? "-" : "") size
	}
	print out
}' "$page" | sort >page.list

# The same of a file, as its notes have it.
notes() {
	readelf -n "$1" 2>/dev/null | awk '
	$1 == "Provider:" { provider = $2 }
	$1 == "Name:" { name = $2 }
	$1 == "Arguments:" {
		out = provider ":" name
		for (k = 2; k <= NF; k++) {
			sub(/@.*/, "", $k)
			out = out " " $k
		}
		print out
	}' | sort -u
}
same_notes() {
	notes "$1" | grep -v '^own:' | diff page.list - |
		sed -n 's/^< /only in the page: /p; s/^> /only in the file: /p'
}

has readelf || skip "no readelf here"
if ! echo '#include <sys/sdt.h>' | $cc -E - >/dev/null 2>&1; then
	skip "no sys/sdt.h here"
fi
grep -q -e '-DUMA_PROBES=0' "$O/.flags" && skip "built with USDT=no"

page_has_some() {
	[ "$(wc -l <page.list)" -ge 10 ] || cat page.list
}
commands_name_probes() {
	grep -oE 'usdt:[^ ]*:[a-z_]+:[a-z_]+' "$page" |
		sed 's/.*:\([a-z_]*:[a-z_]*\)$/\1/' | while read -r name; do
		grep -q "^$name " page.list || echo "$name"
	done
}
is "the page lists probes" page_has_some
is "its commands name probes of the list" commands_name_probes
is "libuma.so has those of the page" same_notes "$lib/libuma.so"
is "libuma.a has those of the page" same_notes "$lib/libuma.a"

# ---- what tools need of a file ----

# Each with a semaphore of its own in .probes, and the address of the one byte
# in .stapsdt.base.
well_placed() {
	{
		readelf -SW "$1" | sed 's/^ *\[ *\([0-9]*\)\]/\1/' |
			awk '$2 == ".probes" || $2 == ".stapsdt.base" {
				print $2, $4, $6 }'
		readelf -n "$1" 2>/dev/null
	} | awk '
	function hex(s, v, k) {
		sub(/^0x/, "", s)
		for (k = 1; k <= length(s); k++)
			v = v * 16 + index("0123456789abcdef", substr(s, k, 1)) - 1
		return v
	}
	$1 == ".probes" { from = hex($2); to = from + hex($3) }
	$1 == ".stapsdt.base" { base = hex($2); len = hex($3) }
	$1 == "Provider:" { provider = $2 }
	$1 == "Name:" { name = $2 }
	$1 == "Location:" {
		gsub(/,/, "")
		n++
		if (hex($4) != base)
			print name ": base " $4
		if (hex($2) == 0)
			print name ": no address"
		at = hex($6)
		if (provider != "own" && (at < from || at + 2 > to))
			print name ": semaphore " $6
		if (provider != "own" && name in sem && sem[name] != at)
			print name ": two semaphores"
		if (at != 0 && at in who && who[at] != name)
			print name ": the semaphore of " who[at]
		sem[name] = at
		who[at] = name
	}
	END {
		if (n == 0)
			print "no notes"
		if (len != 1)
			print ".stapsdt.base has " len + 0 " bytes"
	}'
}
is "libuma.so: every probe has its semaphore" well_placed "$lib/libuma.so"

# linked TITLE COMPILER FLAG...: the program with the archive has all probes.
linked_program() {
	"$@" -O2 -I"$stage/include" -o program "$program" -x none \
		"$lib/libuma.a" $libs || return
	same_notes program
	well_placed program
	./program >/dev/null || echo "it exits with $?"
	strip program && same_notes program
}
linked() {
	title=$1
	shift
	rm -f program
	is "$title: links, has all probes, runs" linked_program "$@"
}
linked "with the archive" $cc
linked "link-time optimization" $cc -flto
linked "sections that nobody needs dropped" $cc -ffunction-sections \
	-Wl,--gc-sections
for ld in gold lld; do
	has ld.$ld && linked "linked by $ld" $cc -fuse-ld=$ld
done
has clang && linked "compiled by clang" clang
has g++ && linked "compiled as C++" g++ -x c++
# glibc says of some functions that they want the shared one, which is true.
linked_static() {
	linked_program "$@" 2>&1 | grep -v -e 'warning: Using' -e 'in function'
}
echo 'int main(void) { return 0; }' >static.c
if $cc -static -o static static.c >/dev/null 2>&1; then
	is "static: links, has all probes, runs" linked_static $cc -static
fi

# Without the header, or not wanted: nothing is left of them.
compiled_without() {
	for f in pages/probe slab/keg zone/limit; do
		$cc -std=gnu11 -O2 -Wall -Wextra -Werror -DUMA_PROBES=0 \
			-I"$here/../include" -I"$here/../pages" \
			-I"$here/../percpu" -I"$here/../slab" \
			-I"$here/../zone" -c -o without.o "$here/../$f.c"
		readelf -SW without.o | grep -e stapsdt -e '\.probes'
	done
}
is "USDT=no leaves nothing of them" compiled_without

# ---- under gdb ----

has gdb || skip "no gdb here for the rest"
gdb -nx -batch -ex run --args true 2>&1 | grep -q 'exited normally' ||
	skip "gdb cannot run programs here"

# A breakpoint at each, which prints "hit NAME ARGUMENT..." and goes on.
gdb_script() {
	echo 'set pagination off'
	echo 'set breakpoint pending off'
	echo 'break main'
	echo 'run'
	awk '{
		split($1, part, ":")
		print "break -probe-stap " $1
		print "commands"
		print "silent"
		format = "hit " part[2]
		args = ""
		for (k = 2; k <= NF; k++) {
			string = part[1] == "uma" && k == 2
			format = format (string ? " <%s>" : " %ld")
			args = args ", " (string ? "(char *)" : "(long)") \
				"$_probe_arg" k - 2
		}
		print "printf \"" format "\\n\"" args
		print "continue"
		print "end"
	}' page.list
	echo 'continue'
}
gdb_script >script.gdb
# What the arguments must be, ZONE being the address that the program prints.
cat >want <<'END'
zone_create <conn %s> ZONE 512 8 0
zone_destroy <conn %s> ZONE 0
zone_drain <conn %s> ZONE
slab_alloc <conn %s> ZONE [0-9]* [0-9]* [1-9][0-9]* 0
slab_free <conn %s> ZONE [0-9]* [0-9]* [1-9][0-9]* 0
bucket_refill <conn %s> ZONE [1-9][0-9]* 1
bucket_refill <conn %s> ZONE [1-9][0-9]* 0
bucket_flush <conn %s> ZONE [1-9][0-9]*
bucket_release <conn %s> ZONE [1-9][0-9]*
limit <conn %s> ZONE 8 8
sleep <conn %s> ZONE 0
wakeup <conn %s> ZONE 0 0
alloc_fail <conn %s> ZONE 12
alloc_fail <conn %s> ZONE 110
reclaim_start <conn %s> ZONE 2 -1
reclaim_done <conn %s> ZONE 2 -1 [1-9][0-9]*
alloc [1-9][0-9]* 512 4[0-9][0-9][0-9]
free [1-9][0-9]*
END
# Each sampled item is freed once before it is sampled again.
samples_pair_up() {
	awk '$1 == "hit" && $2 == "alloc" && live[$3]++ { print "twice: " $0 }
	$1 == "hit" && $2 == "free" && --live[$3] != 0 { print "unknown: " $0 }
	END { for (p in live) if (live[p]) print "never freed: " p }' gdb.out
}
prints_arguments() {
	UMA_OPTIONS=vm.uma.sample_period=4k \
		gdb -nx -batch -x script.gdb ./program >gdb.out 2>&1
	grep -q 'exited normally' gdb.out || tail -n 20 gdb.out
	zone=$(sed -n 's/^zone 0x//p' gdb.out)
	[ -n "$zone" ] || return
	while read -r line; do
		line=$(echo "$line" | sed "s/ZONE/$(printf %d "0x$zone")/")
		grep -qx "hit $line" gdb.out || echo "missing: $line"
	done <want
	samples_pair_up
	cut -d' ' -f1 page.list | sed 's/.*://' | while read -r name; do
		grep -q "^$name " want || echo "not asked for: $name"
	done
	sed -n 's/^hit \([a-z_]*\) .*/\1/p' gdb.out | sort | uniq -c |
		sort -rn >hits
}
$cc -O2 -I"$stage/include" -o program "$program" "$lib/libuma.so" \
	-Wl,-rpath,"$lib" && strip -g program &&
	is "gdb stops at each in libuma.so, and its arguments are right" \
		prints_arguments
$cc -O2 -I"$stage/include" -o program "$program" "$lib/libuma.a" $libs &&
	strip -g program &&
	is "gdb stops at each in libuma.a, and its arguments are right" \
		prints_arguments
finish
