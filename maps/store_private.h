/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a store is made of; for those who write one. The functions are those of
 * maps/store.h, whose arguments store.c has checked: sizes are within bounds,
 * times are not 0, what may be NULL there is not NULL here.
 */
#ifndef MAPS_STORE_PRIVATE_H
#define MAPS_STORE_PRIVATE_H

#include "maps/store.h"

#include <stdatomic.h>

struct store_kind {
	const char *name;
	void (*close)(struct store *store);
	enum store_result (*claim)(struct store *store, slice key, slice value,
	    unsigned long seconds, struct arena *arena,
	    struct store_entry *ret_taken);
	enum store_result (*get)(struct store *store, slice key,
	    struct arena *arena, struct store_entry *ret_entry);
	enum store_result (*put)(
	    struct store *store, slice key, slice value, unsigned long seconds);
	enum store_result (*delete)(struct store *store, slice key);
	enum store_result (*list)(struct store *store, slice prefix,
	    bool (*each)(void *context, const struct store_entry *entry),
	    void *context);
	enum store_result (*count)(struct store *store, slice key,
	    unsigned long seconds, unsigned long *ret_count);
	enum store_result (*add)(struct store *store, slice key,
	    long long amount, unsigned long seconds, long long *ret_total);
	bool (*key_count)(struct store *store, size_t *ret_keys); /* or NULL */
};

#define STORE_TROUBLE_MAX 128

/* The first member of an implementation's own struct. */
struct store {
	const struct store_kind *kind;
	struct store_clock clock;
	atomic_flag is_writing_trouble;
	char trouble[STORE_TROUBLE_MAX];
};

/* `clock` is for store_now_ms(); an empty one where that is not asked. */
void store_init(struct store *store, const struct store_kind *kind,
    const struct store_clock *clock);
long long store_now_ms(const struct store *store);
/* Notes why; always STORE_UNAVAILABLE. */
__attribute__((format(printf, 2, 3))) enum store_result store_unavailable(
    struct store *store, const char *format, ...);

#endif
