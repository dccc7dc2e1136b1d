/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_drain.pml - the drainer of cache.pml, which includes this: drain_seq,
 * cache_disable and cache_enable (percpu/cache.c).
 */

/* Nothing that follows overtakes a store to the bases. */
inline flush_base()
{
#ifdef TSO
	base = (is_late -> late_base : base);
	is_late = false;
	late_base = false
#else
	skip
#endif
}

inline set_base(to)
{
#ifdef TSO
	late_base = to;
	is_late = true
#else
	base = to
#endif
}

inline barrier()
{
	d_step {
#ifndef M_LATE_BASE
		flush_base();
#endif
#ifndef M_NOBARRIER
		in_seq[0] = 0;
		in_seq[1] = 0;
#ifndef M_LATE_CURSOR
		flush_cursor(0);
		flush_cursor(1);
#endif
#endif
		skip
	}
}

/* Mark what is in the headers, and seen there. */
inline drain_begins()
{
	d_step {
		i = 0;
		do
		:: i < NCPU ->
			j = 1;
			do
			:: SEEN(i) != 0 && j <= LVL(SEEN(i)) ->
				mark[SLOT(BKT(SEEN(i)), j)] =
				    bat[BKT(SEEN(i))] == HEADER &&
				    at[SLOT(BKT(SEEN(i)), j)] == IN;
				j++
			:: else -> break
			od;
			j = 1;
			do
			:: spare[i] != 0 && j <= cnt[spare[i]] ->
				mark[SLOT(spare[i], j)] = true;
				j++
			:: else -> break
			od;
			i++
		:: else -> break
		od;
		i = 0;
		j = 0;
		mark[STALE] = false
	}
}

inline drain_ends()
{
	d_step {
		i = 1;
		do
		:: i <= NI -> assert(!mark[i]); i++
		:: else -> break
		od;
		i = 0
	}
}

/*
 * header_strip.  The cursor is the drainer's by now, so that its exchange may
 * go with that of the spare; in a mutant, where it is not, that hides nothing.
 */
inline strip(k)
{
	cur = SEEN(k);
#ifdef TSO
	late_cursor[k] = 0;
	cursor[k] = (late[k] != 0 -> cursor[k] : 0);
#else
	cursor[k] = 0;
#endif
	if
	:: cur != 0 ->
		b = BKT(cur);
		cnt[b] = LVL(cur);
		bucket_leaves(b)
	:: else
	fi;
	/* zone_drain releases all of them at the end. */
	bucket_release(b);
	cur = 0;
#ifndef M_NOSPARE
	b = spare[k];
	spare[k] = 0;
	if
	:: b != 0 -> bucket_leaves(b)
	:: else
	fi;
	bucket_release(b)
#endif
}

/* Nothing is cached, and what is counted is true. */
inline check_dry()
{
	d_step {
		assert(ahead == 0);
		i = 1;
		do
		:: i <= NI -> assert(at[i] != IN); i++
		:: else -> break
		od;
		i = 0
	}
}

proctype drainer()
{
	byte b, cur;

again:
	if
	:: atomic { under_way == 0 -> assert(ahead == 0); goto again }
	:: atomic { dry && under_way == 0 -> check_dry(); goto again }
	:: !c_on -> goto enable
	:: c_on -> goto disable
	:: drain_begins()
	fi;

	/* cache_looks_empty */
	atomic {
		if
		:: !AT_BOTTOM(SEEN(0)) || spare[0] != 0 -> goto drain
		:: else
		fi
	}
	atomic {
		if
		:: !AT_BOTTOM(SEEN(1)) || spare[1] != 0 -> goto drain
		:: else -> goto drained
		fi
	}
drain:
	atomic {
		flush_base();	/* c_lock is taken */
		if
		:: c_on -> set_base(false)
		:: else -> goto settled
		fi
	}
	atomic {
		barrier();
#ifdef M_BASE_EARLY
		set_base(true)
#endif
	}
settled:
	atomic { strip(0) }
	atomic { strip(1) }
	atomic {
		if
		:: c_on -> set_base(true)
		:: else
		fi
	}
drained:
	atomic {
		drain_ends();
		dry = !c_on;
		goto again
	}

disable:
	atomic { flush_base(); c_on = false; set_base(false) }
	atomic { barrier(); goto again }
enable:
	atomic {
		flush_base();
		dry = false;
		c_on = true;
		set_base(true);
		goto again
	}
}

#ifdef TSO
/* What was late arrives. */
proctype buffers()
{
	do
	:: atomic { is_late -> flush_base() }
	:: atomic { late[0] != 0 -> flush_cursor(0) }
	:: atomic { late[1] != 0 -> flush_cursor(1) }
	od
}
#endif
