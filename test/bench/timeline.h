/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timeline.h - resident memory over time, the same schedule for each allocator.
 *
 * Work is paced, so that what happens at a time happens at this time for all,
 * as far as the machine is quick enough.
 */
#ifndef UMA_BENCH_TIMELINE_H
#define UMA_BENCH_TIMELINE_H

#include "resident.h"

#define TL_STEADY  50000
#define TL_BURST   1000000
#define TL_SIZES   16
#define TL_STEP	   500 /* items between two looks at the clock */
#define TL_SAMPLES 4096
#define TL_EVERY   15 /* ms from sample to sample */
#define TL_BUSY	   1000 /* replacements a ms at work */
#define TL_TRICKLE 20 /* and when idle */

/* Sizes of programs' objects are skewed: one stands here for its share. */
static const size_t tl_size[TL_SIZES] = {
    16, 16, 32, 32, 32, 48, 64, 64, 64, 96, 128, 128, 192, 256, 512, 1024};

struct tl_sample {
	double ms, resident, live;
};

struct timeline {
	struct peer
	    peers[TL_SIZES]; /* one for each size, however often named */
	void **items; /* [i] is of size [i % TL_SIZES] */
	uint32_t *order;
	uint32_t n;
	double live; /* bytes asked for */
	double begin, sampled, ticked; /* ns */
	int tick_ms;
	int nsamples;
	struct tl_sample *samples;
	double base;
};

static double
tl_ms(const struct timeline *t)
{
	return (clock_ns(CLOCK_MONOTONIC) - t->begin) / 1e6;
}

static double
statm_bytes(void)
{
	char text[128];

	file_text("/proc/self/statm", text, sizeof text);
	const char *at = strchr(text, ' ');
	return at == NULL ? 0
			  : strtod(at, NULL) * (double)sysconf(_SC_PAGESIZE);
}

/* The program's loop: a sample and a tick, each when due. */
static void
tl_look(struct timeline *t)
{
	double now = tl_ms(t);

	if (now - t->ticked >= t->tick_ms) {
		t->ticked = now;
		t->tick_ms = peer_tick();
	}
	if (now - t->sampled >= TL_EVERY && t->nsamples < TL_SAMPLES) {
		t->sampled = now;
		t->samples[t->nsamples++] =
		    (struct tl_sample){now, statm_bytes() - t->base, t->live};
	}
}

static void
tl_nap(struct timeline *t)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	tl_look(t);
}

static void
tl_alloc(struct timeline *t, uint32_t i)
{
	const struct peer *p = &t->peers[i % TL_SIZES];

	t->items[i] = peer_alloc(p);
	memset(t->items[i], 1, p->size);
	t->live += (double)p->size;
}

static void
tl_free(struct timeline *t, uint32_t i)
{
	const struct peer *p = &t->peers[i % TL_SIZES];

	peer_free(p, t->items[i]);
	t->live -= (double)p->size;
}

/* Do the work for from <= i < to, or order[i], evenly until the time. */
static void
tl_ramp(struct timeline *t, void (*work)(struct timeline *, uint32_t i),
    const uint32_t *order, uint32_t from, uint32_t to, double until)
{
	double start = tl_ms(t), per = (until - start) / (to - from);

	for (uint32_t i = from; i < to; i++) {
		work(t, order == NULL ? i : order[i]);
		if (i % TL_STEP != 0)
			continue;
		tl_look(t);
		while (tl_ms(t) < start + per * (i - from))
			tl_nap(t);
	}
}

/* Replace random ones of n items, which order names, until the time. */
static void
tl_replace(struct timeline *t, const uint32_t *order, uint32_t n, int per_ms,
    double until)
{
	uint64_t seed = SEED;

	while (tl_ms(t) < until) {
		for (int i = 0; i < per_ms; i++) {
			uint32_t at = random_below(&seed, n);

			at = order == NULL ? at : order[at];
			tl_free(t, at);
			tl_alloc(t, at);
		}
		tl_nap(t);
	}
}

/* What the phase that ends now has led to; by the exact count. */
static void
tl_phase(struct timeline *t, const char *name)
{
	double resident = resident_bytes() - t->base;

	printf(
	    "phase\t%s\t%.1f\t%.0f\t%.0f\n", name, tl_ms(t), resident, t->live);
	t->sampled = 0;
	tl_look(t);
}

static void
tl_reclaim(struct timeline *t, const char *name, double until)
{
	t->sampled = 0;
	tl_look(t);
	peer_reclaim();
	tl_phase(t, name);
	while (tl_ms(t) < until)
		tl_nap(t);
}

static void
tl_open(struct timeline *t)
{
	static char out[1 << 16];

	/* stdio's buffer is not from the allocator, and here already. */
	memset(out, 1, sizeof out);
	setvbuf(stdout, out, _IOFBF, sizeof out);
	t->items = pages(TL_BURST * sizeof *t->items);
	t->order = pages(TL_BURST * sizeof *t->order);
	t->samples = pages(TL_SAMPLES * sizeof *t->samples);
	shuffle(t->order, TL_BURST);
	(void)statm_bytes();
	(void)resident_bytes();
	t->base = resident_bytes();
	for (int i = 0; i < TL_SIZES; i++)
		t->peers[i] = i > 0 && tl_size[i] == tl_size[i - 1]
				  ? t->peers[i - 1]
				  : peer_open(tl_size[i], NULL);
	t->begin = clock_ns(CLOCK_MONOTONIC);
	t->sampled = -TL_EVERY;
}

/*
 * Prints the phases: name, ms when it ended, resident and live bytes then; and
 * the samples: ms, resident, live.
 */
static void
run_timeline(void)
{
	static struct timeline t;
	const uint32_t kept = TL_BURST / 10 * 9;

	tl_open(&t);
	tl_ramp(&t, tl_alloc, NULL, 0, TL_STEADY, 100);
	tl_phase(&t, "filled");
	tl_replace(&t, NULL, TL_STEADY, TL_BUSY, 400);
	tl_phase(&t, "steady");
	tl_ramp(&t, tl_alloc, NULL, TL_STEADY, TL_BURST, 1000);
	tl_phase(&t, "burst");
	tl_ramp(&t, tl_free, t.order, 0, kept, 1400);
	tl_phase(&t, "90 % freed");
	tl_replace(&t, t.order + kept, TL_BURST - kept, TL_TRICKLE, 3400);
	tl_phase(&t, "idle");
	tl_reclaim(&t, "reclaimed", 3700);
	tl_ramp(&t, tl_free, t.order, kept, TL_BURST, 3850);
	tl_phase(&t, "all freed");
	while (tl_ms(&t) < 4150)
		tl_nap(&t);
	tl_reclaim(&t, "reclaimed ", 4250);
	for (int i = 0; i < t.nsamples; i++)
		printf("sample\t%.1f\t%.0f\t%.0f\n", t.samples[i].ms,
		    t.samples[i].resident, t.samples[i].live);
}

#endif
