#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# manual.sh STAGE_PREFIX BUILD_DIR: hold the pages of man/ against the library
# as it is installed below STAGE_PREFIX.  Scratch files go to BUILD_DIR/manual.
# One line a group and one a failure; exits 1 if there was a failure.
#
# Lint runs at mandoc's lowest level, style.  Only its search for the manuals
# of other programs is left out, since it looks at the pages of this machine;
# references among our own pages are checked here.
#
# CC, PKG_CONFIG and MANDOC may be set.
#
# Lists of pages, headers and flags are words on purpose.
# shellcheck disable=SC2046,SC2086

set -u
LC_ALL=C
export LC_ALL

if [ $# -ne 2 ]; then
	echo "usage: $0 STAGE_PREFIX BUILD_DIR" >&2
	exit 2
fi

man=$(dirname "$0")/../man
stage=$(cd "$1" && pwd) || exit 2
mkdir -p "$2/manual" || exit 2
work=$(cd "$2/manual" && pwd) || exit 2
cc=${CC:-cc}
pkgconf=${PKG_CONFIG:-pkg-config}
mandoc=${MANDOC:-mandoc}
warn='-std=c11 -Wall -Wextra -Werror'
pages=$(cd "$man" && echo *.3)
checks=0
failures=0

PKG_CONFIG_PATH=$stage/lib/pkgconfig
export PKG_CONFIG_PATH

# One check: its text, and a file that holds what is wrong, or nothing.
check()
{
	checks=$((checks + 1))
	if [ -s "$2" ]; then
		failures=$((failures + 1))
		echo "manual: FAILED: $1" >&2
		sed 's/^/    /' "$2" >&2
	fi
}

# Names in the NAME section, one a line.
page_names()
{
	awk '/^\.Sh/ { name = $2 == "NAME" } name && $1 == ".Nm" { print $2 }' \
	    "$@"
}

# Functions that the given headers declare with UMA_API, one a line.
header_functions()
{
	awk '/^#/ { next }
	/^UMA_API/ { on = 1; text = "" }
	on { text = text " " $0 }
	on && /;/ {
		on = 0
		sub(/[(;].*/, "", text)
		sub(/.*[ *]/, "", text)
		print text
	}' "$@"
}

# Lines that are in the first sorted file only, and in the second only.
differences()
{
	comm -23 "$1" "$2" | sed "s|\$|: $3|"
	comm -13 "$1" "$2" | sed "s|\$|: $4|"
}

lint()
{
	if ! command -v "$mandoc" >/dev/null 2>&1; then
		echo "manual: lint: skipped, there is no $mandoc"
		return
	fi
	for page in $pages; do
		(cd "$man" && "$mandoc" -T lint "$page") 2>&1 |
		    grep -v -e 'referenced manual not found' \
		    -e 'outdated mandoc.db' >"$work/lint"
		check "lint of $page" "$work/lint"
	done
	echo "manual: lint: $(echo $pages | wc -w) pages"
}

# The sections that every page has; the last word of DESCRIPTION is what holds.
shape()
{
	for page in $pages; do
		awk '/^\.Sh/ { at = substr($0, 5); has[at] = 1 }
		/^\.Ss/ && at == "DESCRIPTION" { last = substr($0, 5) }
		END {
			n = split("NAME,LIBRARY,SYNOPSIS,DESCRIPTION," \
			    "EXAMPLES,SEE ALSO,HISTORY,CAVEATS", want, ",")
			for (i = 1; i <= n; i++)
				if (!(want[i] in has))
					print "no section " want[i]
			if (last != "What is guaranteed")
				print "DESCRIPTION ends with \"" last "\""
		}' "$man/$page" >"$work/shape"
		check "sections of $page" "$work/shape"
	done
	echo "manual: sections: $(echo $pages | wc -w) pages"
}

# Each literal block of EXAMPLES that has a main goes to a file of its own.
extract_examples()
{
	awk -v out="$2" '/^\.Sh/ { examples = $2 == "EXAMPLES" }
	examples && /^\.Bd -literal/ { on = 1; text = ""; next }
	on && /^\.Ed/ {
		on = 0
		if (text ~ /int main|main\(void\)/) {
			file = out "-" ++n ".c"
			printf "%s", text >file
			close(file)
		}
	}
	on {
		gsub(/\\-/, "-")
		gsub(/\\\(aq/, "\047")
		gsub(/\\&/, "")
		parts = split($0, part, /\\e/)
		line = part[1]
		for (i = 2; i <= parts; i++)
			line = line "\\" part[i]
		text = text line "\n"
	}' "$1"
}

build_and_run()
{
	$cc $warn $($pkgconf --cflags libuma) -o "$2" "$1" \
	    $($pkgconf --libs libuma) -pthread >"$2.log" 2>&1 || {
		echo "does not compile"
		cat "$2.log"
		return
	}
	LD_LIBRARY_PATH=$libdir timeout 60 "$2" >"$2.log" 2>&1 || {
		echo "exit status $?"
		cat "$2.log"
	}
}

examples()
{
	total=0
	for page in $pages; do
		base=${page%.3}
		rm -f "$work/$base"-*
		extract_examples "$man/$page" "$work/$base"
		set -- "$work/$base"-*.c
		if [ ! -f "$1" ]; then
			echo "none is complete" >"$work/none"
			check "examples of $page" "$work/none"
			continue
		fi
		for source; do
			total=$((total + 1))
			build_and_run "$source" "${source%.c}" >"$work/run"
			check "example ${source##*/}" "$work/run"
		done
	done
	echo "manual: examples: $total programs compiled and run"
}

# A C file that declares again what SYNOPSIS declares, and a list of names.
synopsis_to_c()
{
	awk -v names="$2" 'function arguments(s,    all, arg) {
		all = ""
		while (s != "") {
			if (substr(s, 1, 1) == "\"") {
				s = substr(s, 2)
				arg = substr(s, 1, index(s, "\"") - 1)
				s = substr(s, index(s, "\"") + 1)
			} else {
				arg = s
				sub(/ .*/, "", arg)
				s = substr(s, length(arg) + 1)
			}
			all = all (all == "" ? "" : ", ") arg
			sub(/^ +/, "", s)
		}
		return all
	}
	function rest(n,    s) {
		s = $0
		while (n-- > 0)
			sub(/^[^ ]+ */, "", s)
		return s
	}
	function declare(type, name, args) {
		print type " " name "(" args ");"
		print name >names
	}
	/^\.Sh/ { on = $2 == "SYNOPSIS" }
	!on { next }
	$1 == ".In" { print "#include <" $2 ">" }
	$1 == ".Ft" { type = rest(1) }
	$1 == ".Fn" { declare(type, $2, arguments(rest(2))) }
	$1 == ".Fo" { name = $2; args = "" }
	$1 == ".Fa" { args = args (args == "" ? "" : ", ") arguments(rest(1)) }
	$1 == ".Fc" { declare(type, name, args) }
	$1 == ".Vt" && $2 == "extern" { print rest(1); print $(NF - 1) >names }
	/^typedef/ { print }' "$1"
}

synopses()
{
	total=0
	for page in $pages; do
		base=$work/${page%.3}_synopsis
		: >"$base.names"
		synopsis_to_c "$man/$page" "$base.names" >"$base.c"
		$cc $warn $($pkgconf --cflags libuma) -fsyntax-only "$base.c" \
		    >"$work/log" 2>&1
		check "SYNOPSIS of $page against the header" "$work/log"
		sort "$base.names" >"$work/declared"
		page_names "$man/$page" | grep -v -x uma | sort >"$work/named"
		differences "$work/declared" "$work/named" \
		    'in SYNOPSIS, not in NAME' 'in NAME, not in SYNOPSIS' \
		    >"$work/log"
		check "SYNOPSIS of $page against its NAME" "$work/log"
		total=$((total + $(wc -l <"$work/declared")))
	done
	echo "manual: synopses: $total prototypes agree with the headers"
}

# Header, pages and shared object must name the same functions.
names()
{
	(cd "$man" && page_names $pages) | grep -v -x uma | sort >"$work/all"
	uniq -d "$work/all" >"$work/log"
	check "each name in one page" "$work/log"
	sort -u "$work/all" >"$work/pages"
	header_functions $headers | sort -u >"$work/headers"
	differences "$work/headers" "$work/pages" \
	    'in a header, in no page' 'in a page, in no header' >"$work/log"
	check "names of headers and pages" "$work/log"
	nm -D --defined-only "$libdir/libuma.so" | awk '$2 != "A" {
		sub(/@.*/, "", $3)
		print $3
	}' | sort -u >"$work/symbols"
	differences "$work/headers" "$work/symbols" \
	    'in a header, not exported' 'exported, in no header' >"$work/log"
	check "names of headers and exported symbols" "$work/log"
	while read -r name; do
		[ -e "$stage/share/man/man3/$name.3" ] || echo "$name.3"
	done <"$work/pages" >"$work/log"
	check "an installed page or link for each name" "$work/log"
	echo "manual: names: $(wc -l <"$work/pages" | tr -d ' ') functions"
}

# Constants of the headers are explained, those of the pages exist.
constants()
{
	awk '/^#define[ \t]+[A-Z]/ {
		sub(/\(.*/, "", $2)
		if ($2 !~ /_H$/ && $2 != "UMA_API" && $2 !~ /^UMA_SEQ_/)
			print $2
	}' $headers | sort -u >"$work/defined"
	(cd "$man" && cat $pages) | tr -c 'A-Za-z0-9_' '\n' | sort -u \
	    >"$work/words"
	comm -23 "$work/defined" "$work/words" >"$work/log"
	check "constants that no page mentions" "$work/log"
	(cd "$man" && awk '$1 == ".Dv" || ($1 == ".It" && $2 == "Dv") {
		name = $1 == ".Dv" ? $2 : $3
		if (name ~ /^(UMA|M)_[A-Z]/)
			print name
	}' $pages) | sort -u >"$work/mentioned"
	comm -13 "$work/defined" "$work/mentioned" | grep -v -x 'M_' \
	    >"$work/log"
	check "constants that no header defines" "$work/log"
	: >"$work/members"
	members uma_stat.3 'One zone' uma_zone_stat
	members uma_stat.3 'The process' uma_memory_stat
	members uma_stats.3 DESCRIPTION uma_stats uma_cpu_stat uma_domain_stat
	echo "manual: constants: $(wc -l <"$work/defined" | tr -d ' ')," \
	    "members: $(wc -l <"$work/members" | tr -d ' ')"
}

# PAGE SECTION STRUCT...: what these structs have is what the section explains.
members()
{
	page=$1
	section=$2
	shift 2
	for struct; do
		awk -v name="$struct" '
		$1 == "struct" && $2 == name && $3 == "{" { on = 1; next }
		/^};/ { on = 0 }
		on && sub(/;.*/, "") {
			gsub(/\[[^]]*\]|\*/, "")
			n = split($0, part, ",")
			for (i = 1; i <= n; i++)
				print part[i]
		}' $headers
	done | awk '{ print $NF }' | sort -u >"$work/has"
	awk -v section="$section" '
	/^\.S[hs]/ { on = substr($0, 5) == section }
	on && $1 == ".It" && $2 == "Fa" {
		for (i = 3; i <= NF; i++)
			if ($i != ",")
				print $i
	}' "$man/$page" | sort -u >"$work/explained"
	differences "$work/has" "$work/explained" \
	    'a member that is not explained' 'no member' >"$work/log"
	check "members of struct $1" "$work/log"
	cat "$work/has" >>"$work/members"
}

# What DIAGNOSTICS quotes, and the settings, are what the source has.
diagnostics()
{
	cat "$man"/../pages/*.c "$man"/../percpu/*.c "$man"/../slab/*.c \
	    "$man"/../zone/*.c | tr '\n\t' '  ' | sed 's/" *"//g' |
	    sed 's/%[#0-9.]*[hlz]*[a-z]/%/g' >"$work/source"
	(cd "$man" && awk '/^\.Sh/ { on = $2 == "DIAGNOSTICS" }
	on && /^\.It "/ {
		line = substr($0, 6)
		sub(/"$/, "", line)
		sub(/^uma: /, "", line)
		print line
	}
	on && /^\.It Li / { print "\"" $3 " " }
	$1 == ".It" && $2 == "Cm" { print "\"" $3 "\"" }' $pages) |
	    sed 's/%[#0-9.]*[hlz]*[a-z]/%/g' | sort -u >"$work/quoted"
	while read -r line; do
		grep -q -F -e "$line" "$work/source" || echo "$line"
	done <"$work/quoted" >"$work/log"
	check "messages and settings that the source does not have" "$work/log"
	echo "manual: messages and settings: $(wc -l <"$work/quoted" |
	    tr -d ' ')"
}

references()
{
	(cd "$man" && page_names $pages && for page in $pages; do
		echo "${page%.3}"
	done) | sort -u >"$work/targets"
	(cd "$man" && awk '/^\.(It )?Xr / {
		name = $1 == ".Xr" ? $2 : $3
		section = $1 == ".Xr" ? $3 : $4
		if (section == 3 && name ~ /^(uma|zpcpu)/)
			print name
	}' $pages) | sort -u >"$work/sources"
	comm -13 "$work/targets" "$work/sources" >"$work/log"
	check "references among the pages" "$work/log"
	echo "manual: references: $(wc -l <"$work/sources" | tr -d ' ') targets"
}

libdir=$($pkgconf --variable=libdir libuma) || exit 2
headers="$stage/include/uma.h $(echo "$stage"/include/uma/*.h)"
lint
shape
examples
synopses
names
constants
references
diagnostics
# The first line is for suite.sh, which adds up the checks of all tests.
echo "$(((checks - failures) * 100 / checks))%: Checks: $checks," \
    "Failures: $failures, Errors: 0"
echo "manual: $checks checks, $failures failures"
[ "$failures" -eq 0 ]
