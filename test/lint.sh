#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# lint.sh - the promises of the house that a program can check, called by
# `make lint`.  From the environment: CC, O, STAGE; FOLDERS of the library in
# their order, INC_<folder> their include paths, OBJS, HEADERS and MAN3 what is
# installed, WARN the warnings.
#
# A rule is a function that prints what breaks it, and nothing otherwise.
# shellcheck disable=SC2046,SC2086,SC2153,SC2317

tmp=$O/lint
rm -rf "$tmp" && mkdir -p "$tmp" "$O/log" || exit 1

passed=0
failed=0
# rule SENTENCE FUNCTION
rule() {
	"$2" >"$tmp/found" 2>&1
	if [ -s "$tmp/found" ]; then
		failed=$((failed + 1))
		echo "  FAILED   $1"
		sed 's/^/           /' "$tmp/found" | head -n 40
	else
		passed=$((passed + 1))
		echo "  ok       $1"
	fi
}
skip() {
	echo "  skipped  $1: $2"
}
has() {
	command -v "$1" >/dev/null 2>&1
}

# The files that are, or are about to be, under version control.
tree() {
	git ls-files --cached --others --exclude-standard 2>/dev/null ||
		find . -type f ! -path './build*' | sed 's:^\./::'
}
tree | sort -u | while read -r f; do
	[ -f "$f" ] && echo "$f"
done >"$tmp/tree"
files() {
	grep -E "$1" "$tmp/tree"
}
folders=$(echo $FOLDERS | tr ' ' '|')
include_path() {
	eval "echo \$INC_$1"
}
all_paths=$(for d in $FOLDERS; do include_path "$d"; done | tr '\n' ' ')

# ---- form ----

# Versions of the formatter disagree about details; 14 has the say.
format_with=
for f in clang-format-14 clang-format; do
	has $f && $f --version | grep -q 'version 14\.' &&
		format_with=$f && break
done
formatted() {
	files '\.[ch]$' | xargs "$format_with" --dry-run -Werror 2>&1 |
		grep -E ': (error|warning)'
}
sized() {
	files "^($folders)/.*\.[ch]$" | while read -r f; do
		n=$(wc -l <"$f")
		[ "$n" -le 800 ] || echo "$f has $n lines"
	done
}
finished() {
	files '\.[chS]$' | xargs grep -nwE 'TODO|FIXME|XXX'
}
portable() {
	files . | grep -v '^examples/data/' |
		xargs grep -nIE '/(work|farm|home)/|/tmp/bash_[j]obs'
}
licensed() {
	files '\.[ch]$' | while read -r f; do
		head -n 1 "$f" | grep -qxF \
			'/* SPDX-License-Identifier: BSD-2-Clause */' ||
			echo "$f does not begin with its licence"
	done
}
shell_clean() {
	{ files '\.sh$'; echo .ci/run; } | xargs shellcheck
}

# ---- layers ----

climbs() {
	files '\.[chS]$' | xargs grep -n '#[ 	]*include.*\.\./'
}
doors() {
	files "^($folders)/.*\.[ch]$" | xargs grep -HoE \
		'^#[ 	]*include[ 	]*[<"][^>"]+' |
		sed 's/:#.*[<"]/ /' |
		while read -r f h; do
			own=${f%%/*}
			[ -f "$own/$h" ] || [ -f "include/$h" ] && continue
			for d in $FOLDERS; do
				[ -f "$d/$h" ] && [ "$h" != "${d}_int.h" ] &&
					echo "$f includes $h of $d/"
			done
		done
}
test_doors() {
	files '^(test|examples)/.*\.c$' | grep -v '^test/test_int_' |
		xargs grep -n '#[ 	]*include.*_int\.h'
}
# Without a warning, with either compiler; the tests, which may see all, once.
compiles() {
	for d in $FOLDERS; do
		for cc in gcc clang; do
			files "^$d/.*\.c$" | xargs -P "$(nproc)" -I{} $cc \
				-std=gnu11 $WARN -Werror -O2 $(include_path $d) \
				-o /dev/null -c {}
		done
	done
	files '^(test|examples)/.*\.c$' | xargs -P "$(nproc)" -I{} clang \
		-std=gnu11 $WARN -Werror $all_paths -Itools -fsyntax-only {}
}
# Objects that want one of these symbols, but for the file that may.
wants() {
	for o in $OBJS; do
		[ "$o" = "$O/$2" ] || nm -u "$o" |
			awk -v o="${o#"$O"/}" -v re="^($1)\$" '
			{ sub(/@.*/, "", $2) }
			$2 ~ re { print o " calls " $2 }'
	done
}
maps() {
	wants '(mmap|mremap|munmap|mprotect|m(un)?lock2?)(64)?|s?brk' pages/vm.o
	wants '(process_)?madvise' pages/vm.o
	wants 'mbind|[gs]et_mempolicy|numa_.*' pages/domain.o
}
mallocs() {
	wants '(m|c|re|reallocarr|memal|pval|val)(alloc|ay|ign|loc)|free|cfree' -
	wants 'reallocarray|posix_memalign|aligned_alloc|memalign|v?asprintf' -
	wants '_*(str|strn|wcs)dup' -
}
prints() {
	wants '_*v?[fd]?printf(_chk)?|f?put[sc]|putchar|_IO_putc' -
	wants 'fwrite|fopen(64)?|fdopen|perror|std(out|err|in)' -
}

# ---- headers ----

alone() {
	for h in $HEADERS; do
		echo "#include <$h>
#include <$h>" >"$tmp/alone"
		for cc in gcc clang; do
			for std in c11 c17 c++17; do
				lang=c
				[ $std = c++17 ] && lang=c++
				$cc -x $lang -std=$std -Wall -Wextra -Werror \
					-pedantic -I"$STAGE/include" \
					-fsyntax-only "$tmp/alone"
			done
		done
	done
}
private_alone() {
	for h in $(files "^($folders)/.*\.h$") include/uma_int.h; do
		d=${h%%/*}
		[ $d = include ] && d=pages
		echo "#include \"${h##*/}\"" >"$tmp/alone"
		$CC -x c -std=gnu11 $WARN -Werror $(include_path $d) -I"${h%/*}" \
			-fsyntax-only "$tmp/alone"
	done
}
all_installed() {
	for h in $(files '^include/(uma\.h|uma/)'); do
		case " $HEADERS " in
		*" ${h#include/} "*) ;;
		*) echo "$h is not in HEADERS" ;;
		esac
	done
	for m in $(files '^man/.*\.3$'); do
		case " $MAN3 " in
		*" ${m#man/} "*) ;;
		*) echo "$m is not in MAN3" ;;
		esac
	done
}

# ---- one list of names ----

# A public function is declared visible, exported by both libraries, in the
# version script, and in the NAME of exactly one page.
in_headers() {
	for h in $HEADERS; do
		$CC -E -P -x c -Iinclude "include/$h"
	done | tr '\n' ' ' | tr ';' '\n' |
		sed -n -e 's/.*visibility("default")))\([^(]*\)(.*/\1/p' \
			-e 's/.*visibility("default")))\([^(]*\)$/\1/p' |
		sed 's/.*[ *]//' | sort -u
}
in_library() {
	nm -D --defined-only "$O/libuma.so" |
		awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u
}
in_archive() {
	nm -g --defined-only "$O/libuma.a" | awk 'NF == 3 { print $3 }' | sort -u
}
in_map() {
	sed -n '/global:/,/local:/s/^[ 	]*\([a-z0-9_]*\);.*/\1/p' \
		zone/libuma.map | sort -u
}
# Macros are documented too, and the tour has a name that is no call.
in_manual() {
	for m in $MAN3; do
		awk '/^\.Sh/ { on = $2 == "NAME" }
			on && $1 == ".Nm" && $2 != "uma" && $2 !~ /^[A-Z]/ {
				print $2
			}' "man/$m"
	done | sort | uniq -c | sed 's/^ *1 //'
}
same_names() {
	in_headers >"$tmp/header"
	[ -s "$tmp/header" ] || echo "no declaration was found"
	$1 | diff "$tmp/header" - | sed -n \
		"s/^< /the header has, $2 has not: /p
		s/^> /$2 has, the header has not: /p"
}
names_library() {
	same_names in_library "libuma.so"
}
names_archive() {
	same_names in_archive "libuma.a"
}
names_map() {
	same_names in_map "the version script"
}
names_manual() {
	same_names in_manual "the manual's NAMEs"
}
manual_clean() {
	files '^man/' | xargs mandoc -T lint -W warning
}

echo "lint"
rule "declarations and libuma.so have the same names" names_library
rule "declarations and libuma.a have the same names" names_archive
rule "declarations and the version script have the same names" names_map
rule "declarations and the manual have the same names" names_manual
rule "everything public is installed" all_installed
rule "public headers compile alone, C11 C17 C++17, gcc and clang" alone
rule "private headers compile alone" private_alone
rule "every file compiles without a warning, gcc and clang" compiles
rule "no include climbs" climbs
rule "a folder is entered through its _int.h" doors
rule "only test_int_* look inside" test_doors
rule "only pages/vm.c maps memory, only pages/domain.c knows nodes" maps
rule "nothing calls malloc" mallocs
rule "nothing prints through stdio" prints
rule "no file of the library is longer than 800 lines" sized
rule "every C file begins with its licence" licensed
rule "nothing is left to be done" finished
rule "no path of one machine" portable
if [ -n "$format_with" ]; then
	rule "the formatter would change nothing" formatted
else
	skip "the formatter would change nothing" "clang-format 14 is not here"
fi
if has shellcheck; then
	rule "shellcheck is silent" shell_clean
else
	skip "shellcheck is silent" "it is not here"
fi
rule "mandoc is silent" manual_clean

echo
echo "$passed passed, $failed failed" | tee "$O/log/total-lint"
[ "$failed" -eq 0 ]
