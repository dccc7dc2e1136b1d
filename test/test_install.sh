#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# test_install.sh - install into a stage, use the library as a stranger would,
# uninstall, find nothing left.  Called by suite.sh; CC, MAKE, O are set.
# shellcheck disable=SC2016,SC2046,SC2086

CC=${CC:-cc}
MAKE=${MAKE:-make}
top=$(cd "$O" && pwd)/install-test
rm -rf "$top"
mkdir -p "$top"

checks=0
failures=0
# is SENTENCE COMMAND...: one check.
is() {
	sentence=$1
	shift
	checks=$((checks + 1))
	if "$@" >"$top/out" 2>&1; then
		echo "ok: $sentence"
	else
		failures=$((failures + 1))
		echo "FAILED: $sentence: $*"
		cat "$top/out"
	fi
}

cat >"$top/user.c" <<'EOF'
#include <uma.h>
#include <uma/stat.h>
#include <string.h>

int
main(void)
{
	struct uma_zone_stat st = {.size = sizeof st};
	uma_zone_t zone = uma_zcreate("user", 100, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, 0);
	void *item = uma_zalloc(zone, M_WAITOK | M_ZERO);

	if (item == NULL || uma_version() != UMA_VERSION)
		return 1;
	if (uma_zone_stat(zone, &st) != 0 || st.used != 1)
		return 2;
	uma_zfree(zone, item);
	uma_zdestroy(zone);
	return strcmp(st.name, "user") == 0 ? 0 : 3;
}
EOF
# What FreeBSD's page shows, in its own words: the synopsis, the example of a
# zone with copies for each CPU, and the macros.
cat >"$top/page.c" <<'EOF'
#include <sys/param.h>
#include <sys/queue.h>
#include <vm/uma.h>
#include <sys/sysctl.h>

typedef struct foo {
	int count;
} foo_t;

struct conn {
	int fd;
	TAILQ_ENTRY(conn) link;
};
static TAILQ_HEAD(, conn) conns = TAILQ_HEAD_INITIALIZER(conns);
static uma_zone_t conn_zone;

SYSCTL_DECL(_vm);
SYSCTL_UMA_MAX(_vm, OID_AUTO, conn_max, CTLFLAG_RW, &conn_zone, "Limit");
SYSCTL_UMA_CUR(_vm, OID_AUTO, conn_cur, CTLFLAG_RD, &conn_zone, "Now");

static int
conn_ctor(void *mem, int size, void *arg, int flags)
{
	(void)size, (void)flags;
	((struct conn *)mem)->fd = *(int *)arg;
	return (0);
}

static int
pcpu(void)
{
	uma_zone_t foo_zone;
	void *foo_base;
	foo_t *foo_pcpu;

	foo_zone = uma_zcreate("foo", sizeof(foo_t), NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, UMA_ZONE_PCPU);
	foo_base = uma_zalloc(foo_zone, M_WAITOK);
	foo_pcpu = (foo_t *)zpcpu_get(foo_base);
	foo_pcpu->count++;
	uma_zfree(foo_zone, foo_base);
	uma_zdestroy(foo_zone);
	return (0);
}

int
main(void)
{
	struct sysctl_ctx_list ctx;
	struct conn *c, *next;
	char name[] = "conn";
	int fd, max = 64, cur = 0;
	size_t len = sizeof(cur);

	conn_zone = uma_zcreate(name, sizeof(struct conn), conn_ctor, NULL,
	    NULL, NULL, UMA_ALIGN_PTR, 0);
	uma_zone_set_warning(conn_zone, "too many connections");
	if (sysctlbyname("vm.conn_max", NULL, NULL, &max, sizeof(max)) != 0)
		return (1);
	if (uma_zone_get_max(conn_zone) < 64)
		return (2);
	for (fd = 0; fd < 10; fd++) {
		c = (struct conn *)uma_zalloc_arg(conn_zone, &fd, M_NOWAIT);
		TAILQ_INSERT_TAIL(&conns, c, link);
	}
	if (sysctlbyname("vm.conn_cur", &cur, &len, NULL, 0) != 0 || cur != 10)
		return (3);
	TAILQ_FOREACH_SAFE(c, &conns, link, next) {
		TAILQ_REMOVE(&conns, c, link);
		uma_zfree_arg(conn_zone, c, NULL);
	}
	if (uma_zone_get_cur(conn_zone) != 0)
		return (4);
	sysctl_ctx_init(&ctx);
	if (SYSCTL_ADD_UMA_CUR(&ctx, SYSCTL_STATIC_CHILDREN(_vm), OID_AUTO,
	    "conn_too", CTLFLAG_RD, &conn_zone, "Now") == NULL ||
	    SYSCTL_ADD_UMA_MAX(&ctx, SYSCTL_STATIC_CHILDREN(_vm), OID_AUTO,
	    "conn_max_too", CTLFLAG_RW, &conn_zone, "Limit") == NULL)
		return (5);
	if (sysctl_ctx_free(&ctx) != 0 || nitems(name) != 5)
		return (6);
	return (pcpu());
}
EOF
# A handler that never returns does not keep the program from ending.
cat >"$top/end.c" <<'EOF'
#include <pthread.h>
#include <semaphore.h>
#include <sys/sysctl.h>
#include <unistd.h>

static sem_t inside;

static int
wait_for_ever(SYSCTL_HANDLER_ARGS)
{
	(void)oidp, (void)arg1, (void)arg2, (void)req;
	sem_post(&inside);
	for (;;)
		pause();
	return (0);
}
SYSCTL_PROC(_debug, OID_AUTO, wait, CTLTYPE_INT | CTLFLAG_RD, 0, 0,
    wait_for_ever, "I", "Waits");

static void *
read_it(void *arg)
{
	(void)arg;
	sysctlbyname("debug.wait", NULL, NULL, NULL, 0);
	return (NULL);
}

int
main(void)
{
	pthread_t thread;

	sem_init(&inside, 0, 0);
	pthread_create(&thread, NULL, read_it, NULL);
	while (sem_wait(&inside) != 0)
		;
	return (0);
}
EOF
echo '#include <stdlib.h>
int main(void) { return 0; }' >"$top/empty.c"

make_() {
	$MAKE --no-print-directory DEPS=no "$@"
}
# pc STAGE FLAG...: pkg-config for the library below STAGE/usr.
pc() {
	stage=$1
	shift
	PKG_CONFIG_PATH=$stage/usr/lib/pkgconfig pkg-config "$@" libuma
}
# compile STAGE OUT PC-FLAGS CC-FLAGS...: the user's program.
compile() {
	stage=$1 out=$2 pcflags=$3
	shift 3
	$CC -std=c11 -Wall -Wextra -Werror -pedantic "$@" -o "$out" \
		"$top/user.c" $(pc "$stage" $pcflags --cflags --libs)
}
# page STAGE OUT SOURCE CC-FLAGS...: the same with FreeBSD's headers.
page() {
	stage=$1 out=$2 source=$3
	shift 3
	$CC "$@" -Wall -Wextra -Werror -o "$out" "$source" -x none \
		$(PKG_CONFIG_PATH=$stage/usr/lib/pkgconfig pkg-config \
			--cflags --libs libuma-freebsd)
}
# Each of its headers by itself, and without the others.
overlay_alone() {
	for h in sys/param.h sys/queue.h sys/malloc.h sys/sysctl.h vm/uma.h; do
		printf '#include <%s>\nextern int unused;\n' "$h" \
			>"$top/alone.c"
		for std in 'c -std=c11' 'c++ -std=c++17'; do
			$CC -x $std -Wall -Wextra -Werror -pedantic \
				-fsyntax-only "$top/alone.c" \
				-I"$1/usr/include/libuma-freebsd" \
				-I"$1/usr/include" || return
		done
	done
}
# CMake's way.  The consumer: a program with the library, the archive, and
# FreeBSD's headers.
mkdir -p "$top/cmake" "$top/moved"
cat >"$top/cmake/CMakeLists.txt" <<'EOF'
cmake_minimum_required(VERSION 3.13)
project(user C)
find_package(libuma 0.1 CONFIG REQUIRED)
foreach(kind libuma static freebsd)
  add_executable(${kind} ${SOURCE_${kind}})
  target_link_libraries(${kind} libuma::${kind})
endforeach()
EOF
# cmake_builds PREFIX: the programs in $top/cmake/build.
cmake_builds() {
	rm -rf "$top/cmake/build"
	CC="$CC" cmake -S "$top/cmake" -B "$top/cmake/build" \
		-DSOURCE_libuma="$top/user.c" -DSOURCE_static="$top/user.c" \
		-DSOURCE_freebsd="$top/page.c" -DCMAKE_PREFIX_PATH="$1" &&
		cmake --build "$top/cmake/build"
}
# cmake_version FILE INSTALLED ASKED YES-OR-NO [MIN MAX INCLUDE|EXCLUDE]
cmake_version() {
	sed "s/\"0\.1\.0\"/\"$2\"/; s/MAJOR EQUAL 0/MAJOR EQUAL ${2%%.*}/" \
		"$1" >"$top/version.cmake"
	cat >"$top/ask.cmake" <<EOF
set(PACKAGE_FIND_VERSION "$3")
set(PACKAGE_FIND_VERSION_MAJOR "${3%%.*}")
set(PACKAGE_FIND_VERSION_RANGE "$5")
set(PACKAGE_FIND_VERSION_MIN "$5")
set(PACKAGE_FIND_VERSION_MAX "$6")
set(PACKAGE_FIND_VERSION_RANGE_MAX "$7")
include("$top/version.cmake")
if(PACKAGE_VERSION_COMPATIBLE)
  message(FATAL_ERROR yes)
endif()
EOF
	if cmake -P "$top/ask.cmake"; then
		[ "$4" = no ]
	else
		[ "$4" = yes ]
	fi
}
needed() {
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}
only_libc_and_libnuma() {
	needed "$1"
	! needed "$1" | grep -vE '^(libc\.|libnuma\.|ld-)'
}
left_behind() {
	find "$1" ! -type d | grep . && return 1
	! find "$1" -depth -type d -name '*uma*' | grep .
}
so_name() {
	readelf -d "$1" | grep -q 'SONAME.*\[libuma\.so\.0\]'
}
stays_loaded() {
	readelf -d "$1" | grep -q NODELETE
}
executable_stack() {
	readelf -lW "$1" | grep GNU_STACK | grep -q RWE
}

# A prefix of its own: what a person with an own directory does.
p=$top/prefix
is "make install PREFIX=" make_ install PREFIX="$p/usr"
lib=$p/usr/lib
is "the library has its name" so_name "$lib/libuma.so"
is "the library stays loaded once it is" stays_loaded "$lib/libuma.so"
is "the library needs only libc and libnuma" \
	only_libc_and_libnuma "$lib/libuma.so"
is "no stack becomes executable" eval '! executable_stack "$lib/libuma.so"'
is "the version is the header's" test \
	"$(pc "$p" --modversion)" = "$(sed -n \
	's/.*UMA_VERSION_STRING "\(.*\)"/\1/p' include/uma.h)"
is "a program compiles" compile "$p" "$top/dynamic" ""
is "it is linked to the library" eval \
	'needed "$top/dynamic" | grep -qx libuma.so.0'
is "it runs" env LD_LIBRARY_PATH="$lib" "$top/dynamic"
is "the page's synopsis and example compile" page "$p" "$top/page" \
	"$top/page.c" -std=gnu11
is "they run" env LD_LIBRARY_PATH="$lib" "$top/page"
is "they compile as C++" page "$p" "$top/page++" "$top/page.c" \
	-x c++ -std=gnu++17
is "they run" env LD_LIBRARY_PATH="$lib" "$top/page++"
for std in 'c -std=c11' 'c++ -std=c++17'; do
	is "the macros of sysctl(9) compile" page "$p" "$top/port" \
		test/freebsd/port.c -x $std -pedantic
	is "they work" env LD_LIBRARY_PATH="$lib" "$top/port"
done
is "a handler that waits compiles" page "$p" "$top/end" "$top/end.c" -fPIE -pie \
	-pthread
is "it lets the program end" env LD_LIBRARY_PATH="$lib" timeout 10 "$top/end"
is "each header of FreeBSD's compiles alone" overlay_alone "$p"
is "a program links to the archive" $CC -o "$top/archive" "$top/user.c" \
	$(pc "$p" --cflags) "$lib/libuma.a" $(pc "$p" --static --libs-only-other)
is "it runs" "$top/archive"
if $CC -static -o "$top/empty" "$top/empty.c" -lnuma 2>/dev/null; then
	is "a static program compiles" compile "$p" "$top/static" \
		"--static" -static
	is "it runs" "$top/static"
else
	echo "skipped: no static libc and libnuma here"
fi
if command -v cmake >/dev/null; then
	is "CMake finds it, and builds" cmake_builds "$p/usr"
	for kind in libuma static freebsd; do
		is "libuma::$kind runs" "$top/cmake/build/$kind"
	done
	is "libuma::libuma is the library" eval \
		'needed "$top/cmake/build/libuma" | grep -qx libuma.so.0'
	is "libuma::static is not" eval \
		'! needed "$top/cmake/build/static" | grep -q libuma'
	version=$lib/cmake/libuma/libuma-config-version.cmake
	while read -r args; do
		is "CMake's versions: installed, asked for, will do: $args" \
			cmake_version "$version" $args
	done <<-EOF
		0.1.0 0.1 yes
		0.1.0 0.1.0 yes
		0.1.0 0 yes
		0.1.0 0.1.1 no
		0.1.1 0.1.0 no
		0.10.0 0.1 no
		0.2.0 0.1 no
		1.2.3 1.2 yes
		1.2.3 1.2.3 yes
		1.2.3 1.3 no
		1.2.3 0.1 no
		2.0.0 1.2 no
		0.2.0 0.1 yes 0.1 0.2 INCLUDE
		0.2.0 0.1 no 0.1 0.2 EXCLUDE
		0.3.0 0.1 no 0.1 0.2 INCLUDE
		0.1.0 0.2 no 0.2 0.3 INCLUDE
	EOF
	mv "$p/usr" "$top/moved/usr"
	is "CMake finds it where it was moved to" cmake_builds "$top/moved/usr"
	is "it runs there" "$top/cmake/build/libuma"
	mv "$top/moved/usr" "$p/usr"
else
	echo "skipped: no cmake here"
fi
is "the tour is a page" test -f "$p/usr/share/man/man3/uma.3"
is "gdb finds its commands" test -f "$p/usr/share/gdb/auto-load$lib/$(
	readlink "$lib/libuma.so.0")-gdb.py"
is "the licence is there" test -f "$p/usr/share/doc/libuma/LICENSE"
is "make uninstall PREFIX=" make_ uninstall PREFIX="$p/usr"
is "nothing is left" left_behind "$p"

# A root of its own: what a packager does.  The paths inside stay the real ones.
d=$top/dest
lib=/usr/lib/any-linux-gnu
where="DESTDIR=$d PREFIX=/usr LIBDIR=$lib MANDIR=/usr/man"
is "make install DESTDIR=" make_ install $where
is "LIBDIR is where the library is" test -f "$d$lib/libuma.so.0"
is "MANDIR is where the manual is" test -f "$d/usr/man/man3/uma.3"
is "libuma.pc knows nothing of DESTDIR" eval \
	'! grep -F "$d" "$d$lib/pkgconfig/libuma.pc"'
is "libuma.pc knows LIBDIR" grep -qx "libdir=\${prefix}/lib/any-linux-gnu" \
	"$d$lib/pkgconfig/libuma.pc"
cmake=$lib/cmake/libuma/libuma-config.cmake
is "CMake's file knows nothing of DESTDIR" eval \
	'! grep -F "$d" "$d$cmake"'
is "CMake's file knows how deep it lies" grep -qF \
	"{_libuma_prefix}/../../../../" "$d$cmake"
is "installing again is harmless" make_ install $where
is "make uninstall DESTDIR=" make_ uninstall $where
is "nothing is left" left_behind "$d"

echo "$(((checks - failures) * 100 / checks))%: Checks: $checks," \
	"Failures: $failures, Errors: 0"
[ "$failures" -eq 0 ] && rm -rf "$top"
[ "$failures" -eq 0 ]
