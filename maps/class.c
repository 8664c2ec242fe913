/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/class.h"

#include "maps/table.h"

#include <stdlib.h>

/* A set with open addressing; a slot whose word has no pointer is free. At
 * most half of the slots are taken. */
struct class
{
	struct arena *arena;
	slice name;
	struct class_word *slots;
	size_t slot_count; /* a power of two */
	size_t count;
	size_t own_count;
	size_t longest; /* bytes of a word */
	uint64_t digest;
	size_t *kept_count;
	size_t *kept_bytes;
	uint64_t *kept_digest;
};

#define FIRST_SLOTS 16

struct class *
class_new(slice name)
{
	struct arena *arena = arena_new(0);
	struct class *set = ARENA_NEW(arena, struct class);

	set->arena = arena;
	set->name = arena_copy(arena, name);
	set->slot_count = FIRST_SLOTS;
	set->slots = xmalloc(FIRST_SLOTS * sizeof(*set->slots));
	for (size_t i = 0; i < FIRST_SLOTS; i++)
		set->slots[i] = (struct class_word){0};
	return set;
}

void
class_free(struct class *set)
{
	if (set == NULL)
		return;
	free(set->slots);
	arena_free(set->arena);
}

static uint64_t
hash_folded(slice word)
{
	uint64_t hash = 0xcbf29ce484222325U;

	for (size_t i = 0; i < word.len; i++)
		hash = (hash ^ (unsigned char)ascii_lower(word.ptr[i])) *
		       0x100000001b3U;
	return hash ^ (hash >> 32);
}

/* The slot of the word, or the free one where it would go. */
static struct class_word *
find_slot(const struct class *set, slice word)
{
	size_t mask = set->slot_count - 1;
	size_t at = (size_t)hash_folded(word) & mask;

	while (set->slots[at].word.ptr != NULL &&
	       !slice_eq_nocase(set->slots[at].word, word))
		at = (at + 1) & mask;
	return &set->slots[at];
}

static void
double_slots(struct class *set)
{
	struct class_word *old = set->slots;
	size_t old_count = set->slot_count;

	set->slot_count *= 2;
	set->slots = xmalloc(set->slot_count * sizeof(*set->slots));
	for (size_t i = 0; i < set->slot_count; i++)
		set->slots[i] = (struct class_word){0};
	for (size_t i = 0; i < old_count; i++) {
		if (old[i].word.ptr != NULL)
			*find_slot(set, old[i].word) = old[i];
	}
	free(old);
}

static void
update_totals(const struct class *set)
{
	if (set->kept_count == NULL)
		return;
	*set->kept_count = set->count;
	*set->kept_bytes =
	    arena_size(set->arena) + set->slot_count * sizeof(*set->slots);
	*set->kept_digest = set->digest;
}

void
class_keep_totals(
    struct class *set, size_t *count, size_t *bytes, uint64_t *digest)
{
	set->kept_count = count;
	set->kept_bytes = bytes;
	set->kept_digest = digest;
	update_totals(set);
}

static void
add(struct class *set, slice word, struct class_word entry)
{
	struct class_word *slot = find_slot(set, word);

	if (slot->word.ptr != NULL)
		return;
	entry.word = arena_copy_lower(set->arena, word);
	*slot = entry;
	set->own_count += entry.is_own;
	if (word.len > set->longest)
		set->longest = word.len;
	set->digest += shard_entry_digest(slot->word, SLICE(""));
	if (++set->count * 2 > set->slot_count)
		double_slots(set);
	update_totals(set);
}

void
class_add(struct class *set, slice word, const char *file, unsigned line)
{
	add(set, word, (struct class_word){.file = file, .line = line});
}

void
class_add_own(struct class *set, slice word)
{
	add(set, word, (struct class_word){.is_own = true});
}

slice
class_name(const struct class *set)
{
	return set->name;
}

size_t
class_count(const struct class *set)
{
	return set == NULL ? 0 : set->count;
}

size_t
class_own_count(const struct class *set)
{
	return set == NULL ? 0 : set->own_count;
}

const struct class_word *
class_find(const struct class *set, slice word)
{
	const struct class_word *slot;

	/* A client's word may be long, and every end of it may be asked for. */
	if (set == NULL || word.len > set->longest)
		return NULL;
	slot = find_slot(set, word);
	return slot->word.ptr == NULL ? NULL : slot;
}

bool
class_has(const struct class *set, slice word)
{
	return class_find(set, word) != NULL;
}

void
class_walk(const struct class *set, bool (*each)(void *context, slice word),
    void *context)
{
	for (size_t i = 0; set != NULL && i < set->slot_count; i++) {
		if (set->slots[i].word.ptr != NULL &&
		    !each(context, set->slots[i].word))
			return;
	}
}

void
class_walk_words(const struct class *set,
    bool (*each)(void *context, const struct class_word *word), void *context)
{
	for (size_t i = 0; set != NULL && i < set->slot_count; i++) {
		if (set->slots[i].word.ptr != NULL &&
		    !each(context, &set->slots[i]))
			return;
	}
}
