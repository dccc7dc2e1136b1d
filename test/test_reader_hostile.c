/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_reader_hostile.c - processes and core files that cannot be read, or
 * whose memory is garbage: a message of one line, never a crash or a hang.
 */
#define _GNU_SOURCE /* SEEK_DATA, setresuid, process_vm_readv */
#include "fillers.h"

#include <elf.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <uma/debug.h>

/* ---- the call to the system, as it may turn out ---- */

static enum { VM_AS_IT_IS, VM_DENIED, VM_DIES, VM_TORN } vm_mode;
static int vm_calls; /* until it dies */
static uint64_t vm_seed;

static uint64_t
random_next(void)
{
	vm_seed ^= vm_seed << 13;
	vm_seed ^= vm_seed >> 7;
	vm_seed ^= vm_seed << 17;
	return vm_seed;
}

ssize_t
process_vm_readv(pid_t pid, const struct iovec *to, unsigned long nto,
    const struct iovec *from, unsigned long nfrom, unsigned long flags)
{
	if (vm_mode == VM_DENIED || (vm_mode == VM_DIES && vm_calls-- <= 0)) {
		errno = vm_mode == VM_DENIED ? EPERM : ESRCH;
		return -1;
	}
	ssize_t n =
	    syscall(SYS_process_vm_readv, pid, to, nto, from, nfrom, flags);
	if (vm_mode == VM_TORN && n > 0 && random_next() % 50 == 0) {
		const struct iovec *v = &to[random_next() % nto];
		size_t at = random_next() % v->iov_len;

		((unsigned char *)v->iov_base)[at] =
		    (unsigned char)random_next();
	}
	return n;
}

/* ---- reading whatever can be read ---- */

static void
nothing(void *arg, const char *text, size_t len)
{
	(void)arg;
	(void)text;
	(void)len;
}

static void
slab_nothing(void *arg, const struct slab_view *v)
{
	volatile uint8_t sum = 0;

	(void)arg;
	for (uint64_t i = 0; i < v->items; i++)
		sum = (uint8_t)(sum + v->state[i]);
}

static void
expect_line(void)
{
	const char *said = target_error();

	ck_assert_uint_gt(strlen(said), 10);
	ck_assert_ptr_null(strchr(said, '\n'));
}

static void
expect_says(const char *part)
{
	expect_line();
	ck_assert_msg(
	    strstr(target_error(), part) != NULL, "%s", target_error());
}

/* True: its statistics could be read. */
static bool
read_all(struct target *t)
{
	static const char *const what[] = {"z", "j", "o", "s", "c"};

	if (t == NULL) {
		expect_line();
		return false;
	}
	bool good = true;
	for (size_t n = 0; n < target_copies(t); n++) {
		target_use(t, n);
		struct uma_stats *s = target_stats(t);

		good = good && s != NULL;
		if (s == NULL)
			expect_line();
		for (size_t k = 0; s != NULL && k < 5; k++)
			uma_stats_format(s, nothing, NULL, what[k]);
		for (size_t z = 0; s != NULL && z < s->nzones && z < 20; z++)
			if (!target_slabs(t, s->name[z], slab_nothing, NULL))
				expect_line();
		target_stats_free(s);
	}
	target_close(t);
	return good;
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

/* ---- processes that are not there ---- */

START_TEST(what_is_no_process_is_said_to_be_none)
{
	static const long none[] = {0, -1, 1L << 40, (1L << 22) + 1};

	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		ck_assert_ptr_null(target_pid(none[i]));
		expect_says("no process");
	}
}
END_TEST

START_TEST(a_process_without_the_library_is_told)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("sleep", "sleep", "100", NULL);
		_exit(1);
	}
	/* Before the exec it is this program. */
	struct target *t;
	while ((t = target_pid(pid)) != NULL)
		target_close(t);
	if (strstr(target_error(), "does not use") == NULL) {
		usleep(200000);
		ck_assert_ptr_null(target_pid(pid));
	}
	expect_says("does not use libuma");
	filler_kill(pid);
}
END_TEST

START_TEST(a_dead_process_is_told_from_none)
{
	pid_t pid = child_that_waits();
	siginfo_t info;

	kill(pid, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert_ptr_null(target_pid(pid));
	expect_says("has ended");
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_ptr_null(target_pid(pid));
	expect_says("there is no process");
}
END_TEST

START_TEST(a_process_of_another_user_is_refused)
{
	int status;

	if (geteuid() != 0)
		return;
	pid_t pid = fork();
	if (pid == 0) {
		if (setresgid(65534, 65534, 65534) != 0 ||
		    setresuid(65534, 65534, 65534) != 0 ||
		    target_pid(getppid()) != NULL)
			_exit(1);
		_exit(strstr(target_error(), "does not permit") != NULL &&
			      strstr(target_error(), "CAP_SYS_PTRACE") != NULL
			  ? 0
			  : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_refusal_to_read_is_told)
{
	pid_t pid = child_that_waits();
	struct target *t = target_pid(pid);

	ck_assert_msg(t != NULL, "%s", target_error());
	vm_mode = VM_DENIED;
	ck_assert_ptr_null(target_stats(t));
	expect_says("does not permit");
	target_close(t);
	ck_assert_ptr_null(target_pid(pid));
	expect_says("CAP_SYS_PTRACE");
	vm_mode = VM_AS_IT_IS;
	filler_kill(pid);
}
END_TEST

/* ---- processes that end ---- */

/* After each of the first calls to the system. */
START_TEST(a_process_may_end_at_any_time)
{
	pid_t pid = child_that_waits();
	int last = 0;

	vm_mode = VM_AS_IT_IS;
	ck_assert(read_all(target_pid(pid)));
	for (int k = 0; k < 200; k++) {
		vm_mode = VM_DIES;
		vm_calls = k;
		struct target *t = target_pid(pid);
		struct uma_stats *s = t != NULL ? target_stats(t) : NULL;
		if (s == NULL) {
			expect_says("has ended");
			last = k;
		}
		target_stats_free(s);
		target_close(t);
	}
	ck_assert_int_gt(last, 5);
	vm_mode = VM_AS_IT_IS;
	filler_kill(pid);
}
END_TEST

START_TEST(a_process_that_is_killed_is_read_until_it_has_ended)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = child_that_waits(), killer = fork();

		if (killer == 0) {
			usleep(300 * (useconds_t)i);
			kill(pid, SIGKILL);
			_exit(0);
		}
		struct target *t = target_pid(pid);
		struct uma_stats *s = NULL;
		while (t != NULL && (s = target_stats(t)) != NULL)
			target_stats_free(s);
		expect_says("end"); /* has ended, or is ending */
		target_close(t);
		ck_assert_int_eq(waitpid(killer, NULL, 0), killer);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	}
}
END_TEST

static void *
stays(void *arg)
{
	while (pause() != 0)
		;
	return arg;
}

static void
await_state(pid_t pid, const char *state)
{
	char path[64], text[512] = "";

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	for (int k = 0; k < 1000 && strstr(text, state) == NULL; k++) {
		FILE *f = fopen(path, "re");

		ck_assert_ptr_nonnull(f);
		ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
		fclose(f);
		usleep(10000);
	}
	ck_assert_msg(strstr(text, state) != NULL, "%s", text);
}

START_TEST(a_process_is_there_when_its_first_thread_has_ended)
{
	int go[2];

	ck_assert_int_eq(pipe(go), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		pthread_t thread;
		char c;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&thread, NULL, stays, NULL) != 0 ||
		    read(go[0], &c, 1) != 1)
			_exit(1);
		pthread_exit(NULL);
	}
	struct target *t = target_pid(pid);

	ck_assert_msg(t != NULL, "%s", target_error());
	ck_assert_int_eq(write(go[1], "g", 1), 1);
	await_state(pid, ") Z ");
	ck_assert_msg(read_all(t), "%s", target_error());
	ck_assert_msg(read_all(target_pid(pid)), "%s", target_error());
	filler_kill(pid);
	close(go[0]);
	close(go[1]);
}
END_TEST

static void
execute(int sig)
{
	(void)sig;
	execlp("sleep", "sleep", "100", NULL);
	_exit(1);
}

START_TEST(a_process_that_executes_another_program_is_let_go)
{
	signal(SIGUSR1, execute);
	pid_t pid = child_that_waits();
	signal(SIGUSR1, SIG_DFL);
	struct target *t = target_pid(pid);
	struct uma_stats *s;

	ck_assert_msg(t != NULL, "%s", target_error());
	kill(pid, SIGUSR1);
	while ((s = target_stats(t)) != NULL)
		target_stats_free(s);
	expect_line();
	usleep(200000);
	ck_assert_ptr_null(target_stats(t));
	expect_says("executes another program");
	target_close(t);
	filler_kill(pid);
}
END_TEST

/* ---- processes whose memory is garbage ---- */

static struct uma_debug_entry *
entry(const char *name)
{
	for (uint32_t t = 0; t < uma_debug_layout.table_cnt; t++) {
		struct uma_debug_table *table = uma_debug_layout.table[t];

		for (uint32_t e = 0; e < table->entry_cnt; e++)
			if (strcmp(table->entry[e].name, name) == 0)
				return &table->entry[e];
	}
	ck_abort_msg("no entry %s", name);
}

struct region {
	char *start;
	size_t len;
};

enum { REGIONS = 64, OWN_ZONES = 6 };
static uma_zone_t own_zone[OWN_ZONES];
static struct region region[REGIONS];
static size_t regions;

static void
region_add(const volatile void *start, size_t len)
{
	if (len == 0)
		return;
	ck_assert_uint_lt(regions, REGIONS);
	region[regions++] = (struct region){(char *)(uintptr_t)start, len};
}

static void *
pointer_at(const void *p, const char *name)
{
	void *v;

	memcpy(&v, (const char *)p + entry(name)->value, sizeof v);
	return v;
}

/* All that a reader looks at. */
static void
regions_find(void)
{
	region_add(&uma_debug_layout, sizeof uma_debug_layout);
	for (uint32_t t = 0; t < uma_debug_layout.table_cnt; t++) {
		struct uma_debug_table *table = uma_debug_layout.table[t];

		region_add(table, sizeof *table);
		region_add(
		    table->entry, table->entry_cnt * sizeof *table->entry);
		region_add(table->root, table->root_cnt * sizeof *table->root);
		for (uint32_t r = 0; r < table->root_cnt; r++)
			if (strncmp(table->root[r].name, "zlist", 5) == 0)
				region_add(table->root[r].address, 8);
	}
	for (int i = 0; i < OWN_ZONES; i++) {
		region_add(own_zone[i], entry("zone.")->value);
		region_add(pointer_at(own_zone[i], "zone.uz_keg"),
		    entry("keg.")->value + entry("kegdom.")->value);
		region_add(pointer_at(own_zone[i], "zone.uz_name"), 8);
		region_add(pointer_at((char *)own_zone[i] +
					  entry("zone.uz_cache")->value,
			       "cache.c_table"),
		    2 * entry("pcpu.")->value);
	}
}

static void
zones_make(void)
{
	for (int i = 0; i < OWN_ZONES; i++) {
		own_zone[i] = uma_zcreate("own", 32u << i, NULL, NULL, NULL,
		    NULL, UMA_ALIGN_PTR, i % 2 ? UMA_ZONE_OFFPAGE : 0);
		ck_assert_ptr_nonnull(own_zone[i]);
		void *items[100];
		for (int k = 0; k < 100; k++)
			items[k] = uma_zalloc(own_zone[i], M_WAITOK);
		for (int k = 0; k < 60; k++)
			uma_zfree(own_zone[i], items[k]);
	}
	regions_find();
}

/* A word that leads astray. */
static uint64_t
bad_word(void)
{
	const struct region *r = &region[random_next() % regions];

	switch (random_next() % 8) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return random_next();
	case 3:
		return random_next() % 1000;
	case 4:
		return (uint64_t)1 << random_next() % 64;
	default:
		return (uintptr_t)r->start + random_next() % r->len;
	}
}

static void
scribble(void)
{
	for (uint64_t n = 1 + random_next() % 8; n > 0; n--) {
		const struct region *r = &region[random_next() % regions];
		uint64_t word = bad_word();

		if (r->len < 8 || random_next() % 3 == 0)
			r->start[random_next() % r->len] = (char)random_next();
		else
			memcpy(r->start + random_next() % (r->len / 8) * 8,
			    &word, 8);
	}
}

/* A child of ours that stops when change has been made to its memory. */
static pid_t
child_changed(void (*change)(void))
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		change();
		syscall(SYS_kill, getpid(), SIGSTOP);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	return pid;
}

enum { SEEDS = 400 };

static uint64_t
seed_of(int i)
{
	const char *fixed = getenv("UMA_TEST_SEED");

	return fixed != NULL ? strtoull(fixed, NULL, 10)
			     : 0x9e3779b97f4a7c15 * (uint64_t)(i + 1);
}

START_TEST(garbage_in_a_process_is_survived)
{
	int good = 0, seeds = TEST_SCALE(SEEDS);
	double longest = 0;

	zones_make();
	for (int i = 0; i < seeds; i++) {
		vm_seed = seed_of(i);
		pid_t pid = child_changed(scribble);
		double start = now();

		good += read_all(target_pid(pid));
		longest = now() - start > longest ? now() - start : longest;
		filler_kill(pid);
	}
	printf("garbage: %d of %d were read, the longest took %.0f ms\n", good,
	    seeds, 1e3 * longest);
	ck_assert_int_gt(good, 0);
	ck_assert_int_lt(good, seeds);
	ck_assert_double_lt(longest, 20);
}
END_TEST

START_TEST(torn_reads_are_survived)
{
	int good = 0, rounds = TEST_SCALE(600);

	zones_make();
	pid_t pid = child_that_waits();
	for (int i = 0; i < rounds; i++) {
		vm_seed = seed_of(i);
		vm_mode = VM_TORN;
		good += read_all(target_pid(pid));
	}
	vm_mode = VM_AS_IT_IS;
	printf("torn: %d of %d were read\n", good, rounds);
	ck_assert_int_gt(good, 0);
	ck_assert(read_all(target_pid(pid)));
	filler_kill(pid);
}
END_TEST

static void
change_version(void)
{
	uma_debug_layout.version = 7;
}

static void
change_magic(void)
{
	uma_debug_layout.magic[0] = 'x';
}

static void
take_entry_away(void)
{
	memcpy(uma_debug_layout.library, "9.9.9\033", 7);
	strcpy(entry("zone.uz_keg")->name, "zone.uz_kegs");
}

/* The head of the list, as the second zone, leads round. */
static void
make_a_circle(void)
{
	void *link = (char *)own_zone[0] + entry("zone.uz_link")->value;

	memcpy((char *)link + entry("list.next")->value, &link, 8);
}

static void *
variable(const char *name)
{
	for (uint32_t t = 0; t < uma_debug_layout.table_cnt; t++) {
		struct uma_debug_root *root = uma_debug_layout.table[t]->root;

		for (uint32_t r = uma_debug_layout.table[t]->root_cnt; r-- > 0;)
			if (strcmp(root[r].name, name) == 0)
				return (void *)(uintptr_t)root[r].address;
	}
	ck_abort_msg("no variable %s", name);
}

static void
claim_many_cpus(void)
{
	*(int *)variable("cpu.cpu_cnt") = 1 << 30;
}

static void
claim_a_huge_header(void)
{
	entry("slab.us_bits")->value = 0xfff00000;
}

static const struct change {
	void (*fn)(void);
	const char *says;
} changes[] = {
    {change_version, "is another version, with layout 7"},
    {change_magic, "is damaged"},
    {take_entry_away, "9.9.9\\x1b, which has no 'zone.uz_keg'"},
    {make_a_circle, "kept changing"},
    {claim_many_cpus, "1073741824 CPUs"},
    {claim_a_huge_header, "the tables of its libuma are damaged"},
};
#define CHANGES ((int)(sizeof changes / sizeof changes[0]))

START_TEST(what_is_wrong_with_a_library_is_told)
{
	zones_make();
	pid_t pid = child_changed(changes[_i].fn);
	struct target *t = target_pid(pid);

	if (t != NULL)
		ck_assert_ptr_null(target_stats(t));
	expect_says(changes[_i].says);
	target_close(t);
	filler_kill(pid);
}
END_TEST

/* As if more had been reserved and handed out between two reads. */
static void
hand_runs_out(void)
{
	*(size_t *)variable("runs.r_used") +=
	    *(size_t *)variable("runs.r_reserved");
}

START_TEST(runs_handed_out_meanwhile_do_not_hide_the_items)
{
	zones_make();
	pid_t pid = child_changed(hand_runs_out);
	struct target *t = target_pid(pid);
	struct uma_stats *s = t != NULL ? target_stats(t) : NULL;

	ck_assert_msg(s != NULL, "%s", target_error());
	ck_assert_uint_gt(s->memory->used, 0);
	target_stats_free(s);
	target_close(t);
	filler_kill(pid);
}
END_TEST

/* ---- files that are no core files ---- */

static void
file_write(const char *name, const void *bytes, size_t len)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static void
expect_refused(const char *name, const char *says)
{
	ck_assert_ptr_null(target_core(name));
	expect_says(says);
}

START_TEST(what_is_no_core_file_is_told)
{
	Elf64_Ehdr e = {.e_ident = ELFMAG};
	char program[4200];

	fillers_enter();
	expect_refused("not there", "No such file");
	expect_refused(".", "Is a directory");
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	expect_refused("fifo", "not a regular file");
	expect_refused("/dev/zero", "not a regular file");
	file_write("empty", "", 0);
	expect_refused("empty", "is empty");
	file_write("short", "\177ELF", 4);
	expect_refused("short", "too short");
	file_write("b\033d", "", 0);
	expect_refused("b\033d", "b\\x1bd is empty");
	file_write("b\302\233d", "", 0);
	expect_refused("b\302\233d", "b\\xc2\\x9bd is empty");
	char text[100];
	memset(text, 'x', sizeof text);
	file_write("text", text, sizeof text);
	expect_refused("text", "is no ELF file");
	e.e_ident[EI_CLASS] = ELFCLASS32;
	file_write("32", &e, sizeof e);
	expect_refused("32", "64-bit");
	e.e_ident[EI_CLASS] = ELFCLASS64;
	e.e_ident[EI_DATA] = ELFDATA2MSB;
	file_write("big", &e, sizeof e);
	expect_refused("big", "byte order");
	e.e_ident[EI_DATA] = ELFDATA2LSB;
	e.e_type = ET_CORE;
	e.e_phentsize = sizeof(Elf64_Phdr);
	file_write("none", &e, sizeof e);
	expect_refused("none", "damaged");
	e.e_phnum = 100;
	e.e_phoff = 64;
	file_write("cut", &e, sizeof e);
	expect_refused("cut", "cut off");
	snprintf(program, sizeof program, "%s/archive", fillers_bin);
	expect_refused(program, "no core file");
	fillers_leave();
}
END_TEST

/* ---- core files that lie ---- */

static size_t
file_size(const char *name)
{
	struct stat st;

	ck_assert_int_eq(stat(name, &st), 0);
	return (size_t)st.st_size;
}

/* Where the file has bytes that are not 0, or one of its first. */
static off_t
place_in(int fd, size_t size)
{
	if (random_next() % 8 == 0)
		return (off_t)(random_next() % 4096);
	off_t at = lseek(fd, (off_t)(random_next() % size), SEEK_DATA);
	if (at < 0)
		return 0;
	at += (off_t)(random_next() % 4096);
	return at < (off_t)size ? at : (off_t)size - 1;
}

enum { FLIPS = 64 };

START_TEST(core_files_with_flipped_bytes_are_survived)
{
	char core[64];
	int good = 0, seeds = TEST_SCALE(SEEDS);
	double longest = 0;

	fillers_enter();
	if (!cores_are_written()) {
		fillers_leave();
		return;
	}
	pid_t pid = filler_start("archive", "abort", NULL);
	core_name(pid, core);
	size_t size = file_size(core);
	int fd = open(core, O_RDWR);
	for (int i = 0; i < seeds; i++) {
		off_t at[FLIPS];
		unsigned char was[FLIPS], is;
		double start = now();

		vm_seed = seed_of(i);
		int flips = 1 + (int)(random_next() % FLIPS);
		for (int k = 0; k < flips; k++) {
			at[k] = place_in(fd, size);
			is = (unsigned char)random_next();
			ck_assert_int_eq(pread(fd, &was[k], 1, at[k]), 1);
			ck_assert_int_eq(pwrite(fd, &is, 1, at[k]), 1);
		}
		good += read_all(target_core(core));
		for (int k = flips; k-- > 0;)
			ck_assert_int_eq(pwrite(fd, &was[k], 1, at[k]), 1);
		longest = now() - start > longest ? now() - start : longest;
	}
	ck_assert(read_all(target_core(core)));
	printf("flipped: %d of %d were read, the longest took %.0f ms\n", good,
	    seeds, 1e3 * longest);
	ck_assert_int_lt(good, seeds);
	ck_assert_double_lt(longest, 20);
	close(fd);
	fillers_leave();
}
END_TEST

START_TEST(core_files_that_were_cut_are_survived)
{
	char core[64];

	fillers_enter();
	if (cores_are_written()) {
		pid_t pid = filler_start("archive", "abort", NULL);
		core_name(pid, core);
		size_t size = file_size(core);

		ck_assert_int_eq(truncate(core, (off_t)(size * 9 / 10)), 0);
		(void)read_all(target_core(core));
		for (size_t len = size / 2; len > 0; len = len * 4 / 5) {
			ck_assert_int_eq(truncate(core, (off_t)len), 0);
			if (!read_all(target_core(core)) && len > 8192)
				expect_says("cut off");
		}
		ck_assert(!read_all(target_core(core)));
	}
	fillers_leave();
}
END_TEST

START_TEST(a_huge_core_file_is_not_read_as_a_whole)
{
	char core[64];
	struct rusage before, after;

	fillers_enter();
	if (cores_are_written()) {
		pid_t pid = filler_start("archive", "abort", NULL);
		core_name(pid, core);
		if (truncate(core, (off_t)1 << 40) == 0) {
			double start = now();

			getrusage(RUSAGE_SELF, &before);
			ck_assert(read_all(target_core(core)));
			getrusage(RUSAGE_SELF, &after);
			ck_assert_double_lt(now() - start, 10);
			ck_assert_int_lt(
			    after.ru_maxrss - before.ru_maxrss, 64 << 10);
		}
	}
	fillers_leave();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("the reader, and hostile targets");
	TCase *tc = tcase_create("hostile");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, what_is_no_process_is_said_to_be_none);
	tcase_add_test(tc, a_process_without_the_library_is_told);
	tcase_add_test(tc, a_dead_process_is_told_from_none);
	tcase_add_test(tc, a_process_of_another_user_is_refused);
	tcase_add_test(tc, a_refusal_to_read_is_told);
	tcase_add_test(tc, a_process_may_end_at_any_time);
	tcase_add_test(tc, a_process_that_is_killed_is_read_until_it_has_ended);
	tcase_add_test(tc, a_process_is_there_when_its_first_thread_has_ended);
	tcase_add_test(tc, a_process_that_executes_another_program_is_let_go);
	tcase_add_test(tc, garbage_in_a_process_is_survived);
	tcase_add_test(tc, torn_reads_are_survived);
	tcase_add_loop_test(
	    tc, what_is_wrong_with_a_library_is_told, 0, CHANGES);
	tcase_add_test(tc, runs_handed_out_meanwhile_do_not_hide_the_items);
	tcase_add_test(tc, what_is_no_core_file_is_told);
	tcase_add_test(tc, core_files_with_flipped_bytes_are_survived);
	tcase_add_test(tc, core_files_that_were_cut_are_survived);
	tcase_add_test(tc, a_huge_core_file_is_not_read_as_a_whole);
	suite_add_tcase(s, tc);
	return test_run(s);
}
