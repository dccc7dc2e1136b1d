/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limit.pml - a model of a zone at its limit: the essay of zone/limit.c, and
 * the look for holds in zone_put_bucket (zone/domain.c).
 *
 * Each thread allocates, willing to sleep, and frees, ROUNDS times, or keeps
 * its last item for ever.  Then everything stands still, and the last process
 * looks at what there is.
 *
 * What stands for what
 *
 *   l_word	items and sleepers, always read or changed in one step
 *   l_holds	holds (HOLD_SLEEPERS)
 *   l_lock	lock
 *   c_lock	c_lock; base: whether hits may succeed; c_on as in the code
 *   cached[]	items in the caches of two CPUs; a hit is one step, which
 *		cache.pml justifies: it commits before a drain's barrier, or
 *		misses
 *   depot	buckets of one item each
 *   line	l_sleepers, the threads in their order
 *   granted[]	s_granted; uma_wait waits for it to be 1
 *   take	limit_take
 *   give	limit_give, limit_settle, limit_grant_first, limit_set_holds
 *   drain	zone_drain: cache_drain, zone_release, depot_drain
 *   thread	zone_fetch with limit_acquire and limit_sleep, zfree_cached with
 *		zone_put_bucket
 *
 * Properties, all of them assertions
 *
 *   - no more items than the limit are out of the keg, at any instant
 *   - first come, first served: nobody takes a unit while another waits in
 *     line and has announced himself; line is served from its front
 *   - nobody sleeps for ever while an item is free: when all stands still and
 *     somebody sleeps, all items are kept by threads, none is cached; hence no
 *     wake-up is lost either (check_rest)
 *   - the books are right then, and the cache is on unless somebody sleeps
 *
 * Left out: lowered limits (HOLD_OVER), which settle in the same place;
 * callers with M_NOWAIT, who are threads that never come to sleep; batches of
 * more than one item, since near its limit a zone hands out single ones
 * (limit_share); weak memory: what matters here is done by locked instructions
 * and under locks; the futex, whose wait looks at the word and goes to sleep
 * in one step.
 *
 * Mutants, -D one: M_DRAIN_FIRST (the sleeper drains before it holds),
 * M_LOOK_FIRST (the giver looks for sleepers before it subtracts), M_PASS
 * (limit_take looks at items alone), M_NO_SECOND_LOOK (the sleeper does not
 * settle once he is in line), M_DEPOT (zone_put_bucket does not look for holds),
 * M_DEPOT_EARLY (looks before it puts).
 */

#ifndef NT
#define NT 3		/* threads */
#endif
#ifndef MAX
#define MAX 1		/* the limit */
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define NCPU 2

byte items, sleepers;	/* one word */
bool holds;
bool base = true;
bool c_on = true;
byte lock, c_lock;	/* 0, or the thread that has it */
byte cached[NCPU];
byte depot;
chan line = [NT] of { byte };
bool granted[NT + 1];

/* Known to nobody but the model. */
byte kept;		/* by threads, for ever */

/* One unit, or none: got. */
inline take(got)
{
	atomic {
		if
#ifdef M_PASS
		:: items < MAX ->
#else
		:: items < MAX && sleepers == 0 ->
#endif
			items++;
			got = true;
			assert(sleepers == 0);
			assert(items <= MAX)
		:: else -> got = false
		fi
	}
}

/* ---- locked ---- */

inline set_holds(to)
{
	if
	:: holds && !to ->
		holds = false;
		atomic { c_lock == 0 -> c_lock = me }
		c_on = true;
		atomic { base = true; c_lock = 0 }
	:: !holds && to ->
		holds = true;
		atomic { c_lock == 0 -> c_lock = me }
		c_on = false;
		atomic { base = false; c_lock = 0 }
	:: else
	fi
}

inline settle()
{
	do
	:: atomic { nempty(line) && items < MAX ->
		items++;
		sleepers--;
		assert(items <= MAX) }
		line?who;
		atomic { granted[who] = true; who = 0 }
	:: empty(line) -> set_holds(false); break
	:: nempty(line) && items >= MAX -> break
	od
}

inline acquire()
{
	atomic { lock == 0 -> lock = me }
}

inline release()
{
	lock = 0
}

/* ---- limit_give ---- */

inline give(n)
{
	if
	:: n > 0 ->
#ifdef M_LOOK_FIRST
		late = sleepers > 0 || holds;
		atomic { items = items - n; n = 0 }
		if
		:: late -> goto_settle()
		:: else
		fi
#else
		atomic {
			assert(items >= n);
			items = items - n;
			late = sleepers > 0;
			n = 0
		}
		if
		:: late || holds -> goto_settle()
		:: else
		fi
#endif
		;
		late = false
	:: else
	fi
}

inline goto_settle()
{
	acquire();
	settle();
	release()
}

/* depot_drain */
inline drain_depot()
{
	do
	:: atomic { depot > 0 -> depot--; hand++ }
		give(hand)
	:: depot == 0 -> break
	od
}

/* zone_drain */
inline drain()
{
	if
	:: cached[0] > 0 || cached[1] > 0 ->	/* see cache.pml */
		atomic { c_lock == 0 -> c_lock = me }
		base = false;
		atomic { hand = hand + cached[0]; cached[0] = 0 }
		atomic { hand = hand + cached[1]; cached[1] = 0 }
		atomic { base = c_on; c_lock = 0 }
		give(hand)
	:: else
	fi;
	drain_depot()
}

proctype thread(byte me)
{
	byte who, hand, round;
	bool got, late;

	do
	:: round < ROUNDS ->
		round++;

		/* ---- alloc ---- */
		if
		:: atomic { base && cached[0] > 0 -> cached[0]--; goto have }
		:: atomic { base && cached[1] > 0 -> cached[1]--; goto have }
		:: else
		:: true		/* not this CPU's */
		fi;
		if
		:: atomic { c_on && depot > 0 -> depot--; goto have }
		:: else
		fi;

		/* limit_acquire */
		take(got);
		if
		:: got -> goto have
		:: else
		fi;
		if
		:: !holds ->
			drain();
			take(got);
			if
			:: got -> goto have
			:: else
			fi
		:: else
		fi;

		/* limit_sleep */
#ifdef M_DRAIN_FIRST
		drain();
#endif
		acquire();
		line!me;
		sleepers++;
		set_holds(true);
#ifndef M_NO_SECOND_LOOK
		settle();
#endif
		release();
#ifndef M_DRAIN_FIRST
		if
		:: !granted[me] -> drain()
		:: else
		fi;
#endif
end:
		atomic { granted[me] -> granted[me] = false }

have:
		got = false;
		if
		:: atomic { round == ROUNDS -> kept++; break }
		:: true
		fi;

		/* ---- free ---- */
		if
		:: atomic { base -> cached[0]++; goto freed }
		:: atomic { base -> cached[1]++; goto freed }
		:: else
		/* a full bucket gives way, and its place is taken */
		:: atomic { base && cached[0] > 0 -> hand = 1 }
		:: atomic { base && cached[1] > 0 -> hand = 1 }
		:: atomic { base -> hand = 1 }
		fi;
		if
		:: hand == 1 ->
			/* zone_put_bucket */
#ifdef M_DEPOT_EARLY
			late = holds;
			atomic { depot++; hand = 0 }
			if
			:: late -> late = false; drain_depot()
			:: else
			fi
#else
			atomic { depot++; hand = 0 }
#ifndef M_DEPOT
			if
			:: holds -> drain_depot()
			:: else
			fi
#endif
#endif
		:: else ->
			/* zone_release */
			hand = 1;
			give(hand)
		fi;
freed:
		skip
	:: else -> break
	od
}

inline check_rest()
{
	assert(items == kept + cached[0] + cached[1] + depot);
	assert(sleepers == len(line));
	assert(sleepers == 0 || kept == MAX);
	assert(holds == (sleepers > 0));
	assert(base == !holds && c_on == !holds);
	assert(lock == 0 && c_lock == 0)
}

init
{
	atomic {
		run thread(1);
		run thread(2);
#if NT > 2
		run thread(3);
#endif
#if NT > 3
		run thread(4);
#endif
	}
	atomic { timeout -> check_rest() }
}
