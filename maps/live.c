/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_BUCKETS = 64, SWEEP_STEP = 8 };

struct entry {
	struct entry *next;
	long long ends_ms;
	uint64_t hash;
	size_t key_len;
	size_t value_len;
	char bytes[]; /* key, value */
};

struct live {
	atomic_size_t count; /* with what has ended and is not swept yet */
	size_t entries_max;
	pthread_rwlock_t lock;
	/* Under the lock. */
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t next_swept;
};

static uint64_t
hash_of(slice key)
{
	uint64_t hash = 14695981039346656037ULL;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)ascii_lower(key.ptr[i])) *
		       1099511628211ULL;
	return hash ^ hash >> 32;
}

static slice
key_of(const struct entry *entry)
{
	return (slice){entry->bytes, entry->key_len};
}

static slice
value_of(const struct entry *entry)
{
	return (slice){entry->bytes + entry->key_len, entry->value_len};
}

static unsigned long
seconds_left(const struct entry *entry, long long now_ms)
{
	return entry->ends_ms <= now_ms
		   ? 0
		   : (unsigned long)((entry->ends_ms - now_ms + 999) / 1000);
}

static void
make_buckets(struct live *live, size_t count)
{
	live->bucket_count = count;
	live->buckets = xmalloc(count * sizeof(struct entry *));
	memset(live->buckets, 0, count * sizeof(struct entry *));
}

struct live *
live_new(size_t entries_max)
{
	struct live *live = xmalloc(sizeof(*live));
	pthread_rwlockattr_t attributes;

	memset(live, 0, sizeof(*live));
	live->entries_max = entries_max;
	(void)pthread_rwlockattr_init(&attributes);
	/* Lookups do not end; changes must have their turn. */
	(void)pthread_rwlockattr_setkind_np(
	    &attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void)pthread_rwlock_init(&live->lock, &attributes);
	(void)pthread_rwlockattr_destroy(&attributes);
	make_buckets(live, LEAST_BUCKETS);
	return live;
}

struct live *
live_like(const struct live *live)
{
	return live_new(live->entries_max);
}

void
live_free(struct live *live)
{
	if (live == NULL)
		return;
	for (size_t i = 0; i < live->bucket_count; i++) {
		while (live->buckets[i] != NULL) {
			struct entry *entry = live->buckets[i];

			live->buckets[i] = entry->next;
			free(entry);
		}
	}
	free(live->buckets);
	(void)pthread_rwlock_destroy(&live->lock);
	free(live);
}

bool
live_is_empty(const struct live *live)
{
	return live == NULL ||
	    atomic_load_explicit(&live->count, memory_order_acquire) == 0;
}

/* The place that points to the entry, or to NULL at the end of its chain. */
static struct entry **
place_of(const struct live *live, slice key, uint64_t hash)
{
	struct entry **at = &live->buckets[hash & (live->bucket_count - 1)];

	while (*at != NULL &&
	       ((*at)->hash != hash || !slice_eq_nocase(key_of(*at), key)))
		at = &(*at)->next;
	return at;
}

bool
live_find(struct live *live, slice key, long long now_ms, struct arena *arena,
    struct live_entry *ret_entry)
{
	const struct entry *entry;
	bool is_found;

	if (live_is_empty(live))
		return false;
	(void)pthread_rwlock_rdlock(&live->lock);
	entry = *place_of(live, key, hash_of(key));
	is_found = entry != NULL && seconds_left(entry, now_ms) > 0;
	if (is_found) {
		ret_entry->value = arena_copy(arena, value_of(entry));
		ret_entry->seconds_left = seconds_left(entry, now_ms);
	}
	(void)pthread_rwlock_unlock(&live->lock);
	return is_found;
}

/*
 * Under the lock, for writing.
 */

static void
take_out(struct live *live, struct entry **at)
{
	struct entry *entry = *at;

	*at = entry->next;
	free(entry);
	atomic_fetch_sub(&live->count, 1);
}

static void
sweep(struct live *live, size_t buckets, long long now_ms)
{
	for (size_t i = 0; i < buckets; i++) {
		size_t which = live->next_swept++ & (live->bucket_count - 1);
		struct entry **at = &live->buckets[which];

		while (*at != NULL) {
			if (seconds_left(*at, now_ms) == 0)
				take_out(live, at);
			else
				at = &(*at)->next;
		}
	}
}

static void
grow(struct live *live)
{
	struct entry **before = live->buckets;
	size_t count = live->bucket_count;

	make_buckets(live, count * 2);
	for (size_t i = 0; i < count; i++) {
		while (before[i] != NULL) {
			struct entry *entry = before[i];
			struct entry **at =
			    &live->buckets[entry->hash &
					   (live->bucket_count - 1)];

			before[i] = entry->next;
			entry->next = *at;
			*at = entry;
		}
	}
	free(before);
}

static bool
put_locked(struct live *live, struct entry *entry, long long now_ms)
{
	struct entry **at = place_of(live, key_of(entry), entry->hash);

	if (*at != NULL) {
		take_out(live, at);
	} else {
		if (atomic_load(&live->count) >= live->entries_max)
			sweep(live, live->bucket_count, now_ms);
		if (atomic_load(&live->count) >= live->entries_max)
			return false;
		if (atomic_load(&live->count) >= live->bucket_count)
			grow(live);
	}
	at = &live->buckets[entry->hash & (live->bucket_count - 1)];
	entry->next = *at;
	*at = entry;
	atomic_fetch_add(&live->count, 1);
	sweep(live, SWEEP_STEP, now_ms);
	return true;
}

static struct entry *
new_entry(slice key, slice value, long long ends_ms)
{
	struct entry *entry = xmalloc(sizeof(*entry) + key.len + value.len);

	*entry = (struct entry){.ends_ms = ends_ms,
	    .hash = hash_of(key),
	    .key_len = key.len,
	    .value_len = value.len};
	slice_lower_into(entry->bytes, key);
	if (value.len > 0)
		memcpy(entry->bytes + key.len, value.ptr, value.len);
	return entry;
}

bool
live_put(struct live *live, slice key, slice value, unsigned long seconds,
    long long now_ms)
{
	struct entry *entry =
	    new_entry(key, value, now_ms + (long long)seconds * 1000);
	bool is_done;

	(void)pthread_rwlock_wrlock(&live->lock);
	is_done = put_locked(live, entry, now_ms);
	(void)pthread_rwlock_unlock(&live->lock);
	if (!is_done)
		free(entry);
	return is_done;
}

bool
live_delete(struct live *live, slice key, long long now_ms)
{
	struct entry **at;
	bool was_there = false;

	(void)pthread_rwlock_wrlock(&live->lock);
	at = place_of(live, key, hash_of(key));
	if (*at != NULL) {
		was_there = seconds_left(*at, now_ms) > 0;
		take_out(live, at);
	}
	(void)pthread_rwlock_unlock(&live->lock);
	return was_there;
}

size_t
live_count(struct live *live, long long now_ms)
{
	size_t count;

	if (live_is_empty(live))
		return 0;
	(void)pthread_rwlock_wrlock(&live->lock);
	sweep(live, live->bucket_count, now_ms);
	count = atomic_load(&live->count);
	(void)pthread_rwlock_unlock(&live->lock);
	return count;
}

static void
walk_locked(struct live *live, long long now_ms,
    bool (*each)(void *context, const struct live_entry *entry), void *context)
{
	for (size_t i = 0; i < live->bucket_count; i++) {
		for (const struct entry *at = live->buckets[i]; at != NULL;
		     at = at->next) {
			struct live_entry entry = {.key = key_of(at),
			    .value = value_of(at),
			    .seconds_left = seconds_left(at, now_ms)};

			if (entry.seconds_left > 0 && !each(context, &entry))
				return;
		}
	}
}

void
live_walk(struct live *live, long long now_ms,
    bool (*each)(void *context, const struct live_entry *entry), void *context)
{
	(void)pthread_rwlock_rdlock(&live->lock);
	walk_locked(live, now_ms, each, context);
	(void)pthread_rwlock_unlock(&live->lock);
}

void
live_replace_all(struct live *live, struct live *fresh)
{
	struct entry **before;
	size_t count;

	(void)pthread_rwlock_wrlock(&live->lock);
	before = live->buckets;
	count = live->bucket_count;
	live->buckets = fresh->buckets;
	live->bucket_count = fresh->bucket_count;
	atomic_store(&live->count, atomic_load(&fresh->count));
	(void)pthread_rwlock_unlock(&live->lock);
	fresh->buckets = before;
	fresh->bucket_count = count;
	live_free(fresh);
}
