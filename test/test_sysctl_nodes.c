/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nodes of the program's own in the sysctl tree: static ones, those of modules
 * that come and go, dynamic ones, and limits of zones.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

#include <uma.h>
#include <uma/sysctl.h>

#include "test.h"

static uma_zone_t conn_zone; /* made when a test wants it */
static int debug_level = 3;
static unsigned long debug_bytes = 1ul << 40;
static char debug_text[16] = "first";

SYSCTL_DECL(_debug);
SYSCTL_NODE(_debug, OID_AUTO, conn, CTLFLAG_RW, 0, "Connections");
SYSCTL_UMA_MAX(
    _debug_conn, OID_AUTO, max, CTLFLAG_RW, &conn_zone, "Most connections");
SYSCTL_UMA_CUR(
    _debug_conn, OID_AUTO, cur, CTLFLAG_RW, &conn_zone, "Connections now");
SYSCTL_UMA_MAX(_debug_conn, OID_AUTO, max_seen, CTLFLAG_RD, &conn_zone,
    "The same, to be read");
SYSCTL_INT(_debug, OID_AUTO, level, CTLFLAG_RWTUN, &debug_level, 0, "Level");
SYSCTL_INT(_debug, OID_AUTO, constant, CTLFLAG_RD, 0, 42, "A constant");
SYSCTL_INT(_debug, OID_AUTO, hidden, CTLFLAG_RD | CTLFLAG_SKIP, 0, 1, "No");
SYSCTL_ULONG(_debug, OID_AUTO, bytes, CTLFLAG_RW, &debug_bytes, 0, "Bytes");
SYSCTL_STRING(
    _debug, OID_AUTO, text, CTLFLAG_RW, debug_text, sizeof debug_text, "Text");
SYSCTL_INT(_debug_nobody, OID_AUTO, orphan, CTLFLAG_RD, 0, 1, "No parent");

static int
handle_twice(SYSCTL_HANDLER_ARGS)
{
	int *half = arg1, v = *half * (int)arg2;
	int error = uma_sysctl_handle_int(oidp, &v, 0, req);

	if (error != 0 || req->newptr == NULL)
		return error;
	if (v % (int)arg2 != 0)
		return EINVAL;
	*half = v / (int)arg2;
	return 0;
}
SYSCTL_PROC(_debug, OID_AUTO, twice, CTLTYPE_INT | CTLFLAG_RW, &debug_level, 2,
    handle_twice, "I", "Twice the level");

static int before_main = -1;

static int
get(const char *name)
{
	int v = -1;
	size_t len = sizeof v;

	return uma_sysctlbyname(name, &v, &len, NULL, 0) == 0 ? v : -errno;
}

static int
set(const char *name, int v)
{
	return uma_sysctlbyname(name, NULL, NULL, &v, sizeof v) == 0 ? 0
								     : errno;
}

__attribute__((constructor(65535))) static void
look(void)
{
	before_main = get("debug.level");
}

static void
make_zone(void)
{
	conn_zone =
	    uma_zcreate("conn", 1024, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	ck_assert_ptr_nonnull(conn_zone);
}

/* ---- static nodes ---- */

START_TEST(static_nodes_are_there_before_main)
{
	ck_assert_int_eq(before_main, 3);
}
END_TEST

START_TEST(numbers_and_strings_are_read_and_written)
{
	unsigned long bytes = 5;
	char text[16];
	size_t len = sizeof text;

	ck_assert_int_eq(set("debug.level", 9), 0);
	ck_assert_int_eq(debug_level, 9);
	ck_assert_int_eq(get("debug.constant"), 42);
	ck_assert_int_eq(set("debug.constant", 1), EPERM);
	ck_assert_int_eq(
	    uma_sysctlbyname("debug.bytes", NULL, NULL, &bytes, sizeof bytes),
	    0);
	ck_assert_uint_eq(debug_bytes, 5);
	ck_assert_int_eq(
	    uma_sysctlbyname("debug.text", text, &len, "second", 6), 0);
	ck_assert_str_eq(text, "first");
	ck_assert_uint_eq(len, sizeof "first");
	ck_assert_str_eq(debug_text, "second");
	ck_assert_int_eq(uma_sysctlbyname("debug.text", NULL, NULL,
			     "longer than there is room", 25),
	    -1);
	ck_assert_int_eq(errno, EINVAL);
	/* Its NUL is stored besides. */
	ck_assert_int_eq(uma_sysctlbyname("debug.text", NULL, NULL,
			     "sixteen letters.", sizeof debug_text),
	    -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_str_eq(debug_text, "second");
	len = 3;
	ck_assert_int_eq(
	    uma_sysctlbyname("debug.text", text, &len, NULL, 0), -1);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(len, 3);
	ck_assert_int_eq(
	    uma_sysctlbyname("debug.text", NULL, &len, NULL, 0), 0);
	ck_assert_uint_eq(len, sizeof "second");
}
END_TEST

START_TEST(a_handler_of_ones_own_answers)
{
	ck_assert_int_eq(get("debug.twice"), 6);
	ck_assert_int_eq(set("debug.twice", 8), 0);
	ck_assert_int_eq(debug_level, 4);
	ck_assert_int_eq(set("debug.twice", 7), EINVAL);
	ck_assert_int_eq(debug_level, 4);
}
END_TEST

/* Two numbers, one after the other. */
static int
handle_pair(SYSCTL_HANDLER_ARGS)
{
	int *pair = arg1, error = 0;

	(void)oidp, (void)arg2;
	for (int i = 0; i < 2 && error == 0; i++)
		error = SYSCTL_OUT(req, &pair[i], sizeof pair[i]);
	for (int i = 0; i < 2 && error == 0; i++)
		error = SYSCTL_IN(req, &pair[i], sizeof pair[i]);
	return error;
}
static int a_pair[2] = {1, 2};
SYSCTL_PROC(_debug, OID_AUTO, pair, CTLTYPE_OPAQUE | CTLFLAG_RW | CTLFLAG_SKIP,
    a_pair, 0, handle_pair, "S,pair", "Two numbers");

START_TEST(a_handler_gives_and_takes_in_pieces)
{
	int new[2] = {3, 4}, old[3] = {0};
	size_t len = sizeof old;

	ck_assert_int_eq(
	    uma_sysctlbyname("debug.pair", old, &len, new, sizeof new), 0);
	ck_assert_uint_eq(len, sizeof a_pair);
	ck_assert(old[0] == 1 && old[1] == 2 && old[2] == 0);
	ck_assert(a_pair[0] == 3 && a_pair[1] == 4);
	ck_assert_int_eq(
	    uma_sysctlbyname("debug.pair", NULL, NULL, new, 6), -1);
	ck_assert_int_eq(errno, EINVAL);
	len = 6; /* cut in the second */
	ck_assert_int_eq(
	    uma_sysctlbyname("debug.pair", old, &len, new, sizeof new), -1);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(len, 6);
}
END_TEST

START_TEST(what_has_no_room_for_a_value_is_not_set)
{
	static char text[] = "constant";

	make_zone();
	SYSCTL_ADD_STRING(NULL, SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO,
	    "fixed", CTLFLAG_RW, text, 0, "");
	ck_assert_int_eq(
	    uma_sysctlbyname("debug.fixed", NULL, NULL, "x", 1), -1);
	ck_assert_int_eq(errno, EPERM);
	SYSCTL_ADD_PROC(NULL, SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO, "now",
	    CTLTYPE_INT | CTLFLAG_RW, &conn_zone, 0, uma_sysctl_handle_zone_cur,
	    "I", "");
	ck_assert_int_eq(set("debug.now", 1), EPERM);
	ck_assert_int_eq(get("debug.now"), 0);
}
END_TEST

START_TEST(a_node_without_a_handler_has_no_value)
{
	SYSCTL_ADD_PROC(NULL, SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO, "mute",
	    CTLTYPE_INT | CTLFLAG_RW, NULL, 0, NULL, "I", "");
	ck_assert_int_eq(get("debug.mute"), -EINVAL);
	ck_assert_int_eq(set("debug.mute", 1), EINVAL);
}
END_TEST

START_TEST(a_zones_limit_is_read_and_set_through_its_node)
{
	make_zone();
	ck_assert_int_eq(get("debug.conn.max"), 0);
	ck_assert_int_eq(set("debug.conn.max", 5), 0);
	ck_assert_int_eq(uma_zone_get_max(conn_zone), 8); /* whole pages */
	ck_assert_int_eq(get("debug.conn.max"), 8);
	ck_assert_int_eq(get("debug.conn.max_seen"), 8);
	ck_assert_int_eq(set("debug.conn.max_seen", 1), EPERM);
	ck_assert_int_eq(set("debug.conn.max", -1), EINVAL);
	ck_assert_int_eq(uma_sysctlbyname("debug.conn.max", NULL, NULL,
			     (uint64_t[]){1}, sizeof(uint64_t)),
	    -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(uma_zone_get_max(conn_zone), 8);
	ck_assert_int_eq(set("debug.conn.max", 0), 0);
	ck_assert_int_eq(uma_zone_get_max(conn_zone), 0);
}
END_TEST

START_TEST(a_zones_occupancy_is_read_only)
{
	make_zone();
	void *a = uma_zalloc(conn_zone, M_WAITOK);
	void *b = uma_zalloc(conn_zone, M_WAITOK);

	ck_assert_int_eq(get("debug.conn.cur"), 2);
	uma_zfree(conn_zone, a);
	ck_assert_int_eq(get("debug.conn.cur"), 1);
	ck_assert_int_eq(set("debug.conn.cur", 1), EPERM);
	uma_zfree(conn_zone, b);
}
END_TEST

START_TEST(a_zone_that_is_not_made_yet_has_no_limit)
{
	ck_assert_int_eq(get("debug.conn.max"), 0);
	ck_assert_int_eq(get("debug.conn.cur"), 0);
	ck_assert_int_eq(set("debug.conn.max", 5), ENXIO);
}
END_TEST

START_TEST(a_walk_meets_static_nodes_with_their_words)
{
	struct uma_sysctl_info info = {.size = sizeof info};
	char name[UMA_SYSCTL_NAME_MAX] = "debug", all[256] = "";

	while (uma_sysctl_next(name, name, sizeof name) == 0 &&
	       strncmp(name, "debug.", 6) == 0) {
		strcat(all, name + 6);
		strcat(all, " ");
	}
	ck_assert_str_eq(all,
	    "byte bytes conn.cur conn.max conn.max_seen constant "
	    "fixed8 fixed_bool flag level raw shared text twice "
	    "two_bytes ");
	ck_assert_int_eq(get("debug.hidden"), 1);
	ck_assert_int_eq(get("debug.nobody.orphan"), -ENOENT);
	ck_assert_int_eq(get("debug.conn"), -EISDIR);
	ck_assert_int_eq(uma_sysctl_info("debug.conn.cur", &info), 0);
	ck_assert_str_eq(info.descr, "Connections now");
	ck_assert_str_eq(info.fmt, "I");
	ck_assert_uint_eq(info.kind, CTLTYPE_INT | CTLFLAG_RD);
	ck_assert_int_eq(uma_sysctl_info("debug.conn", &info), 0);
	ck_assert_str_eq(info.descr, "Connections");
}
END_TEST

/* ---- modules ---- */

/* The module beside this program. */
static void *
module_open(void)
{
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof path - 32);

	ck_assert_int_gt(len, 0);
	path[len] = '\0';
	strcpy(strrchr(path, '/'), "/plugin/nodes.so");
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(module != NULL, "%s", dlerror());
	return module;
}

/* The library that the module stands on, which is not this program's. */
static int (*byname)(const char *, void *, size_t *, const void *, size_t);

static int
module_get(const char *name)
{
	int v = -1;
	size_t len = sizeof v;

	return byname(name, &v, &len, NULL, 0) == 0 ? v : -errno;
}

static void *
module_load(void)
{
	void *module = module_open();

	*(void **)&byname = dlsym(module, "uma_sysctlbyname");
	ck_assert(byname != NULL);
	return module;
}

START_TEST(nodes_of_a_module_come_and_go_with_it)
{
	if (TEST_ASAN || TEST_TSAN)
		return; /* two runtimes of one library */
	for (int i = 0; i < 3; i++) {
		void *module = module_load();
		int new = 6 + i;

		ck_assert_int_eq(module_get("debug.plugin.number"), 5);
		ck_assert_int_eq(
		    byname("debug.plugin.number", NULL, NULL, &new, sizeof new),
		    0);
		ck_assert_int_eq(*(int *)dlsym(module, "plugin_number"), new);
		dlclose(module);
		ck_assert_int_eq(module_get("debug.plugin.number"), -ENOENT);
		ck_assert_int_eq(module_get("debug.plugin"), -ENOENT);
	}
}
END_TEST

START_TEST(a_node_waits_for_a_parent_in_another_module)
{
	static struct sysctl_oid host = {.oid_above = "_debug",
	    .oid_name = "host",
	    .oid_kind = CTLTYPE_NODE | CTLFLAG_RD};

	if (TEST_ASAN || TEST_TSAN)
		return;
	void *module = module_load();
	void (*come)(struct sysctl_oid *), (*go)(struct sysctl_oid *);
	*(void **)&come = dlsym(module, "uma_sysctl_register");
	*(void **)&go = dlsym(module, "uma_sysctl_unregister");
	ck_assert_int_eq(module_get("debug.host.guest"), -ENOENT);
	come(&host);
	ck_assert_int_eq(module_get("debug.host.guest"), 7);
	go(&host);
	ck_assert_int_eq(module_get("debug.host.guest"), -ENOENT);
	come(&host);
	ck_assert_int_eq(module_get("debug.host.guest"), 7);
	dlclose(module);
	ck_assert_int_eq(module_get("debug.host.guest"), -ENOENT);
	go(&host);
}
END_TEST

static struct sysctl_oid nobody = {.oid_above = "_debug",
    .oid_name = "nobody",
    .oid_descr = "",
    .oid_kind = CTLTYPE_NODE | CTLFLAG_RD};
SYSCTL_NODE(_debug_nobody, OID_AUTO, below, CTLFLAG_RW, 0, "Waits as well");

START_TEST(a_dynamic_node_waits_with_its_parent)
{
	struct sysctl_ctx_list ctx;

	uma_sysctl_ctx_init(&ctx);
	ck_assert_ptr_nonnull(
	    SYSCTL_ADD_INT(&ctx, SYSCTL_STATIC_CHILDREN(_debug_nobody_below),
		OID_AUTO, "number", CTLFLAG_RD, 0, 8, ""));
	ck_assert_int_eq(get("debug.nobody.below.number"), -ENOENT);
	uma_sysctl_register(&nobody);
	ck_assert_int_eq(get("debug.nobody.below.number"), 8);
	ck_assert_int_eq(get("debug.nobody.orphan"), 1);
	uma_sysctl_unregister(&nobody);
	ck_assert_int_eq(get("debug.nobody.below.number"), -ENOENT);
	ck_assert_int_eq(uma_sysctl_ctx_free(&ctx), 0);
}
END_TEST

/* ---- dynamic nodes ---- */

START_TEST(dynamic_nodes_live_until_their_context_is_freed)
{
	struct sysctl_ctx_list ctx;
	char name[8] = "dyn", fmt[8] = "IK", descr[8] = "Value";
	struct uma_sysctl_info info = {.size = sizeof info};
	int value = 11;

	make_zone();
	uma_sysctl_ctx_init(&ctx);
	struct sysctl_oid *dyn = SYSCTL_ADD_NODE(&ctx,
	    SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO, name, CTLFLAG_RW, 0, "D");
	ck_assert_ptr_nonnull(dyn);
	ck_assert_ptr_nonnull(SYSCTL_ADD_OID(&ctx, SYSCTL_CHILDREN(dyn),
	    OID_AUTO, "value", CTLTYPE_INT | CTLFLAG_RW, &value, 0,
	    uma_sysctl_handle_int, fmt, descr));
	strcpy(name, "x"); /* they were copied */
	strcpy(fmt, "x");
	strcpy(descr, "x");
	ck_assert_int_eq(uma_sysctl_info("debug.dyn.value", &info), 0);
	ck_assert_str_eq(info.fmt, "IK");
	ck_assert_str_eq(info.descr, "Value");
	ck_assert_ptr_nonnull(SYSCTL_ADD_UMA_MAX(&ctx, SYSCTL_CHILDREN(dyn),
	    OID_AUTO, "max", CTLFLAG_RW, &conn_zone, "M"));
	ck_assert_ptr_nonnull(SYSCTL_ADD_UMA_CUR(&ctx, SYSCTL_CHILDREN(dyn),
	    OID_AUTO, "cur", CTLFLAG_RW, &conn_zone, "C"));
	ck_assert_int_eq(set("debug.dyn.value", 12), 0);
	ck_assert_int_eq(value, 12);
	ck_assert_int_eq(set("debug.dyn.max", 4), 0);
	ck_assert_int_eq(get("debug.dyn.max"), uma_zone_get_max(conn_zone));
	ck_assert_int_eq(get("debug.dyn.cur"), 0);
	ck_assert_int_eq(set("debug.dyn.cur", 1), EPERM);
	ck_assert_int_eq(uma_sysctl_ctx_free(&ctx), 0);
	ck_assert_int_eq(get("debug.dyn.value"), -ENOENT);
	ck_assert_int_eq(get("debug.dyn"), -ENOENT);
	ck_assert_int_eq(uma_sysctl_ctx_free(&ctx), 0);
}
END_TEST

START_TEST(two_contexts_may_share_a_node_but_not_a_value)
{
	struct sysctl_ctx_list a, b;
	int value = 1;

	uma_sysctl_ctx_init(&a);
	uma_sysctl_ctx_init(&b);
	struct sysctl_oid *na = SYSCTL_ADD_NODE(
	    &a, SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO, "both", 0, 0, "");
	struct sysctl_oid *nb = SYSCTL_ADD_NODE(
	    &b, SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO, "both", 0, 0, "");
	ck_assert(na != NULL && nb != NULL);
	SYSCTL_ADD_INT(
	    &a, SYSCTL_CHILDREN(na), OID_AUTO, "a", CTLFLAG_RD, &value, 0, "");
	SYSCTL_ADD_INT(
	    &b, SYSCTL_CHILDREN(nb), OID_AUTO, "b", CTLFLAG_RD, &value, 0, "");
	ck_assert_int_eq(get("debug.both.a"), 1);
	ck_assert_int_eq(get("debug.both.b"), 1);
	errno = 0;
	ck_assert_ptr_null(SYSCTL_ADD_INT(
	    &b, SYSCTL_CHILDREN(nb), OID_AUTO, "b", CTLFLAG_RD, &value, 0, ""));
	ck_assert_int_eq(errno, EEXIST);
	/* The name counts, not whose node it is below. */
	ck_assert_ptr_null(SYSCTL_ADD_INT(
	    &b, SYSCTL_CHILDREN(nb), OID_AUTO, "a", CTLFLAG_RD, &value, 0, ""));
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(uma_sysctl_ctx_free(&a), 0);
	ck_assert_int_eq(get("debug.both.a"), -ENOENT);
	ck_assert_int_eq(get("debug.both.b"), 1);
	ck_assert_int_eq(uma_sysctl_ctx_free(&b), 0);
}
END_TEST

START_TEST(a_context_with_nodes_of_others_below_is_busy)
{
	struct sysctl_ctx_list outer, inner;

	uma_sysctl_ctx_init(&outer);
	uma_sysctl_ctx_init(&inner);
	struct sysctl_oid *node = SYSCTL_ADD_NODE(
	    &outer, SYSCTL_STATIC_CHILDREN(), OID_AUTO, "top", 0, 0, "");
	ck_assert_ptr_nonnull(node);
	SYSCTL_ADD_INT(&inner, SYSCTL_CHILDREN(node), OID_AUTO, "leaf",
	    CTLFLAG_RD, 0, 3, "");
	ck_assert_int_eq(uma_sysctl_ctx_free(&outer), EBUSY);
	ck_assert_int_eq(get("top.leaf"), 3);
	ck_assert_int_eq(uma_sysctl_ctx_free(&inner), 0);
	ck_assert_int_eq(uma_sysctl_ctx_free(&outer), 0);
	ck_assert_int_eq(get("top.leaf"), -ENOENT);
}
END_TEST

START_TEST(what_cannot_be_added_is_refused)
{
	char name[300];

	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	errno = 0;
	ck_assert_ptr_null(SYSCTL_STATIC_CHILDREN(_nothing));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_null(SYSCTL_STATIC_CHILDREN(_debugxconn));
	ck_assert_ptr_null(SYSCTL_STATIC_CHILDREN(_debug_level)); /* a leaf */
	ck_assert_ptr_null(
	    SYSCTL_ADD_NODE(NULL, NULL, OID_AUTO, "n", 0, 0, ""));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(SYSCTL_ADD_NODE(
	    NULL, SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO, "a.b", 0, 0, ""));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(SYSCTL_ADD_NODE(
	    NULL, SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO, name, 0, 0, ""));
	ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

START_TEST(what_the_library_has_is_not_added_again)
{
	errno = 0;
	ck_assert_ptr_null(SYSCTL_ADD_INT(NULL, SYSCTL_STATIC_CHILDREN(_vm),
	    OID_AUTO, "zone_count", CTLFLAG_RD, 0, 1, ""));
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_ptr_null(SYSCTL_ADD_INT(NULL, SYSCTL_STATIC_CHILDREN(_vm_uma),
	    OID_AUTO, "limit", CTLFLAG_RD, 0, 1, ""));
	ck_assert_int_eq(errno, EEXIST);
}
END_TEST

static struct sysctl_ctx_list own;

static int
handle_suicide(SYSCTL_HANDLER_ARGS)
{
	int v = uma_sysctl_ctx_free(arg1);

	(void)oidp, (void)arg2;
	return SYSCTL_OUT(req, &v, sizeof v);
}

START_TEST(a_handler_cannot_free_the_context_of_its_node)
{
	uma_sysctl_ctx_init(&own);
	SYSCTL_ADD_PROC(&own, SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO, "self",
	    CTLTYPE_INT | CTLFLAG_RD, &own, 0, handle_suicide, "I", "");
	ck_assert_int_eq(get("debug.self"), EBUSY);
	ck_assert_int_eq(get("debug.self"), EBUSY); /* it is still there */
	ck_assert_int_eq(uma_sysctl_ctx_free(&own), 0);
	ck_assert_int_eq(get("debug.self"), -ENOENT);
}
END_TEST

static int
handle_removal(SYSCTL_HANDLER_ARGS)
{
	int v = uma_sysctl_remove(oidp, (int)arg2);

	(void)arg1;
	return SYSCTL_OUT(req, &v, sizeof v);
}

START_TEST(single_nodes_are_removed)
{
	struct sysctl_ctx_list ctx;
	int value = 3;

	ck_assert_int_eq(uma_sysctl_ctx_init(&ctx), 0);
	struct sysctl_oid *top = SYSCTL_ADD_NODE(NULL,
	    SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO, "top", CTLFLAG_RW, 0, "");
	struct sysctl_oid *mid = SYSCTL_ADD_NODE(
	    &ctx, SYSCTL_CHILDREN(top), OID_AUTO, "mid", CTLFLAG_RW, 0, "");
	struct sysctl_oid *leaf = SYSCTL_ADD_INT(&ctx, SYSCTL_CHILDREN(mid),
	    OID_AUTO, "leaf", CTLFLAG_RD, &value, 0, "");
	SYSCTL_ADD_INT(&ctx, SYSCTL_CHILDREN(mid), OID_AUTO, "other",
	    CTLFLAG_RD, &value, 0, "");
	SYSCTL_ADD_PROC(NULL, SYSCTL_CHILDREN(mid), OID_AUTO, "self",
	    CTLTYPE_INT | CTLFLAG_RD, NULL, 1, handle_removal, "I", "");
	ck_assert_int_eq(uma_sysctl_remove(NULL, 0), EINVAL);
	ck_assert_int_eq(uma_sysctl_remove(&sysctl__debug_level, 0), EINVAL);
	ck_assert_int_eq(uma_sysctl_remove(mid, 0), ENOTEMPTY);
	ck_assert_int_eq(get("debug.top.mid.leaf"), 3);
	ck_assert_int_eq(uma_sysctl_remove(leaf, 0), 0);
	ck_assert_int_eq(get("debug.top.mid.leaf"), -ENOENT);
	ck_assert_int_eq(get("debug.top.mid.other"), 3);
	ck_assert_int_eq(get("debug.top.mid.self"), EBUSY);
	ck_assert_int_eq(uma_sysctl_remove(top, 1), 0);
	ck_assert_int_eq(get("debug.top.mid.other"), -ENOENT);
	ck_assert_int_eq(get("debug.top"), -ENOENT);
	/* They are in no context any more either. */
	ck_assert_ptr_null(ctx.ctx_first);
	ck_assert_int_eq(uma_sysctl_ctx_free(&ctx), 0);
}
END_TEST

static struct {
	uint8_t before, number, after;
} byte = {1, 200, 3};
static struct {
	uint16_t before, number, after;
} two_bytes = {1, 60000, 3};
static bool flag;
static char bytes[6] = {1, 0, 2, 0, 3, 4};

#define SMALL(name, type, ptr, val, handler)                              \
	SYSCTL_OID(_debug, OID_AUTO, name, (type) | CTLFLAG_RW, ptr, val, \
	    handler, "", "Small")
SMALL(byte, CTLTYPE_U8, &byte.number, 0, uma_sysctl_handle_8);
SMALL(two_bytes, CTLTYPE_U16, &two_bytes.number, 0, uma_sysctl_handle_16);
SMALL(flag, CTLTYPE_U8, &flag, 0, uma_sysctl_handle_bool);
SMALL(raw, CTLTYPE_OPAQUE, bytes, 5, uma_sysctl_handle_opaque);
SMALL(fixed8, CTLTYPE_S8, 0, -7, uma_sysctl_handle_8);
SMALL(fixed_bool, CTLTYPE_U8, 0, 2, uma_sysctl_handle_bool);

/* What it reads as, and its length; then it is set. */
static void
swap(const char *name, const void *old, size_t size, const void *new)
{
	char value[16];
	size_t len = sizeof value;

	ck_assert_int_eq(uma_sysctlbyname(name, value, &len, NULL, 0), 0);
	ck_assert_uint_eq(len, size);
	ck_assert_mem_eq(value, old, size);
	for (size_t wrong = 0; wrong < 9; wrong++) {
		if (wrong == size)
			continue;
		ck_assert_int_eq(
		    uma_sysctlbyname(name, NULL, NULL, new, wrong), -1);
		ck_assert_int_eq(errno, EINVAL);
	}
	ck_assert_int_eq(uma_sysctlbyname(name, NULL, NULL, new, size), 0);
}

START_TEST(small_numbers_and_bytes_are_read_and_set)
{
	static const char raw[9] = {9, 8, 7, 6, 5};
	uint8_t new8[9] = {77}, fixed = (uint8_t)-7, yes[9] = {1}, no[9] = {0};
	uint16_t new16[5] = {7777}, number = 60000;
	uint8_t many[9] = {0xfe};

	swap("debug.byte", "\310", 1, new8);
	ck_assert(byte.before == 1 && byte.number == 77 && byte.after == 3);
	swap("debug.two_bytes", &number, 2, new16);
	ck_assert(two_bytes.before == 1 && two_bytes.number == 7777 &&
		  two_bytes.after == 3);
	swap("debug.flag", no, 1, many);
	ck_assert_int_eq(*(unsigned char *)&flag, 1); /* not 0xfe */
	swap("debug.flag", yes, 1, no);
	ck_assert(!flag);
	swap("debug.raw", "\1\0\2\0\3", 5, raw);
	ck_assert_mem_eq(bytes, raw, 5);
	ck_assert_int_eq(bytes[5], 4);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "debug.fixed_bool" : "debug.fixed8";
		uint8_t v;
		size_t len = 1;

		ck_assert_int_eq(uma_sysctlbyname(name, &v, &len, NULL, 0), 0);
		ck_assert_uint_eq(v, i ? 1 : fixed);
		ck_assert_int_eq(uma_sysctlbyname(name, NULL, NULL, &v, 1), -1);
		ck_assert_int_eq(errno, EPERM);
	}
}
END_TEST

static char shared[4096];
SYSCTL_STRING(
    _debug, OID_AUTO, shared, CTLFLAG_RW, shared, sizeof shared, "Shared");
static _Atomic bool enough;

static void *
replace(void *arg)
{
	char text[sizeof shared - 1];

	(void)arg;
	for (unsigned i = 0; !atomic_load(&enough); i++) {
		size_t len = i % 2 == 0 ? sizeof text : 1000;

		memset(text, "ab"[i % 2], len);
		ck_assert_int_eq(
		    uma_sysctlbyname("debug.shared", NULL, NULL, text, len), 0);
	}
	return NULL;
}

START_TEST(a_string_is_whole_while_others_replace_it)
{
	static char text[sizeof shared];
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, replace, NULL), 0);
	for (int i = 0, changes = 0;
	     changes < 50 && i<TEST_SCALE(100000); i += changes> 0) {
		size_t len = sizeof text;
		char before = text[0];

		ck_assert_int_eq(
		    uma_sysctlbyname("debug.shared", text, &len, NULL, 0), 0);
		if (len > 1) {
			char c = text[0], other = c == 'a' ? 'b' : 'a';

			ck_assert_uint_eq(len, c == 'a' ? sizeof text : 1001);
			ck_assert_ptr_null(memchr(text, other, len));
		}
		ck_assert_uint_eq(strlen(text) + 1, len);
		changes += text[0] != before;
	}
	atomic_store(&enough, true);
	pthread_join(thread, NULL);
}
END_TEST

static _Atomic bool inside, leave, freed;

static int
handle_slowly(SYSCTL_HANDLER_ARGS)
{
	int v = 1;

	(void)oidp, (void)arg1, (void)arg2;
	atomic_store(&inside, true);
	while (!atomic_load(&leave))
		test_sleep_ms(1);
	ck_assert(!atomic_load(&freed));
	return SYSCTL_OUT(req, &v, sizeof v);
}

static void *
read_slowly(void *arg)
{
	(void)arg;
	ck_assert_int_eq(get("debug.slow"), 1);
	return NULL;
}

/* Without its handler, which waits. */
static bool
is_seen(const char *name)
{
	struct uma_sysctl_info info = {.size = sizeof info};

	return uma_sysctl_info(name, &info) == 0;
}

static void *
free_context(void *arg)
{
	ck_assert_int_eq(uma_sysctl_ctx_free(arg), 0);
	atomic_store(&freed, true);
	return NULL;
}

START_TEST(removal_waits_for_a_handler_that_runs)
{
	struct sysctl_ctx_list ctx;
	pthread_t reader, remover;

	uma_sysctl_ctx_init(&ctx);
	SYSCTL_ADD_PROC(&ctx, SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO, "slow",
	    CTLTYPE_INT | CTLFLAG_RD, NULL, 0, handle_slowly, "I", "");
	pthread_create(&reader, NULL, read_slowly, NULL);
	while (!atomic_load(&inside))
		test_sleep_ms(1);
	pthread_create(&remover, NULL, free_context, &ctx);
	while (is_seen("debug.slow"))
		test_sleep_ms(1);
	test_sleep_ms(20);
	ck_assert(!atomic_load(&freed));
	ck_assert_int_eq(get("debug.slow"), -ENOENT); /* unseen at once */
	atomic_store(&leave, true);
	pthread_join(reader, NULL);
	pthread_join(remover, NULL);
	ck_assert(atomic_load(&freed));
}
END_TEST

static struct sysctl_oid guarded = {.oid_above = "_debug",
    .oid_name = "slow",
    .oid_fmt = "I",
    .oid_descr = "",
    .oid_handler = handle_slowly,
    .oid_kind = CTLTYPE_INT | CTLFLAG_RD};

static void *
unregister(void *oid)
{
	uma_sysctl_unregister(oid);
	atomic_store(&freed, true);
	return NULL;
}

/* As when a module is closed. */
START_TEST(a_static_node_too_waits_for_its_handler)
{
	pthread_t reader, remover;

	uma_sysctl_register(&guarded);
	pthread_create(&reader, NULL, read_slowly, NULL);
	while (!atomic_load(&inside))
		test_sleep_ms(1);
	pthread_create(&remover, NULL, unregister, &guarded);
	while (is_seen("debug.slow"))
		test_sleep_ms(1);
	test_sleep_ms(20);
	ck_assert(!atomic_load(&freed));
	ck_assert_int_eq(get("debug.slow"), -ENOENT);
	atomic_store(&leave, true);
	pthread_join(reader, NULL);
	pthread_join(remover, NULL);
	ck_assert(atomic_load(&freed));
}
END_TEST

START_TEST(a_child_of_a_fork_waits_for_no_handler)
{
	struct sysctl_ctx_list ctx;
	pthread_t reader;
	int status;

	uma_sysctl_ctx_init(&ctx);
	SYSCTL_ADD_PROC(&ctx, SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO, "slow",
	    CTLTYPE_INT | CTLFLAG_RD, NULL, 0, handle_slowly, "I", "");
	pthread_create(&reader, NULL, read_slowly, NULL);
	while (!atomic_load(&inside))
		test_sleep_ms(1);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(10);
		_exit(uma_sysctl_ctx_free(&ctx) == 0 &&
			      get("debug.slow") == -ENOENT
			  ? 7
			  : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	atomic_store(&leave, true);
	pthread_join(reader, NULL);
	ck_assert_int_eq(uma_sysctl_ctx_free(&ctx), 0);
}
END_TEST

static pid_t forked;

static int
handle_fork(SYSCTL_HANDLER_ARGS)
{
	int v = 4;

	(void)oidp, (void)arg1, (void)arg2;
	forked = fork();
	return SYSCTL_OUT(req, &v, sizeof v);
}

START_TEST(a_handler_that_forks_returns_twice)
{
	struct sysctl_ctx_list ctx;
	int status;

	uma_sysctl_ctx_init(&ctx);
	SYSCTL_ADD_PROC(&ctx, SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO, "fork",
	    CTLTYPE_INT | CTLFLAG_RD, NULL, 0, handle_fork, "I", "");
	int v = get("debug.fork"), freeing = uma_sysctl_ctx_free(&ctx);
	if (forked == 0)
		_exit(v == 4 && freeing == 0 ? 7 : 1);
	ck_assert_int_eq(waitpid(forked, &status, 0), forked);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	ck_assert(v == 4 && freeing == 0);
}
END_TEST

/* Made and destroyed by handlers: of zones, and of other nodes. */
static int
handle_life(SYSCTL_HANDLER_ARGS)
{
	static struct sysctl_ctx_list ctx;
	int alive = conn_zone != NULL, make = alive;
	int error = uma_sysctl_handle_int(oidp, &make, 0, req);

	(void)arg1, (void)arg2;
	if (error != 0 || req->newptr == NULL || make == alive)
		return error;
	if (make) {
		make_zone();
		uma_sysctl_ctx_init(&ctx);
		return SYSCTL_ADD_UMA_CUR(&ctx, SYSCTL_STATIC_CHILDREN(_debug),
			   OID_AUTO, "alive", 0, &conn_zone, "") != NULL
			   ? 0
			   : errno;
	}
	error = uma_sysctl_ctx_free(&ctx);
	uma_zdestroy(conn_zone);
	conn_zone = NULL;
	return error;
}

START_TEST(a_handler_makes_and_destroys_zones_and_nodes)
{
	SYSCTL_ADD_PROC(NULL, SYSCTL_STATIC_CHILDREN(_debug), OID_AUTO, "life",
	    CTLTYPE_INT | CTLFLAG_RW, NULL, 0, handle_life, "I", "");
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(get("debug.life"), 0);
		ck_assert_int_eq(set("debug.life", 1), 0);
		ck_assert_int_eq(get("debug.life"), 1);
		ck_assert_int_eq(get("debug.alive"), 0);
		ck_assert_int_eq(get("vm.uma.conn.size"), 1024);
		ck_assert_int_eq(set("debug.life", 0), 0);
		ck_assert_int_eq(get("debug.alive"), -ENOENT);
		ck_assert_int_eq(get("vm.uma.conn.size"), -ENOENT);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("sysctl nodes");
	TCase *tc = tcase_create("nodes");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, static_nodes_are_there_before_main);
	tcase_add_test(tc, numbers_and_strings_are_read_and_written);
	tcase_add_test(tc, a_handler_of_ones_own_answers);
	tcase_add_test(tc, a_handler_gives_and_takes_in_pieces);
	tcase_add_test(tc, what_has_no_room_for_a_value_is_not_set);
	tcase_add_test(tc, a_node_without_a_handler_has_no_value);
	tcase_add_test(tc, a_zones_limit_is_read_and_set_through_its_node);
	tcase_add_test(tc, a_zones_occupancy_is_read_only);
	tcase_add_test(tc, a_zone_that_is_not_made_yet_has_no_limit);
	tcase_add_test(tc, a_walk_meets_static_nodes_with_their_words);
	tcase_add_test(tc, nodes_of_a_module_come_and_go_with_it);
	tcase_add_test(tc, a_node_waits_for_a_parent_in_another_module);
	tcase_add_test(tc, a_dynamic_node_waits_with_its_parent);
	tcase_add_test(tc, dynamic_nodes_live_until_their_context_is_freed);
	tcase_add_test(tc, two_contexts_may_share_a_node_but_not_a_value);
	tcase_add_test(tc, a_context_with_nodes_of_others_below_is_busy);
	tcase_add_test(tc, what_cannot_be_added_is_refused);
	tcase_add_test(tc, what_the_library_has_is_not_added_again);
	tcase_add_test(tc, a_handler_cannot_free_the_context_of_its_node);
	tcase_add_test(tc, single_nodes_are_removed);
	tcase_add_test(tc, small_numbers_and_bytes_are_read_and_set);
	tcase_add_test(tc, a_string_is_whole_while_others_replace_it);
	tcase_add_test(tc, removal_waits_for_a_handler_that_runs);
	tcase_add_test(tc, a_static_node_too_waits_for_its_handler);
	tcase_add_test(tc, a_child_of_a_fork_waits_for_no_handler);
	tcase_add_test(tc, a_handler_that_forks_returns_twice);
	tcase_add_test(tc, a_handler_makes_and_destroys_zones_and_nodes);
	return s;
}

int
main(void)
{
	return test_run(suite());
}
