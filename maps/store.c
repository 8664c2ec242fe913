/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/store_private.h"

#include <stdio.h>
#include <string.h>

void
store_init(struct store *store, const struct store_kind *kind,
    const struct store_clock *clock)
{
	*store = (struct store){.kind = kind,
	    .clock = *clock,
	    .is_writing_trouble = ATOMIC_FLAG_INIT};
}

long long
store_now_ms(const struct store *store)
{
	return store->clock.now_ms(store->clock.context);
}

/* Held for a copy of a few bytes. */
static void
lock_trouble(struct store *store)
{
	while (atomic_flag_test_and_set(&store->is_writing_trouble))
		;
}

enum store_result
store_unavailable(struct store *store, const char *format, ...)
{
	char text[STORE_TROUBLE_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	lock_trouble(store);
	memcpy(store->trouble, text, sizeof(text));
	atomic_flag_clear(&store->is_writing_trouble);
	return STORE_UNAVAILABLE;
}

void
store_trouble(struct store *store, char *text, size_t size)
{
	char copy[STORE_TROUBLE_MAX];

	lock_trouble(store);
	memcpy(copy, store->trouble, sizeof(copy));
	atomic_flag_clear(&store->is_writing_trouble);
	(void)snprintf(text, size, "%s", copy);
}

const char *
store_kind_name(const struct store *store)
{
	return store->kind->name;
}

bool
store_key_count(struct store *store, size_t *ret_keys)
{
	return store->kind->key_count != NULL &&
	       store->kind->key_count(store, ret_keys);
}

void
store_close(struct store *store)
{
	if (store != NULL)
		store->kind->close(store);
}

static bool
is_key(struct store *store, slice key)
{
	if (key.len > 0 && key.len <= STORE_KEY_MAX)
		return true;
	(void)store_unavailable(
	    store, "a key has %zu bytes, not 1 to %d", key.len, STORE_KEY_MAX);
	return false;
}

static bool
is_entry(struct store *store, slice key, slice value, unsigned long seconds)
{
	if (!is_key(store, key))
		return false;
	if (value.len > STORE_VALUE_MAX) {
		(void)store_unavailable(store, "a value has %zu bytes, %d may",
		    value.len, STORE_VALUE_MAX);
		return false;
	}
	if (seconds == 0 || seconds > STORE_SECONDS_MAX) {
		(void)store_unavailable(store, "a time is out of bounds");
		return false;
	}
	return true;
}

static enum store_result
claim_alone(struct store *store, slice key, slice value, unsigned long seconds)
{
	struct arena *arena = arena_new(0);
	struct store_entry unwanted;
	enum store_result result =
	    store->kind->claim(store, key, value, seconds, arena, &unwanted);

	arena_free(arena);
	return result;
}

enum store_result
store_claim(struct store *store, slice key, slice value, unsigned long seconds,
    struct arena *arena, struct store_entry *ret_taken)
{
	if (!is_entry(store, key, value, seconds))
		return STORE_UNAVAILABLE;
	if (ret_taken == NULL)
		return claim_alone(store, key, value, seconds);
	return store->kind->claim(store, key, value, seconds, arena, ret_taken);
}

enum store_result
store_get(struct store *store, slice key, struct arena *arena,
    struct store_entry *ret_entry)
{
	if (!is_key(store, key))
		return STORE_UNAVAILABLE;
	return store->kind->get(store, key, arena, ret_entry);
}

enum store_result
store_put(struct store *store, slice key, slice value, unsigned long seconds)
{
	if (!is_entry(store, key, value, seconds))
		return STORE_UNAVAILABLE;
	return store->kind->put(store, key, value, seconds);
}

enum store_result
store_delete(struct store *store, slice key)
{
	if (!is_key(store, key))
		return STORE_UNAVAILABLE;
	return store->kind->delete(store, key);
}

enum store_result
store_list(struct store *store, slice prefix,
    bool (*each)(void *context, const struct store_entry *entry), void *context)
{
	if (prefix.len > STORE_PREFIX_MAX)
		return store_unavailable(store, "a prefix is too long");
	return store->kind->list(store, prefix, each, context);
}

enum store_result
store_count(struct store *store, slice key, unsigned long seconds,
    unsigned long *ret_count)
{
	if (!is_entry(store, key, SLICE(""), seconds))
		return STORE_UNAVAILABLE;
	return store->kind->count(store, key, seconds, ret_count);
}

enum store_result
store_add(struct store *store, slice key, long long amount,
    unsigned long seconds, long long *ret_total)
{
	if (!is_entry(store, key, SLICE(""), seconds))
		return STORE_UNAVAILABLE;
	return store->kind->add(store, key, amount, seconds, ret_total);
}
