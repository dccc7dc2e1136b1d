/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * valid.c - every invariant of a keg at rest; keg.c's essay names them.
 */
#include "keg.h"

/* Slabs of one list of a domain, added to *slabs, their items to *free. */
static bool
keg_list_is_valid(
    struct keg *keg, int d, unsigned list, size_t *slabs, size_t *free)
{
	struct slab *s;

	cds_list_for_each_entry (s, &keg->uk_domain[d].kd_list[list], us_link) {
		if (s->us_keg != keg || s->us_domain != d ||
		    s->us_list != list || keg_list_for(keg, s) != list ||
		    !slab_is_valid(s))
			return false;
		++*slabs;
		*free += s->us_free;
	}
	return true;
}

static bool
keg_domain_is_valid(struct keg *keg, int d)
{
	const struct keg_domain *kd = &keg->uk_domain[d];
	size_t slabs = 0, free = 0, empty = 0;

	for (unsigned list = 0; list < LIST_CNT; list++) {
		size_t before = slabs;

		if (!keg_list_is_valid(keg, d, list, &slabs, &free))
			return false;
		if (list == LIST_EMPTY)
			empty = slabs - before;
	}
	/* A slab that keg_prealloc has in hand is on no list. */
	return slabs <= kd->kd_slabs && free <= kd->kd_free &&
	       empty == kd->kd_empty && kd->kd_empty_least <= kd->kd_empty;
}

bool
keg_is_valid_locked(struct keg *keg)
{
	uma_lock_assert_held(&keg->uk_lock);
	for (int d = 0; d < pages_domain_cnt(); d++)
		if (!keg_domain_is_valid(keg, d))
			return false;
	return true;
}

bool
keg_is_valid(struct keg *keg)
{
	uma_lock_acquire(&keg->uk_lock);
	bool valid = keg_is_valid_locked(keg);
	uma_lock_release(&keg->uk_lock);
	return valid;
}
