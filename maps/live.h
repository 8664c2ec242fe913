/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A live table: keys with values that come and go while the process runs and
 * end by themselves, beside the maps of a snapshot, which stay as they are.
 *
 * Any number of threads may look things up: one atomic load while it is empty,
 * else a lock that nobody holds for longer than it takes to change one entry,
 * or, of live_walk() and a sweep, to go through the table. Changes may come
 * from any thread, too. Never more entries than live_new() was told.
 *
 * Times are the caller's monotonic clock in milliseconds. Keys are compared
 * without regard to ASCII case.
 */
#ifndef MAPS_LIVE_H
#define MAPS_LIVE_H

#include "base/arena.h"

struct live;

struct live_entry {
	slice key; /* folded */
	slice value;
	unsigned long seconds_left; /* at least 1 */
};

struct live *live_new(size_t entries_max);
/* An empty one with the same bound. */
struct live *live_like(const struct live *live);
void live_free(struct live *live);

/* May be wrong only about what changes just now. */
bool live_is_empty(const struct live *live);
/* The value is copied into the arena; the key is not set. */
bool live_find(struct live *live, slice key, long long now_ms,
    struct arena *arena, struct live_entry *ret_entry);
/* Replaces what is there. False: the table is full, and nothing has changed. */
bool live_put(struct live *live, slice key, slice value, unsigned long seconds,
    long long now_ms);
/* False: there was none. */
bool live_delete(struct live *live, slice key, long long now_ms);
/* What has not ended. */
size_t live_count(struct live *live, long long now_ms);
/* Every entry, in no order, until `each` says false; it must not use the
 * table, and an entry is good until it returns. */
void live_walk(struct live *live, long long now_ms,
    bool (*each)(void *context, const struct live_entry *entry), void *context);

/* Takes all of `fresh` into `live`, in one step, and frees `fresh`, which is
 * another table made by live_new(). What was in `live` is gone. */
void live_replace_all(struct live *live, struct live *fresh);

#endif
