/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain.c - the machine that we run on, and memory from one of its domains.
 *
 * The one file that knows libnuma, and by weak names only: a program that links
 * the archive and not libnuma has null pointers for them, and one domain.  Used
 * are the three calls that neither allocate nor depend on libnuma's constructor
 * having run, since ours may be the first of a process: numa_get_mems_allowed
 * allocates, numa_all_nodes_ptr is what the constructor saw, and
 * numa_tonode_memory allocates and prints.
 */
#include <errno.h>

#include "vm_int.h"

#if __has_include(<numa.h>) && __has_include(<numaif.h>)
#include <numa.h>
#include <numaif.h>
#pragma weak numa_available
#pragma weak get_mempolicy
#pragma weak mbind
#else
enum { MPOL_PREFERRED = 1, MPOL_F_MEMS_ALLOWED = 4 };
static int (*const numa_available)(void);
static long (*const get_mempolicy)(
    int *, unsigned long *, unsigned long, void *, unsigned);
static long (*const mbind)(
    void *, unsigned long, int, const unsigned long *, unsigned long, unsigned);
#endif

/* The kernel looks at one bit less of a mask than it is told. */
enum { WORD = CHAR_BIT * sizeof(long), MASK_LEN = TOPOLOGY_NODES + 1 };

static const char *made_up; /* where the files of a machine are; NULL: ours */

/*
 * Read once, under the library's start lock; the table of CPUs only by those
 * who have seen more than one domain (release and acquire).
 */
static bool known;
static struct topology machine;
static _Atomic int cpu_cnt = 1, domain_cnt = 1;

void
topology_set_root(const char *root)
{
	made_up = root;
	known = false;
}

/* Refused in many containers, which is no error. */
bool
domain_usable(_Atomic uint64_t *nodes)
{
	unsigned long allowed[TOPOLOGY_NODES / WORD] = {0};

	if (numa_available == NULL || get_mempolicy == NULL || mbind == NULL ||
	    numa_available() < 0 ||
	    get_mempolicy(NULL, allowed, MASK_LEN, NULL, MPOL_F_MEMS_ALLOWED) !=
		0)
		return false;
	for (size_t n = 0; n < TOPOLOGY_NODES; n++)
		if ((allowed[n / WORD] >> n % WORD & 1) == 0)
			bits_put(nodes, n, n + 1, false);
	return true;
}

int
pages_init(const struct pages_config *config)
{
	vm_init(config);
	pagemap_init();
	if (known)
		return 0;
	if (made_up != NULL)
		topology_read(made_up, &machine);
	else
		topology_read_usable("", domain_usable, &machine);
	atomic_store_explicit(&cpu_cnt, machine.tp_cpus, memory_order_relaxed);
	atomic_store_explicit(
	    &domain_cnt, machine.tp_domains, memory_order_release);
	known = true;
	return 0;
}

int
pages_cpu_cnt(void)
{
	return atomic_load_explicit(&cpu_cnt, memory_order_relaxed);
}

int
pages_domain_cnt(void)
{
	return atomic_load_explicit(&domain_cnt, memory_order_acquire);
}

int
pages_cpu_domain(int cpu)
{
	return pages_domain_cnt() == 1 ? 0 : topology_domain(&machine, cpu);
}

/*
 * Preferred, not bound: where the node has no more, the kernel takes the next
 * nearest, as a program that is told "no memory" on a machine with plenty would
 * not understand.
 */
bool
domain_bind(void *base, size_t len, int domain)
{
	unsigned long mask[TOPOLOGY_NODES / WORD] = {0};
	int saved = errno, cnt = pages_domain_cnt();

	if (cnt == 1)
		return true;
	UMA_ASSERT(domain >= 0 && domain < cnt, "domain %d of %d", domain, cnt);
	if (mbind == NULL)
		return false;
	int node = machine.tp_node[domain];
	mask[node / WORD] = 1ul << node % WORD;
	bool ok = mbind(base, len, MPOL_PREFERRED, mask, MASK_LEN, 0) == 0;
	errno = saved;
	return ok;
}

/* ---- for readers of our memory ---- */

static struct uma_debug_entry entries[] = {
    DEBUG_CONST("page_shift", PAGE_SHIFT)};
static struct uma_debug_root roots[] = {
    {"cpu_cnt", &cpu_cnt}, {"domain_cnt", &domain_cnt}};
struct uma_debug_table domain_debug = DEBUG_TABLE(entries, roots);
