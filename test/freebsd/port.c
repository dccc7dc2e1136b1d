/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.c - the macros of sysctl(9), as sources of FreeBSD use them and its pages
 * show them, with the headers of libuma-freebsd.  Built by test_install.sh.
 */
#include <sys/param.h>
#include <sys/queue.h>
#include <sys/sysctl.h>
#include <vm/uma.h>

#include <stdio.h>
#include <string.h>

static uma_zone_t flow_zone;
static int flow_enable = 1;
static bool flow_verbose;
static uint8_t flow_bits = 200;
static int16_t flow_bias = -3;
static int64_t flow_bytes = 1LL << 40;
static struct flow_stat {
	uint64_t hits, misses;
} flow_stat = {5, 6};

SYSCTL_DECL(_net);
static SYSCTL_NODE(
    _net, OID_AUTO, flowtable, CTLFLAG_RW | CTLFLAG_MPSAFE, NULL, "flowtable");
SYSCTL_INT(_net_flowtable, OID_AUTO, enable, CTLFLAG_VNET | CTLFLAG_RW,
    &flow_enable, 0, "enable flowtable caching.");
SYSCTL_UMA_MAX(_net_flowtable, OID_AUTO, maxflows, CTLFLAG_RW, &flow_zone,
    "Maximum number of flows allowed");
SYSCTL_UMA_CUR(
    _net_flowtable, OID_AUTO, flows, CTLFLAG_RD, &flow_zone, "Number of flows");
SYSCTL_BOOL(
    _net_flowtable, OID_AUTO, verbose, CTLFLAG_RWTUN, &flow_verbose, 0, "Log");
SYSCTL_U8(_net_flowtable, OID_AUTO, bits, CTLFLAG_RW, &flow_bits, 0, "Bits");
SYSCTL_S16(_net_flowtable, OID_AUTO, bias, CTLFLAG_RW, &flow_bias, 0, "Bias");
SYSCTL_QUAD(_net_flowtable, OID_AUTO, bytes, CTLFLAG_RD, &flow_bytes, 0, "B");
SYSCTL_STRUCT(_net_flowtable, OID_AUTO, stat, CTLFLAG_RW, &flow_stat, flow_stat,
    "Statistics");
SYSCTL_INT(_net_flowtable, OID_AUTO, size, CTLFLAG_RD, SYSCTL_NULL_INT_PTR,
    sizeof(struct flow_stat), "sizeof(struct flow_stat)");
SYSCTL_CONST_STRING(_net_flowtable, OID_AUTO, version, CTLFLAG_RD, "1.0", "V");
SYSCTL_ROOT_NODE(OID_AUTO, acme, CTLFLAG_RW, 0, "A root");
SYSCTL_U32(_acme, OID_AUTO, seven, CTLFLAG_RD, SYSCTL_NULL_U32_PTR, 7, "7");

static int
sysctl_twice(SYSCTL_HANDLER_ARGS)
{
	int error, value;

	(void)arg1, (void)arg2;

	value = flow_enable * 2;
	error = sysctl_handle_int(oidp, &value, 0, req);
	if (error || !req->newptr)
		return (error);
	if (value < 0 || value % 2 != 0)
		return (EINVAL);
	flow_enable = value / 2;
	return (0);
}
SYSCTL_PROC(_net_flowtable, OID_AUTO, twice,
    CTLTYPE_INT | CTLFLAG_RW | CTLFLAG_NEEDGIANT, NULL, 0, sysctl_twice, "I",
    "Twice");

static int
check(const char *name, const void *want, size_t size, const void *set)
{
	char old[64];
	size_t len = sizeof(old);

	if (sysctlbyname(name, old, &len, set, set != NULL ? size : 0) == 0 &&
	    len == size && memcmp(old, want, size) == 0)
		return (0);
	printf("%s: errno %d, %d bytes\n", name, errno, (int)len);
	return (1);
}

int
main(void)
{
	struct sysctl_oid *root1, *root2, *oidp;
	struct sysctl_ctx_list clist;
	struct flow_stat next = {7, 8};
	static int a_int = 3;
	static char text[] = "dynamic sysctl";
	uint8_t on = 1, off = 0, bits = 200;
	int16_t bias = -3;
	int one = 1, two = 2, size = sizeof(next), seven = 7, bad = 0;

	flow_zone =
	    uma_zcreate("flow", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_CACHE, 0);
	bad += check("net.flowtable.enable", &one, sizeof(one), NULL);
	bad += check("net.flowtable.verbose", &off, sizeof(off), &on);
	bad += check("net.flowtable.verbose", &on, sizeof(on), NULL);
	bad += check("net.flowtable.bits", &bits, sizeof(bits), NULL);
	bad += check("net.flowtable.bias", &bias, sizeof(bias), NULL);
	bad += check("net.flowtable.bytes", &flow_bytes, 8, NULL);
	bad += check("net.flowtable.stat", &flow_stat, sizeof(next), NULL);
	bad +=
	    sysctlbyname("net.flowtable.stat", NULL, NULL, &next, sizeof(next));
	bad += flow_stat.misses != 8;
	bad += check("net.flowtable.size", &size, sizeof(size), NULL);
	bad += check("net.flowtable.version", "1.0", 4, NULL);
	bad += check("net.flowtable.twice", &two, sizeof(two), NULL);
	bad += check("acme.seven", &seven, sizeof(seven), NULL);

	/* Without a context: each is removed by itself. */
	root1 = SYSCTL_ADD_ROOT_NODE(
	    NULL, OID_AUTO, "newtree", CTLFLAG_RW, 0, "new top level tree");
	oidp = SYSCTL_ADD_INT(NULL, SYSCTL_CHILDREN(root1), OID_AUTO, "newint",
	    CTLFLAG_RW, &a_int, 0, "new int leaf");
	root2 = SYSCTL_ADD_NODE(NULL, SYSCTL_NODE_CHILDREN(_net, flowtable),
	    OID_AUTO, "newtree", CTLFLAG_RW, 0, "new tree");
	bad += SYSCTL_ADD_STRING(NULL, SYSCTL_CHILDREN(root2), OID_AUTO,
		   "newstring", CTLFLAG_RD, text, 0, "new string leaf") == NULL;
	bad += check("newtree.newint", &a_int, sizeof(a_int), NULL);
	bad +=
	    check("net.flowtable.newtree.newstring", text, sizeof(text), NULL);
	bad += sysctl_remove_oid(root1, 1, 0) != ENOTEMPTY;
	bad += sysctl_remove_oid(oidp, 1, 0) != 0;
	bad += sysctl_remove_oid(root1, 1, 0) != 0;
	bad += sysctl_remove_oid(root2, 1, 1) != 0;
	bad += sysctlbyname("newtree.newint", NULL, NULL, NULL, 0) == 0;

	bad += sysctl_ctx_init(&clist);
	bad += SYSCTL_ADD_BOOL(&clist, SYSCTL_STATIC_CHILDREN(_acme), OID_AUTO,
		   "flag", CTLFLAG_RD, &flow_verbose, 0, "") == NULL;
	bad +=
	    SYSCTL_ADD_STRUCT(&clist, SYSCTL_STATIC_CHILDREN(_acme), OID_AUTO,
		"stat", CTLFLAG_RD, &flow_stat, flow_stat, "") == NULL;
	bad += SYSCTL_ADD_UQUAD(&clist, SYSCTL_STATIC_CHILDREN(_acme), OID_AUTO,
		   "hits", CTLFLAG_RD, &flow_stat.hits, "") == NULL;
	bad += SYSCTL_ADD_U16(&clist, SYSCTL_STATIC_CHILDREN(_acme), OID_AUTO,
		   "sixteen", CTLFLAG_RD, SYSCTL_NULL_U16_PTR, 16, "") == NULL;
	bad += check("acme.flag", &on, sizeof(on), NULL);
	bad += check("acme.stat", &flow_stat, sizeof(flow_stat), NULL);
	bad += check("acme.hits", &flow_stat.hits, 8, NULL);
	bad += sysctl_ctx_free(&clist);
	return (bad);
}
