/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache.pml - a model of the per-CPU caches where hits are restartable
 * sequences: percpu/cache_seq.c, percpu/cache.c, uma/seq_x86_64.h.
 *
 * Threads allocate and free for ever; one more process drains the cache,
 * disables, drains and enables it again, for ever as well.  The number of
 * states is finite, and check.sh visits all of them.
 *
 * What stands for what
 *
 *   pop, push		UMA_SEQ_POP, UMA_SEQ_PUSH
 *   stub		the abort stub, UMA_SEQ_UNCOUNT: flags is what it can
 *			tell from the sign flag and rdx
 *   miss		seq_turn's exchange, after the look at cache_enabled
 *			that zone_fetch and zfree_cached take before
 *   fetch		zone_fetch_bucket and zone_fill, zone_bucket_alloc
 *   swap		seq_swap_empty, seq_swap_full, for seq_turn and
 *			seq_load (loading); seq_load's look at c_on saves a
 *			miss and no more, and is left out
 *   put		seq_put_spare: exchange, look at the base, take up
 *			again
 *   exchanged		what follows in zone_fetch and zfree_cached, whose
 *			three rounds are any number here
 *   past		zone_alloc_item, zone_release
 *   drainer		cache_looks_empty, drain_seq, header_strip;
 *			cache_disable and cache_enable; set_base is
 *			cache_set_base, barrier is cpu_barrier
 *   cursor[], spare[]	h_cursor and h_spare of each CPU; a cursor is a bucket
 *			and a level, 0 being the dummy's
 *   base		true is the table, false the dummy.  One for the two of
 *			the code: a hit looks at one of them; the other is
 *			later by a store, which is before the barrier all the
 *			same, or, on the way back, when the headers are
 *			stripped
 *
 * Steps.  A sequence is cut where another process could change what it sees,
 * or its end: the CPU's number and the base; the cursor, the slot and, in a
 * pop, the count, which nobody but this CPU's sequences touches; the commit.
 * A cut more would add states and no behaviour: the steps that are taken
 * together abort alike, but for the flags, which have steps of their own.
 *
 * CPUs.  in_seq[c] is the thread whose sequence is under way on CPU c.  One
 * that begins there could not if the other were still running, so it takes the
 * other's place, and who has lost his place goes to his stub with the next
 * step.  Moving a thread needs no step of its own: each sequence begins on any
 * CPU, and may abort before any step without a reason (a signal).  Outside of
 * sequences the CPU's number is stale at once, hence any number will do.
 *
 * Store buffers.  On x86 a store is seen by others late, but before what the
 * thread does after a locked instruction, a membarrier, or on another CPU.
 * With -DTSO the stores that matter are late in this way: the base's, for
 * which the model relies on the barrier alone, though the code's store is
 * sequentially consistent; and the cursors', as the drainer sees them: other
 * threads see a CPU's cursor from that CPU only.  Spares are exchanged by
 * locked instructions.
 *
 * Properties, all of them assertions
 *
 *   - an item is in one place: a thread's, one slot of one bucket, or the keg
 *     (at[]); a bucket is in a header, in somebody's hands, or free (bat[])
 *   - nothing is lost: in a disabled and drained cache, when no thread is
 *     under way, every item is the keg's or a thread's (check_dry)
 *   - what was in a header when a drain began has left it before the drain
 *     ends (mark[]).  Not "is the drainer's": a thread may have it in its
 *     hands, and may bring it back once the base is restored
 *   - the count of hits is never behind, at most one a thread ahead, and exact
 *     when no thread is under way (ahead)
 *
 * Left out: bulk hits, which differ in the number of items that a commit
 * moves; the depot, which is in limit.pml, and is part of the keg here; a
 * second drainer, since c_lock lets one in at a time; the look for a double
 * free in a push; the difference between items where any would do; lack of
 * progress: a thread may abort for ever.  Memory of freed buckets stays
 * readable in the code, too; here their slots turn STALE, which no hit may
 * ever return.
 *
 * Sizes are chosen with -D, by check.sh; ONE lets a thread have one item at
 * most.
 *
 * Mutants, -D one: M_NOBARRIER (drains restart nothing), M_BASE_OUTSIDE (hits
 * read the base before the sequence), M_BASE_EARLY (restored before the
 * headers are stripped), M_SPARE (put back without another look at the base),
 * M_NOSPARE (drains forget the spares), M_NOABORT (a sequence survives its
 * thread's losing the CPU), M_STUB (does not correct the count), M_STUB_FLAGS
 * (believes flags that are older than the sequence); with TSO, M_LATE_BASE and
 * M_LATE_CURSOR (a barrier that restarts, but leaves the drainer's, or the
 * others', store buffers).
 */

#ifndef NT
#define NT 2		/* threads */
#endif
#ifndef NI
#define NI 2		/* items */
#endif
#ifndef NB
#define NB 2		/* buckets */
#endif
#ifndef CAP
#define CAP 1		/* slots in each */
#endif
#define NCPU 2

/* Items are 1..NI, buckets 1..NB, threads 1..NT. */
#define STALE (NI + 1)

/* at[]: a thread's number, or one of these. */
#define KEG 0
#define IN (NT + 1)	/* in a bucket */

#define CUR(b, l) ((b - 1) * (CAP + 1) + l + 1)
#define BKT(cur) ((cur - 1) / (CAP + 1) + 1)
#define LVL(cur) ((cur - 1) % (CAP + 1))
#define SLOT(b, l) slot[(b - 1) * CAP + l - 1]	/* l from 1 */
#define AT_BOTTOM(cur) (cur == 0 || LVL(cur) == 0)
#define AT_TOP(cur) (cur == 0 || LVL(cur) == CAP)

byte cursor[NCPU];
byte spare[NCPU];
byte cnt[NB + 1];	/* ub_cnt; 0 while the bucket is loaded */
byte slot[NB * CAP];
byte in_seq[NCPU];
bool base, c_on;

/* What is known to nobody but the model. */
mtype = { FREE, HEADER, HAND };
mtype bat[NB + 1];
byte at[NI + 3];	/* of STALE too, and of none in a mutant's hands */
bool mark[NI + 3];
short ahead;		/* sum of h_allocs - over - true hits */
byte under_way;		/* threads that are */
bool dry;		/* disabled, and drained since */
byte i, j;		/* 0 but within a step */

/* What the stub knows: its flags are old ones, the sequence's, the count's. */
#define OLD_PLUS 0
#define OLD_MINUS 1
#define PLUS 2
#define COUNTED 3

#ifdef TSO
byte late_cursor[NCPU];	/* what the drainer sees */
byte late[NCPU];	/* by whom the cursor's store is in the buffer, or 0 */
bool late_base, is_late;
#define SEEN(c) late_cursor[c]
#else
#define SEEN(c) cursor[c]
#endif

/* ---- sequences ---- */

#ifdef M_NOABORT
#define MINE true
#else
#define MINE (in_seq[c] == me)
#endif

#ifdef M_BASE_OUTSIDE
#define BASE early
#define LOOK() early = base
#else
#define BASE base
#define LOOK() skip
#endif

inline flush_cursor(k)
{
#ifdef TSO
	if
	:: late[k] != 0 -> late_cursor[k] = cursor[k]; late[k] = 0
	:: else
	fi
#else
	skip
#endif
}

/* A thread leaves a CPU's buffer empty, and so does a locked instruction. */
inline flush_own(k)
{
#ifdef TSO
	if
	:: late[k] == me -> flush_cursor(k)
	:: else
	fi
#else
	skip
#endif
}

/* The sequence reads the CPU's number. */
inline seq_enter()
{
	if
	:: c = 0; flush_own(1)
	:: c = 1; flush_own(0)
	fi;
#ifdef TSO
	if
	:: late[c] != me -> flush_cursor(c)
	:: else
	fi;
#endif
	in_seq[c] = me
}

/* It is over, in one way or another. */
inline seq_leave()
{
	if
	:: in_seq[c] == me -> in_seq[c] = 0
	:: else
	fi;
	c = 0;
	cur = 0
}

/*
 * What an aborted push has written above the cursor matters to nobody; the
 * model has it forgotten, since every such difference would be another state.
 */
inline push_forget()
{
	if
	:: SLOT(BKT(cur), LVL(cur) + 1) == it ->
		SLOT(BKT(cur), LVL(cur) + 1) = STALE
	:: else
	fi
}

inline seq_commit(to)
{
#ifdef TSO
	late_cursor[c] = (late[c] != 0 -> cursor[c] : late_cursor[c]);
	late[c] = me;
#endif
	cursor[c] = to
}

/* ---- books ---- */

inline item_move(item, from, to)
{
	assert(at[item] == from);
	at[item] = to;
	mark[item] = false
}

inline bucket_leaves(b)
{
	assert(bat[b] == HEADER);
	d_step {
		bat[b] = HAND;
		i = 1;
		do
		:: i <= cnt[b] -> mark[SLOT(b, i)] = false; i++
		:: else -> break
		od;
		i = 0
	}
}

inline bucket_enters(b)
{
	assert(bat[b] == HAND);
	bat[b] = HEADER
}

/* Items to the keg, and the bucket freed; 0 is none. */
inline bucket_release(b)
{
	d_step {
		if
		:: b != 0 ->
			assert(bat[b] == HAND);
			i = 1;
			do
			:: i <= CAP ->
				if
				:: i <= cnt[b] -> item_move(SLOT(b, i), IN, KEG)
				:: else
				fi;
				SLOT(b, i) = STALE;
				i++
			:: else -> break
			od;
			i = 0;
			cnt[b] = 0;
			bat[b] = FREE;
			b = 0
		:: else
		fi
	}
}

/* b: a free bucket, or 0. */
inline bucket_get(b)
{
	d_step {
		b = 1;
		do
		:: b <= NB && bat[b] != FREE -> b++
		:: else -> break
		od;
		if
		:: b > NB -> b = 0
		:: else -> bat[b] = HAND
		fi
	}
}

/* item: the first that is at place, or 0. */
inline item_find(item, place)
{
	d_step {
		item = 1;
		do
		:: item <= NI && at[item] != place -> item++
		:: else -> break
		od;
		item = (item > NI -> 0 : item)
	}
}

inline finish()
{
	c = 0;
	cur = 0;
	it = 0;
	want_room = false;
	loading = false;
	next = 0;
	under_way--
}

/* ---- a thread ---- */

#define FETCH 1
#define AGAIN 2
#define LOADED 3

proctype thread(byte me)
{
	byte c, cur;		/* rdx, rcx */
	byte it;		/* the item */
	byte b, d;		/* buckets in our hands */
	byte flags, next;
	bool want_room;		/* CACHE_FULL is what we have to get rid of */
	bool loading;		/* the swap is cache_load's */
#ifdef M_BASE_OUTSIDE
	bool early;
#endif

idle:
	atomic {
		item_find(it, me);
		if
		:: it != 0 -> want_room = true
#ifdef ONE
		:: it == 0
#else
		:: it = 0
#endif
		fi;
		under_way++;
		if
		:: want_room -> goto push
		:: else
		fi
	}

	/* ---- UMA_SEQ_POP ---- */
pop:
	LOOK();
pop_begin:
	atomic {
		if
		:: flags = OLD_MINUS; goto stub
		:: flags = OLD_PLUS; goto stub
		:: seq_enter();
			if
			:: BASE -> flags = PLUS
			:: else -> seq_leave(); goto miss
			fi
		fi
	}
	if
	:: atomic { MINE ->
		cur = cursor[c];
		if
		:: AT_BOTTOM(cur) -> flags = 0; seq_leave(); goto miss
		:: else
		fi;
		it = SLOT(BKT(cur), LVL(cur));
		ahead++;
		assert(ahead <= NT);
		flags = COUNTED }
	:: atomic { goto stub }
	fi;
	if
	:: atomic { MINE ->
		item_move(it, IN, me);
		SLOT(BKT(cur), LVL(cur)) = STALE;
		seq_commit(cur - 1);
		ahead--;
		flags = 0;
		seq_leave();
		finish();
		goto idle }
	:: atomic { goto stub }
	fi;
stub:
	atomic {
		if
#ifdef M_STUB_FLAGS
		:: flags == OLD_MINUS -> ahead--
#endif
#ifndef M_STUB
		:: flags == COUNTED -> ahead--
#endif
		:: else
		fi;
		assert(ahead >= 0);
		flags = 0;
		it = 0;
		seq_leave();
		goto pop_begin
	}

	/* ---- UMA_SEQ_PUSH ---- */
push:
	LOOK();
push_begin:
	atomic {
		seq_enter();
		if
		:: BASE
		:: else -> seq_leave(); goto miss
		fi
	}
	if
	:: atomic { MINE ->
		cur = cursor[c];
		if
		:: AT_TOP(cur) -> seq_leave(); goto miss
		:: else
		fi;
		SLOT(BKT(cur), LVL(cur) + 1) = it }
	:: atomic { seq_leave(); goto push_begin }
	fi;
	if
	:: atomic { MINE ->
		item_move(it, me, IN);
		seq_commit(cur + 1);
		seq_leave();
		finish();
		goto idle }
	:: atomic { push_forget(); seq_leave(); goto push_begin }
	fi;

	/* ---- what the zone does on a miss ---- */
miss:
	atomic {
		if
		:: c_on
		:: else -> goto past
		fi;
		/* seq_turn */
		if
		:: c = 0
		:: c = 1
		fi;
		flush_own(0);
		flush_own(1);
		b = spare[c];
		spare[c] = 0;
		c = 0;
		if
		:: b == 0 -> goto fetch
		:: else -> bucket_leaves(b)
		fi;
		if
		:: (!want_room && cnt[b] > 0) || (want_room && cnt[b] < CAP) ->
			next = AGAIN;
			goto swap
		:: else ->
			next = FETCH;
			goto put
		fi
	}

	/* zone_fetch_bucket, zone_bucket_alloc */
fetch:
	atomic {
		bucket_get(b);
		if
		:: b == 0 -> goto past
		:: else
		fi;
		if
		:: want_room
		:: !want_room ->
			item_find(d, KEG);
			if
			:: d == 0 -> bucket_release(b); goto past
			:: else -> item_move(d, KEG, me)	/* bucket_pop */
			fi;
			do
			:: cnt[b] < CAP ->
				item_find(d, KEG);
				if
				:: d == 0 -> break
				:: else ->
					item_move(d, KEG, IN);
					cnt[b]++;
					SLOT(b, cnt[b]) = d
				fi
			:: break
			od
		fi;
		d = 0;
		loading = true;
		next = LOADED
	}

	/* ---- SEQ_SWAP ---- */
swap:
	atomic {
		seq_enter();
		if
		:: base
		:: else -> goto swap_miss
		fi
	}
	if
	:: atomic { MINE ->
		cur = cursor[c];
		if
		:: (want_room -> AT_TOP(cur) : AT_BOTTOM(cur))
		:: else -> goto swap_miss
		fi }
	:: atomic { seq_leave(); goto swap }
	fi;
	if
	:: atomic { MINE ->
		bucket_enters(b);
		seq_commit(CUR(b, cnt[b]));
		cnt[b] = 0;
		/* cache_cursor_bucket */
		b = (cur == 0 -> 0 : BKT(cur));
		if
		:: b == 0 -> seq_leave(); goto exchanged
		:: else ->
			cnt[b] = LVL(cur);
			bucket_leaves(b);
			seq_leave();
			goto put
		fi }
	:: atomic { seq_leave(); goto swap }
	fi;
swap_miss:
	atomic {
		seq_leave();
		if
		:: loading -> bucket_release(b); goto exchanged
		:: else
		fi
	}

	/* ---- seq_put_spare ---- */
put:
	atomic {
		if
		:: c = 0
		:: c = 1
		fi;
		flush_own(0);
		flush_own(1);
		d = spare[c];
		if
		:: d != 0 -> bucket_leaves(d)
		:: else
		fi;
		bucket_enters(b);
		spare[c] = b;
		b = 0
	}
	atomic {
		if
#ifdef M_SPARE
		:: true
#else
		:: base
#endif
			-> bucket_release(d); c = 0; goto exchanged
		:: else
		fi
	}
	atomic {
		b = spare[c];
		spare[c] = 0;
		if
		:: b != 0 -> bucket_leaves(b)
		:: else
		fi;
		/* zone_dispose */
		bucket_release(d);
		bucket_release(b);
		c = 0
	}
exchanged:
	atomic {
		loading = false;
		if
		:: next == FETCH -> next = 0; goto fetch
		:: next == LOADED && !want_room -> finish(); goto idle
		:: next == LOADED && want_room ->
			next = 0;
			if
			:: goto push
			:: goto past
			fi
		:: next == AGAIN ->
			next = 0;
			if
			:: want_room -> goto push
			:: else -> goto pop
			fi
		fi
	}

	/* One item past the cache: zone_alloc_item, zone_release. */
past:
	atomic {
		if
		:: want_room -> item_move(it, me, KEG)
		:: else ->
			item_find(it, KEG);
			if
			:: it != 0 -> item_move(it, KEG, me)
			:: else		/* NULL */
			fi
		fi;
		finish();
		goto idle
	}
}

#include "cache_drain.pml"

init
{
	d_step {
		i = 0;
		do
		:: i <= NB -> bat[i] = FREE; i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < NB * CAP -> slot[i] = STALE; i++
		:: else -> break
		od;
		i = 0;
		base = true;
		c_on = true
	}
	atomic {
		run thread(1);
#if NT > 1
		run thread(2);
#endif
#if NT > 2
		run thread(3);
#endif
#ifdef TSO
		run buffers();
#endif
		run drainer()
	}
}
