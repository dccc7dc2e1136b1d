/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_int_topology.c - CPUs and NUMA domains of made-up machines, what libnuma
 * says of them, and memory from a domain's node.
 */
#include <limits.h>

#include "machine.h"
#include "vm_int.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* ---- libnuma, as the tests want it ---- */

enum { PREFERRED = 1, MEMS_ALLOWED = 4, MASK_BITS = 64 };

static int numa_answer; /* of numa_available */
static uint64_t allowed; /* nodes, by get_mempolicy */
static bool policy_refused;
static int asked; /* calls of the two */
static struct bound {
	void *base;
	unsigned long len, maxnode;
	int mode, node, nodes, calls;
	unsigned flags;
	bool refuse;
} bound;

/* libnuma's constructor calls get_mempolicy, too. */
int numa_available(void);
long get_mempolicy(int *mode, unsigned long *mask, unsigned long maxnode,
    void *addr, unsigned flags);
long mbind(void *base, unsigned long len, int mode, const unsigned long *mask,
    unsigned long maxnode, unsigned flags);

int
numa_available(void)
{
	asked++;
	return numa_answer;
}

long
get_mempolicy(int *mode, unsigned long *mask, unsigned long maxnode, void *addr,
    unsigned flags)
{
	asked++;
	if (policy_refused || mode != NULL || addr != NULL ||
	    flags != MEMS_ALLOWED || maxnode <= MASK_BITS) {
		errno = EPERM;
		return -1;
	}
	mask[0] = allowed;
	return 0;
}

long
mbind(void *base, unsigned long len, int mode, const unsigned long *mask,
    unsigned long maxnode, unsigned flags)
{
	bound.calls++;
	bound.base = base;
	bound.len = len;
	bound.mode = mode;
	bound.maxnode = maxnode;
	bound.flags = flags;
	bound.nodes = 0;
	/* As the kernel counts: one less. */
	for (unsigned long n = 0; n < maxnode - 1; n++)
		if (mask[n / 64] >> n % 64 & 1) {
			bound.nodes++;
			bound.node = (int)n;
		}
	errno = EINVAL;
	return bound.refuse ? -1 : 0;
}

/* ---- reading ---- */

static struct topology tp;

/* What is there of the machine, which then goes. */
static void
read_and_remove(char *root)
{
	errno = ERANGE;
	memset(&tp, 0x7f, sizeof tp);
	topology_read(root, &tp);
	ck_assert_int_eq(errno, ERANGE);
	machine_remove(root);
}

/* Domains of CPUs 0, 1, 2, ... as digits, and domain 0 for all that follow. */
static void
expect_cpus(const char *digits)
{
	int cpu = 0;

	for (; digits[cpu] != '\0'; cpu++)
		ck_assert_msg(topology_domain(&tp, cpu) == digits[cpu] - '0',
		    "CPU %d in domain %d, not as in %s", cpu,
		    topology_domain(&tp, cpu), digits);
	int others = 0;
	for (; cpu < TOPOLOGY_CPUS + 100; cpu++)
		others += topology_domain(&tp, cpu) != 0;
	ck_assert_int_eq(others, 0);
	ck_assert_int_eq(topology_domain(&tp, -1), 0);
	ck_assert_int_eq(topology_domain(&tp, INT_MIN), 0);
	ck_assert_int_eq(topology_domain(&tp, INT_MAX), 0);
}

static void
expect_nodes(int n, const int node[])
{
	ck_assert_int_eq(tp.tp_domains, n);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(tp.tp_node[i], node[i]);
}

START_TEST(cpus_are_counted_to_the_highest_possible)
{
	static const struct {
		const char *text;
		int cpus;
	} row[] = {{"0\n", 1}, {"0-7\n", 8}, {"0-3,8-255", 256},
	    {"0,2,4,5-6\n", 7}, {"0-8191\n", 8192}, {"0-99999\n", 100000}};

	for (int i = 0; i < LENGTH(row); i++) {
		char *root = machine_empty();

		machine_put(root, "cpu/possible", row[i].text);
		read_and_remove(root);
		ck_assert_int_eq(tp.tp_cpus, row[i].cpus);
		ck_assert_int_eq(tp.tp_domains, 1);
		expect_cpus("");
	}
}
END_TEST

START_TEST(domains_are_nodes_with_their_cpus)
{
	static const char *const two[] = {"0-3", "4-7"};
	static const char *const four[] = {"0-1,8-9", "2-3", "4-5", "6-7"};
	static const char *const eight[] = {
	    "0,8", "1,9", "2,10", "3,11", "4,12", "5,13", "6,14", "7,15"};
	static const struct {
		int nodes;
		const char *const *cpulists;
		const char *domains;
	} row[] = {{1, two, ""}, {2, two, "00001111"}, {4, four, "0011223300"},
	    {8, eight, "0123456701234567"}};
	static const int node[] = {0, 1, 2, 3, 4, 5, 6, 7};

	for (int i = 0; i < LENGTH(row); i++) {
		read_and_remove(machine_make(row[i].nodes, row[i].cpulists));
		expect_nodes(row[i].nodes, node);
		expect_cpus(row[i].domains);
	}
}
END_TEST

START_TEST(sparse_nodes_become_dense_domains)
{
	static const struct machine_node node[] = {{0, "0-1", false, NULL},
	    {2, "2-3", false, NULL}, {8, "4-5", false, NULL},
	    {1023, "6", false, NULL}};

	read_and_remove(machine_of(node, 4));

	expect_nodes(4, (const int[]){0, 2, 8, 1023});
	expect_cpus("0011223");
}
END_TEST

START_TEST(nodes_without_cpus_are_domains)
{
	static const struct machine_node node[] = {{0, "", false, NULL},
	    {1, "0-3", false, NULL}, {2, "", false, NULL}};

	read_and_remove(machine_of(node, 3));

	expect_nodes(3, (const int[]){0, 1, 2});
	expect_cpus("1111");
}
END_TEST

START_TEST(cpus_without_memory_go_to_the_nearest_domain)
{
	/* Distances are from nodes 1, 3, 4, 9 that are online. */
	static const struct machine_node node[] = {
	    {1, "0", true, "10 40 20 30\n"}, {3, "1", false, "40 10 30 30\n"},
	    {4, "2", false, "20 30 10 30\n"}, {9, "3", true, "30 12 12 10\n"}};

	read_and_remove(machine_of(node, 4));

	expect_nodes(2, (const int[]){3, 4});
	expect_cpus("1010");
}
END_TEST

START_TEST(without_good_distances_they_go_to_the_lowest)
{
	static const char *const bad[] = {"", "\n", "10 40 20\n", "10 40\n",
	    "10 40 20 30 5\n", "10,40,20,30\n", "10 40 x 30\n",
	    "10 40 20 99999999999999\n", "-1 40 20 30\n"};
	struct machine_node node[] = {{1, "0", true, NULL},
	    {3, "1", false, NULL}, {4, "2", false, NULL},
	    {9, "3", false, NULL}};

	for (int i = 0; i < LENGTH(bad); i++) {
		node[0].distance = bad[i];
		read_and_remove(machine_of(node, 4));
		expect_cpus("0012");
	}
	node[0].distance = "10 40 20 30\n";
	char *root = machine_of(node, 4);
	machine_delete(root, "node/node1/distance");
	read_and_remove(root);
	expect_cpus("0012");
}
END_TEST

START_TEST(nodes_that_are_only_possible_do_not_count)
{
	char *root = machine_make(1, (const char *const[]){"0-3"});

	machine_put(root, "node/possible", "0-63\n");
	read_and_remove(root);

	expect_nodes(1, (const int[]){0});
	expect_cpus("");
}
END_TEST

START_TEST(a_node_that_has_memory_but_is_offline_does_not_count)
{
	char *root = machine_make(3, (const char *const[]){"0", "1", "2"});

	machine_put(root, "node/online", "0,2\n");
	read_and_remove(root);

	expect_nodes(2, (const int[]){0, 2});
	expect_cpus("001");
}
END_TEST

START_TEST(all_nodes_online_have_memory_where_that_is_not_known)
{
	static const char *const bad[] = {
	    NULL, "", "\n", "0,", "x", "0,1024\n", "0 1\n"};

	for (int i = 0; i < LENGTH(bad); i++) {
		char *root =
		    machine_make(3, (const char *const[]){"0", "1", "2"});

		machine_delete(root, "node/has_memory");
		if (bad[i] != NULL)
			machine_put(root, "node/has_memory", bad[i]);
		read_and_remove(root);
		expect_nodes(3, (const int[]){0, 1, 2});
		expect_cpus("012");
	}
}
END_TEST

START_TEST(one_node_with_memory_is_one_domain)
{
	static const struct machine_node node[] = {
	    {0, "0-1", true, NULL}, {4, "2-3", false, NULL}};

	read_and_remove(machine_of(node, 2));

	expect_nodes(1, (const int[]){4});
	expect_cpus("");
}
END_TEST

START_TEST(a_malformed_list_of_cpus_counts_as_missing)
{
	static const char *const bad[] = {NULL, "", "x", "4-", "-4", "7-4",
	    "4,,5", "4-7 ", "4,", "4-5-6", "4-99999999999999999999", "4-7\n\n",
	    "4-7\n8", "0x4"};

	for (int i = 0; i < LENGTH(bad); i++) {
		char *root =
		    machine_make(3, (const char *const[]){"0-3", "4-7", "8-9"});

		machine_delete(root, "node/node1/cpulist");
		if (bad[i] != NULL)
			machine_put_node(root, 1, "cpulist", bad[i]);
		read_and_remove(root);
		expect_nodes(3, (const int[]){0, 1, 2});
		expect_cpus("0000000022");
	}
}
END_TEST

START_TEST(a_folder_in_a_files_place_counts_as_missing)
{
	char *root = machine_make(2, (const char *const[]){"0", "1"});

	machine_delete(root, "node/node1/cpulist");
	machine_put_node(root, 1, "cpulist/file", "1\n");
	read_and_remove(root);

	expect_nodes(2, (const int[]){0, 1});
	expect_cpus("");
}
END_TEST

/* Longer than a page, as every second CPU of many is. */
START_TEST(a_list_may_be_long)
{
	static char list[2][TOPOLOGY_CPUS * 3];
	char number[8];

	for (int cpu = 0; cpu < TOPOLOGY_CPUS; cpu++) {
		snprintf(number, sizeof number, cpu < 2 ? "%d" : ",%d", cpu);
		strcat(list[cpu % 2], number);
	}
	char *root = machine_make(2, (const char *const[]){list[0], list[1]});
	machine_put(root, "cpu/possible", "0-9999\n");
	read_and_remove(root);

	int wrong = 0;
	for (int cpu = 0; cpu < TOPOLOGY_CPUS; cpu++)
		wrong += topology_domain(&tp, cpu) != cpu % 2;
	ck_assert_int_eq(wrong, 0);
	ck_assert_int_eq(topology_domain(&tp, TOPOLOGY_CPUS), 0);
}
END_TEST

START_TEST(a_cpu_that_is_not_possible_is_in_domain_0)
{
	char *root = machine_make(2, (const char *const[]){"0-3", "4-99999"});

	machine_put(root, "cpu/possible", "0-5\n");
	read_and_remove(root);

	expect_cpus("000011");
}
END_TEST

START_TEST(nodes_after_the_last_domain_go_to_what_is_nearest)
{
	static struct machine_node node[80];
	static char cpu[80][4];
	char far[512] = "";

	for (int i = 0; i < 80; i++) {
		snprintf(cpu[i], sizeof cpu[i], "%d", i);
		node[i].number = i;
		node[i].cpus = cpu[i];
		strcat(far, i == 5 ? "15 " : i == 70 ? "10 " : "20 ");
	}
	node[70].distance = far;
	read_and_remove(machine_of(node, 80));

	ck_assert_int_eq(tp.tp_domains, TOPOLOGY_DOMAINS);
	for (int i = 0; i < 80; i++)
		ck_assert_int_eq(topology_domain(&tp, i), i < TOPOLOGY_DOMAINS
							      ? i
							  : i == 70 ? 5
								    : 0);
}
END_TEST

START_TEST(what_cannot_be_read_counts_as_one_domain_of_cpus_enough)
{
	static const char *const bad[] = {NULL, "", "\n", "x", "0-", "-3",
	    "3-1", "0,,1", "0-3 ", "0,", "99999999999999999999", "0-9999999999",
	    "0-1048576\n", "0-1x", "0\t"};
	int cpus = (int)sysconf(_SC_NPROCESSORS_CONF);

	for (int i = 0; i < LENGTH(bad); i++) {
		char *root = machine_make(2, (const char *const[]){"0", "1"});

		machine_delete(root, "cpu/possible");
		machine_delete(root, "node/online");
		if (bad[i] != NULL) {
			machine_put(root, "cpu/possible", bad[i]);
			machine_put(root, "node/online", bad[i]);
		}
		read_and_remove(root);
		/* Any number that the kernel may give a CPU is below. */
		ck_assert_int_ge(tp.tp_cpus, cpus);
		ck_assert_int_eq(tp.tp_cpus % CHAR_BIT, 0);
		expect_nodes(1, (const int[]){0});
		expect_cpus("");
	}
}
END_TEST

START_TEST(a_machine_without_files_has_one_domain)
{
	char name[600];

	read_and_remove(machine_empty());
	expect_nodes(1, (const int[]){0});
	topology_read("/nonexistent", &tp);
	expect_nodes(1, (const int[]){0});
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	topology_read(name, &tp);
	expect_nodes(1, (const int[]){0});
}
END_TEST

/* Bytes of which many lists consist, and any. */
static size_t
random_text(uint64_t *seed, char text[64])
{
	static const char often[] = "0123456789,-\n ";
	size_t len = test_rand(seed) % 64;
	bool any = test_rand(seed) % 4 == 0;

	for (size_t i = 0; i < len; i++) {
		uint64_t r = test_rand(seed);

		text[i] = any ? (char)r : often[r % (sizeof often - 1)];
	}
	return len;
}

START_TEST(random_bytes_give_a_machine_all_the_same)
{
	static const char *const name[] = {"cpu/possible", "node/online",
	    "node/has_memory", "node/node1/cpulist", "node/node2/cpulist",
	    "node/node2/distance"};
	static const char *const good[] = {
	    "0-7\n", "0-2\n", "0-1\n", "1\n", "2-7\n", "20 20 10\n"};
	char *root = machine_make(3, (const char *const[]){"0", "1", "2"});
	uint64_t seed = test_seed("random_bytes");
	char text[64];

	for (int turn = 0; turn < TEST_SCALE(2000); turn++) {
		for (int i = 0; i < LENGTH(name); i++)
			if (test_rand(&seed) % 3 == 0)
				machine_put_bytes(root, name[i], text,
				    random_text(&seed, text));
			else
				machine_put(root, name[i], good[i]);
		topology_read(root, &tp);
		ck_assert_int_ge(tp.tp_cpus, 1);
		ck_assert_int_ge(tp.tp_domains, 1);
		ck_assert_int_le(tp.tp_domains, TOPOLOGY_DOMAINS);
		int wrong = 0;
		for (int cpu = -1; cpu <= TOPOLOGY_CPUS; cpu++) {
			int d = topology_domain(&tp, cpu);

			wrong += d < 0 || d >= tp.tp_domains;
		}
		ck_assert_int_eq(wrong, 0);
	}
	machine_remove(root);
}
END_TEST

START_TEST(one_node_costs_two_files)
{
	char *root = machine_make(1, (const char *const[]){"0-3"});
	double best = 1, t0;

	for (int i = 0; i < 1000; i++) {
		t0 = test_now();
		topology_read(root, &tp);
		best = test_now() - t0 < best ? test_now() - t0 : best;
	}
	printf("topology_read of one node: %.1f us\n", best * 1e6);
	/* Nothing else is looked at: it may be anything. */
	machine_put(root, "node/has_memory", "0-7\n");
	machine_put(root, "node/node0/cpulist", "garbage");
	read_and_remove(root);

	expect_nodes(1, (const int[]){0});
}
END_TEST

/* ---- what libnuma says ---- */

static char *
three_nodes(void)
{
	static const struct machine_node node[] = {
	    {0, "0", false, "10 30 20\n"}, {2, "1", false, "30 10 20\n"},
	    {8, "2", false, "20 20 10\n"}};

	return machine_of(node, 3);
}

static void
read_usable(char *root)
{
	errno = ERANGE;
	asked = 0;
	topology_read_usable(root, domain_usable, &tp);
	ck_assert_int_eq(errno, ERANGE);
	machine_remove(root);
}

START_TEST(nodes_that_all_may_be_used_are_domains)
{
	allowed = 0x105;

	read_usable(three_nodes());

	expect_nodes(3, (const int[]){0, 2, 8});
	expect_cpus("012");
	ck_assert_int_eq(asked, 2);
}
END_TEST

START_TEST(nodes_that_may_not_be_used_are_as_without_memory)
{
	allowed = 0x104;

	read_usable(three_nodes());

	expect_nodes(2, (const int[]){2, 8});
	expect_cpus("101");
}
END_TEST

START_TEST(one_node_that_may_be_used_is_one_domain)
{
	allowed = 0x100;
	read_usable(three_nodes());
	expect_nodes(1, (const int[]){8});
	expect_cpus("");

	allowed = 0;
	read_usable(three_nodes());
	expect_nodes(1, (const int[]){0});
}
END_TEST

START_TEST(there_is_one_domain_without_numa)
{
	allowed = 0x105;
	numa_answer = -1;
	read_usable(three_nodes());
	expect_nodes(1, (const int[]){0});
	ck_assert_int_eq(asked, 1);

	numa_answer = 0;
	policy_refused = true;
	read_usable(three_nodes());
	expect_nodes(1, (const int[]){0});
	expect_cpus("");
}
END_TEST

START_TEST(libnuma_is_not_asked_about_one_node)
{
	static const struct machine_node node[] = {
	    {0, "0-1", true, NULL}, {4, "2-3", false, NULL}};

	read_usable(machine_make(1, (const char *const[]){"0-3"}));
	ck_assert_int_eq(asked, 0);
	read_usable(machine_of(node, 2));
	ck_assert_int_eq(asked, 0);
	read_usable(machine_empty());
	ck_assert_int_eq(asked, 0);
}
END_TEST

/* ---- our machine ---- */

static const struct pages_config config;

START_TEST(init_reads_this_machine)
{
	ck_assert_int_eq(pages_domain_cnt(), 1);
	allowed = ~(uint64_t)0;
	numa_answer = 0;
	ck_assert_int_eq(pages_init(&config), 0);

	topology_read("", &tp);
	ck_assert_int_ge(pages_cpu_cnt(), (int)sysconf(_SC_NPROCESSORS_ONLN));
	ck_assert_int_eq(pages_cpu_cnt(), tp.tp_cpus);
	ck_assert_int_eq(pages_domain_cnt(), tp.tp_domains);
	for (int cpu = -1; cpu <= tp.tp_cpus; cpu++)
		ck_assert_int_eq(
		    pages_cpu_domain(cpu), topology_domain(&tp, cpu));
}
END_TEST

START_TEST(init_reads_a_made_up_machine_and_asks_nobody)
{
	char *root = three_nodes();
	numa_answer = -1;
	asked = 0;

	topology_set_root(root);
	ck_assert_int_eq(pages_init(&config), 0);

	ck_assert_int_eq(asked, 0);
	ck_assert_int_ge(pages_cpu_cnt(), 256);
	ck_assert_int_eq(pages_domain_cnt(), 3);
	for (int cpu = 0; cpu < 3; cpu++)
		ck_assert_int_eq(pages_cpu_domain(cpu), cpu);
	ck_assert_int_eq(pages_cpu_domain(3), 0);
	ck_assert_int_eq(pages_cpu_domain(-1), 0);
	ck_assert_int_eq(pages_cpu_domain(INT_MAX), 0);
	machine_remove(root);
}
END_TEST

START_TEST(init_again_keeps_the_machine)
{
	char *root = three_nodes();

	topology_set_root(root);
	ck_assert_int_eq(pages_init(&config), 0);
	machine_remove(root);
	ck_assert_int_eq(pages_init(&config), 0);

	ck_assert_int_eq(pages_domain_cnt(), 3);
}
END_TEST

START_TEST(memory_is_preferred_from_the_domains_node)
{
	static const int node[] = {0, 2, 8};
	char *root = three_nodes(), memory[64];
	topology_set_root(root);
	pages_init(&config);
	machine_remove(root);

	for (int d = 0; d < 3; d++) {
		errno = ERANGE;
		ck_assert(domain_bind(memory, sizeof memory, d));
		ck_assert_int_eq(errno, ERANGE);
		ck_assert_int_eq(bound.calls, d + 1);
		ck_assert_ptr_eq(bound.base, memory);
		ck_assert_uint_eq(bound.len, sizeof memory);
		ck_assert_int_eq(bound.mode, PREFERRED);
		ck_assert_int_eq(bound.nodes, 1);
		ck_assert_int_eq(bound.node, node[d]);
		ck_assert_uint_eq(bound.flags, 0);
	}
}
END_TEST

START_TEST(the_highest_node_fits_in_the_mask)
{
	static const struct machine_node node[] = {
	    {0, "0", false, NULL}, {1023, "1", false, NULL}};
	char *root = machine_of(node, 2), memory[64];
	topology_set_root(root);
	pages_init(&config);
	machine_remove(root);

	ck_assert(domain_bind(memory, sizeof memory, 1));

	ck_assert_int_eq(bound.nodes, 1);
	ck_assert_int_eq(bound.node, 1023);
}
END_TEST

START_TEST(a_refused_preference_is_told_and_leaves_errno)
{
	char *root = three_nodes(), memory[64];
	topology_set_root(root);
	pages_init(&config);
	machine_remove(root);
	bound.refuse = true;
	errno = ERANGE;

	ck_assert(!domain_bind(memory, sizeof memory, 1));

	ck_assert_int_eq(errno, ERANGE);
	ck_assert_int_eq(bound.calls, 1);
}
END_TEST

START_TEST(one_domain_needs_no_preference)
{
	char *root = machine_make(1, (const char *const[]){"0-3"}), memory[64];

	ck_assert(domain_bind(memory, sizeof memory, 0));
	topology_set_root(root);
	pages_init(&config);
	machine_remove(root);
	ck_assert(domain_bind(memory, sizeof memory, 0));

	ck_assert_int_eq(bound.calls, 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("topology");
	TCase *rd = tcase_create("reading"), *say = tcase_create("libnuma");
	TCase *our = tcase_create("our machine");

	tcase_add_test(rd, cpus_are_counted_to_the_highest_possible);
	tcase_add_test(rd, domains_are_nodes_with_their_cpus);
	tcase_add_test(rd, sparse_nodes_become_dense_domains);
	tcase_add_test(rd, nodes_without_cpus_are_domains);
	tcase_add_test(rd, cpus_without_memory_go_to_the_nearest_domain);
	tcase_add_test(rd, without_good_distances_they_go_to_the_lowest);
	tcase_add_test(rd, nodes_that_are_only_possible_do_not_count);
	tcase_add_test(
	    rd, a_node_that_has_memory_but_is_offline_does_not_count);
	tcase_add_test(
	    rd, all_nodes_online_have_memory_where_that_is_not_known);
	tcase_add_test(rd, one_node_with_memory_is_one_domain);
	tcase_add_test(rd, a_malformed_list_of_cpus_counts_as_missing);
	tcase_add_test(rd, a_folder_in_a_files_place_counts_as_missing);
	tcase_add_test(rd, a_list_may_be_long);
	tcase_add_test(rd, a_cpu_that_is_not_possible_is_in_domain_0);
	tcase_add_test(rd, nodes_after_the_last_domain_go_to_what_is_nearest);
	tcase_add_test(
	    rd, what_cannot_be_read_counts_as_one_domain_of_cpus_enough);
	tcase_add_test(rd, a_machine_without_files_has_one_domain);
	tcase_add_test(rd, random_bytes_give_a_machine_all_the_same);
	tcase_add_test(rd, one_node_costs_two_files);
	tcase_add_test(say, nodes_that_all_may_be_used_are_domains);
	tcase_add_test(say, nodes_that_may_not_be_used_are_as_without_memory);
	tcase_add_test(say, one_node_that_may_be_used_is_one_domain);
	tcase_add_test(say, there_is_one_domain_without_numa);
	tcase_add_test(say, libnuma_is_not_asked_about_one_node);
	tcase_add_test(our, init_reads_this_machine);
	tcase_add_test(our, init_reads_a_made_up_machine_and_asks_nobody);
	tcase_add_test(our, init_again_keeps_the_machine);
	tcase_add_test(our, memory_is_preferred_from_the_domains_node);
	tcase_add_test(our, the_highest_node_fits_in_the_mask);
	tcase_add_test(our, a_refused_preference_is_told_and_leaves_errno);
	tcase_add_test(our, one_domain_needs_no_preference);
	TCase *tc[] = {rd, say, our};
	for (int i = 0; i < 3; i++) {
		tcase_set_timeout(tc[i], 30);
		suite_add_tcase(s, tc[i]);
	}
	return s;
}

int
main(void)
{
	return test_run(suite());
}
