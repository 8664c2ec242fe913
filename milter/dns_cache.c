/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/dns_cache.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BYTES_PER_ENTRY = 512 };

struct entry {
	struct entry *next; /* in its bucket */
	struct entry *newer;
	struct entry *older;
	enum dns_type type;
	deadline_ms expires_at;
	size_t size;
	size_t name_len;
	struct dns_answer *answer; /* behind the entry, the name behind it */
	const char *name;
};

struct dns_cache {
	uint64_t seed; /* clients choose the names, but not their buckets */
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	struct entry *newest;
	struct entry *oldest;
	size_t entries;
	size_t entries_max;
	size_t bytes;
};

size_t
dns_cache_hash(const struct dns_cache *cache, enum dns_type type, slice name)
{
	uint64_t hash = cache->seed ^ (uint64_t)type;

	for (size_t i = 0; i < name.len; i++) {
		hash ^= (unsigned char)name.ptr[i];
		hash *= 0x100000001b3U;
		hash ^= hash >> 29;
	}
	return (size_t)(hash ^ hash >> 32);
}

struct dns_cache *
dns_cache_new(size_t entries)
{
	struct dns_cache *cache = xmalloc(sizeof(*cache));
	size_t buckets = 16;

	while (buckets < entries)
		buckets *= 2;
	*cache = (struct dns_cache){
	    .buckets = xmalloc(buckets * sizeof(*cache->buckets)),
	    .bucket_count = buckets,
	    .entries_max = entries,
	};
	for (size_t i = 0; i < buckets; i++)
		cache->buckets[i] = NULL;
	if (getrandom(&cache->seed, sizeof(cache->seed), GRND_NONBLOCK) < 0)
		cache->seed =
		    (uint64_t)deadline_now() << 20 ^ (uint64_t)(uintptr_t)cache;
	return cache;
}

static struct entry **
find_slot(struct dns_cache *cache, enum dns_type type, slice name)
{
	size_t bucket =
	    dns_cache_hash(cache, type, name) & (cache->bucket_count - 1);
	struct entry **slot = &cache->buckets[bucket];

	while (*slot != NULL &&
	       !((*slot)->type == type &&
		   slice_eq((slice){(*slot)->name, (*slot)->name_len}, name)))
		slot = &(*slot)->next;
	return slot;
}

static void
leave_order(struct dns_cache *cache, struct entry *entry)
{
	if (entry->newer != NULL)
		entry->newer->older = entry->older;
	else
		cache->newest = entry->older;
	if (entry->older != NULL)
		entry->older->newer = entry->newer;
	else
		cache->oldest = entry->newer;
}

static void
become_newest(struct dns_cache *cache, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = cache->newest;
	if (cache->newest != NULL)
		cache->newest->newer = entry;
	else
		cache->oldest = entry;
	cache->newest = entry;
}

static void
remove_at(struct dns_cache *cache, struct entry **slot)
{
	struct entry *entry = *slot;

	*slot = entry->next;
	leave_order(cache, entry);
	cache->entries--;
	cache->bytes -= entry->size;
	free(entry);
}

static void
remove_oldest(struct dns_cache *cache)
{
	struct entry *entry = cache->oldest;

	remove_at(cache, find_slot(cache, entry->type,
			     (slice){entry->name, entry->name_len}));
}

void
dns_cache_free(struct dns_cache *cache)
{
	if (cache == NULL)
		return;
	while (cache->oldest != NULL)
		remove_oldest(cache);
	free(cache->buckets);
	free(cache);
}

const struct dns_answer *
dns_cache_find(
    struct dns_cache *cache, enum dns_type type, slice name, deadline_ms now)
{
	struct entry **slot = find_slot(cache, type, name);
	struct entry *entry = *slot;

	if (entry == NULL)
		return NULL;
	if (entry->expires_at <= now) {
		remove_at(cache, slot);
		return NULL;
	}
	leave_order(cache, entry);
	become_newest(cache, entry);
	return entry->answer;
}

static struct entry *
entry_new(enum dns_type type, slice name, const struct dns_answer *answer)
{
	size_t answer_size = dns_answer_size(answer);
	size_t size = sizeof(struct entry) + answer_size + name.len;
	struct entry *entry = xmalloc(size);
	char *text = (char *)(entry + 1) + answer_size;

	*entry = (struct entry){
	    .type = type, .size = size, .name_len = name.len, .name = text};
	entry->answer = dns_answer_copy(entry + 1, answer);
	memcpy(text, name.ptr, name.len);
	return entry;
}

void
dns_cache_add(struct dns_cache *cache, enum dns_type type, slice name,
    const struct dns_answer *answer, deadline_ms now)
{
	struct entry *entry = entry_new(type, name, answer);
	struct entry **slot = find_slot(cache, type, name);

	if (*slot != NULL)
		remove_at(cache, slot);
	while (cache->oldest != NULL &&
	       (cache->entries >= cache->entries_max ||
		   cache->bytes + entry->size >
		       cache->entries_max * BYTES_PER_ENTRY))
		remove_oldest(cache);
	slot = find_slot(cache, type, name);
	entry->expires_at = now + (deadline_ms)answer->ttl_s * 1000;
	entry->next = *slot;
	*slot = entry;
	become_newest(cache, entry);
	cache->entries++;
	cache->bytes += entry->size;
}

size_t
dns_cache_entries(const struct dns_cache *cache)
{
	return cache->entries;
}

size_t
dns_cache_bytes(const struct dns_cache *cache)
{
	return cache->bytes;
}
