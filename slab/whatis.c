/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * whatis.c - what an address is to a keg, for those who only want to know.
 *
 * keg_locate (keg.c) may abort, and may therefore trust that an address is an
 * item's.  Here nothing is known of the address: its slab may be another keg's
 * and on its way back to the system while we look.  So the header is looked at
 * first and believed later, when the page map says the same as before.  That is
 * a race, and an accepted one: what a slab and its header lie in stays mapped
 * for ever, so the look cannot fault, and what it saw of a slab that went is
 * thrown away.
 */
#include "keg.h"

#define PEEK __attribute__((noinline, no_sanitize("thread")))

/* Fields of a header that may be no header any more. */
struct peek {
	const struct keg *pk_keg;
	char *pk_run;
	char *pk_base;
	uint8_t pk_domain;
};

static PEEK struct peek
slab_peek(const volatile struct slab *s)
{
	return (struct peek){s->us_keg, s->us_run, s->us_base, s->us_domain};
}

/* The bits of item i, free and ready, in a header for so many items. */
static PEEK void
slab_peek_bits(
    const struct slab *s, size_t items, size_t i, struct keg_item *it)
{
	const volatile uint64_t *bits = s->us_bits;

	it->ki_free = bits[i / 64] >> (i % 64) & 1;
	it->ki_ready = bits[slab_words(items) + i / 64] >> (i % 64) & 1;
}

const struct keg *
keg_hint(const void *addr)
{
	uintptr_t word = pagemap_get(addr);

	if (pagemap_tag(word) == PM_KEG)
		return pagemap_ptr(word);
	if (pagemap_tag(word) == PM_SLAB)
		return slab_peek(pagemap_ptr(word)).pk_keg;
	return NULL;
}

/* The item at an address of the slab, or none.  Locked. */
static void
slab_find_item(struct keg *keg, const struct slab *s, const struct peek *pk,
    const char *addr, struct keg_item *it)
{
	const struct layout *l = &keg->uk_layout;
	size_t off = (size_t)(addr - pk->pk_run);
	size_t colour = (size_t)(pk->pk_base - pk->pk_run);

	/* Every copy of an item is the item. */
	if (keg->uk_config.kc_flags & UMA_ZONE_PCPU)
		off %= UMA_PCPU_STRIDE;
	if (off < colour)
		return;
	size_t i = keg_index(keg, off - colour);
	if (i >= l->l_items)
		return;
	it->ki_item = pk->pk_base + i * l->l_stride;
	it->ki_index = i;
	slab_peek_bits(s, l->l_items, i, it);
}

bool
keg_whatis(struct keg *keg, const void *addr, struct keg_item *it)
{
	const struct slab *s = NULL;
	bool found = false;

	*it = (struct keg_item){0};
	uma_lock_acquire(&keg->uk_lock);
	uintptr_t word = pagemap_get(addr);
	if (pagemap_tag(word) == PM_SLAB)
		s = pagemap_ptr(word);
	else if (word == ((uintptr_t)keg | PM_KEG))
		s = hash_find(&keg->uk_hash, addr);
	if (s != NULL) {
		struct peek pk = slab_peek(s);

		if (pk.pk_keg == keg &&
		    (uintptr_t)addr - (uintptr_t)pk.pk_run <
			keg->uk_layout.l_pages * UMA_PAGE_SIZE) {
			it->ki_slab = pk.pk_run;
			it->ki_domain = pk.pk_domain;
			slab_find_item(keg, s, &pk, addr, it);
			found = pagemap_get(addr) == word;
		}
	}
	uma_lock_release(&keg->uk_lock);
	return found;
}
