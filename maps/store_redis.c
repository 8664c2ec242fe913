/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/store_redis.h"

#include "base/strbuf.h"
#include "maps/store_private.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_MOST = 8, LIST_STEP = 1000, NUMBER_SIZE = 24 };

struct store_redis {
	struct store store;
	struct redis_client *client;
	_Atomic(struct redis *) idle[IDLE_MOST];
};

static struct store_redis *
from_store(struct store *store)
{
	return (struct store_redis *)(void *)store;
}

/*
 * One call: a connection, memory, and the key as the server knows it.
 */

struct call {
	struct store_redis *store;
	struct redis *redis;
	struct arena *arena;
	slice key;
};

static slice
whole_key(struct store_redis *store, struct arena *arena, slice key)
{
	return arena_join(
	    arena, redis_client_prefix(store->client), SLICE("s:"), key);
}

static struct redis *
take_connection(struct store_redis *store)
{
	for (size_t i = 0; i < IDLE_MOST; i++) {
		struct redis *redis = atomic_exchange(&store->idle[i], NULL);

		if (redis != NULL)
			return redis;
	}
	return redis_open(store->client);
}

static void
give_connection(struct store_redis *store, struct redis *redis)
{
	for (size_t i = 0; i < IDLE_MOST; i++) {
		struct redis *none = NULL;

		if (atomic_compare_exchange_strong(
			&store->idle[i], &none, redis))
			return;
	}
	redis_close(redis);
}

static struct call
begin(struct store *store, slice key)
{
	struct store_redis *self = from_store(store);
	struct call call = {
	    .store = self,
	    .redis = take_connection(self),
	    .arena = arena_new(0),
	};

	call.key = whole_key(self, call.arena, key);
	return call;
}

static enum store_result
end(struct call *call, enum store_result result)
{
	give_connection(call->store, call->redis);
	arena_free(call->arena);
	return result;
}

static enum store_result
fail(struct call *call)
{
	return store_unavailable(
	    &call->store->store, "redis: %.100s", redis_problem(call->redis));
}

static enum store_result
fail_by_reply(struct call *call, const struct redis_reply *reply)
{
	if (reply->kind == REDIS_KIND_ERROR)
		return fail(call);
	return store_unavailable(
	    &call->store->store, "redis: not an answer to the question");
}

static slice
number(struct call *call, long long value)
{
	return arena_printf(call->arena, "%lld", value);
}

/* NULL: there is no answer. Replies are good until the next question. */
static struct redis_reply *const *
ask(struct call *call, const struct redis_command *commands, size_t count)
{
	struct redis_reply *const *replies;

	if (redis_pipeline(call->redis,
		redis_client_deadline(call->store->client), commands, count,
		count * (STORE_VALUE_MAX + 256) + REDIS_REPLY_BYTES,
		&replies) != REDIS_NO_TROUBLE)
		return NULL;
	return replies;
}

static unsigned long
seconds_from_ttl(const struct redis_reply *ttl)
{
	if (ttl->kind != REDIS_KIND_NUMBER || ttl->number < 0)
		return STORE_SECONDS_MAX;
	return ttl->number == 0 ? 1 : ((unsigned long)ttl->number + 999) / 1000;
}

/*
 * The functions.
 */

/* The value and what time is left, both asked at once. */
static enum store_result
entry_from(struct call *call, const struct redis_reply *value,
    const struct redis_reply *ttl, slice key, struct arena *arena,
    struct store_entry *ret)
{
	if (value->kind == REDIS_KIND_NIL)
		return STORE_NO;
	if (value->kind != REDIS_KIND_TEXT)
		return fail_by_reply(call, value);
	*ret = (struct store_entry){
	    .key = arena_copy(arena, key),
	    .value = arena_copy(arena, value->text),
	    .seconds_left = seconds_from_ttl(ttl),
	};
	return STORE_YES;
}

static enum store_result
claim_once(struct call *call, slice key, slice value, unsigned long seconds,
    struct arena *arena, struct store_entry *ret_taken)
{
	struct redis_command commands[] = {
	    {REDIS_WORDS(SLICE("SET"), call->key, value, SLICE("NX"),
		SLICE("EX"), number(call, (long long)seconds))},
	    {REDIS_WORDS(SLICE("GET"), call->key)},
	    {REDIS_WORDS(SLICE("PTTL"), call->key)},
	};
	struct redis_reply *const *replies = ask(call, commands, 3);
	enum store_result taken;

	if (replies == NULL)
		return fail(call);
	if (replies[0]->kind == REDIS_KIND_TEXT)
		return STORE_YES;
	if (replies[0]->kind != REDIS_KIND_NIL)
		return fail_by_reply(call, replies[0]);
	taken = entry_from(call, replies[1], replies[2], key, arena, ret_taken);
	if (taken == STORE_YES)
		return STORE_NO;
	return taken == STORE_NO
		   ? store_unavailable(&call->store->store,
			 "redis: the entry ended while it was claimed")
		   : taken;
}

static enum store_result
redis_claim(struct store *store, slice key, slice value, unsigned long seconds,
    struct arena *arena, struct store_entry *ret_taken)
{
	struct call call = begin(store, key);

	return end(
	    &call, claim_once(&call, key, value, seconds, arena, ret_taken));
}

static enum store_result
get(struct call *call, slice key, struct arena *arena,
    struct store_entry *ret_entry)
{
	struct redis_command commands[] = {
	    {REDIS_WORDS(SLICE("GET"), call->key)},
	    {REDIS_WORDS(SLICE("PTTL"), call->key)},
	};
	struct redis_reply *const *replies = ask(call, commands, 2);

	if (replies == NULL)
		return fail(call);
	return entry_from(call, replies[0], replies[1], key, arena, ret_entry);
}

static enum store_result
redis_get(struct store *store, slice key, struct arena *arena,
    struct store_entry *ret_entry)
{
	struct call call = begin(store, key);

	return end(&call, get(&call, key, arena, ret_entry));
}

static enum store_result
put(struct call *call, slice value, unsigned long seconds)
{
	struct redis_command command = {REDIS_WORDS(SLICE("SET"), call->key,
	    value, SLICE("EX"), number(call, (long long)seconds))};
	struct redis_reply *const *replies = ask(call, &command, 1);

	if (replies == NULL)
		return fail(call);
	return replies[0]->kind == REDIS_KIND_TEXT
		   ? STORE_YES
		   : fail_by_reply(call, replies[0]);
}

static enum store_result
redis_put(struct store *store, slice key, slice value, unsigned long seconds)
{
	struct call call = begin(store, key);

	return end(&call, put(&call, value, seconds));
}

static enum store_result
delete_one(struct call *call)
{
	struct redis_command command = {REDIS_WORDS(SLICE("DEL"), call->key)};
	struct redis_reply *const *replies = ask(call, &command, 1);

	if (replies == NULL)
		return fail(call);
	if (replies[0]->kind != REDIS_KIND_NUMBER)
		return fail_by_reply(call, replies[0]);
	return replies[0]->number > 0 ? STORE_YES : STORE_NO;
}

static enum store_result
redis_delete(struct store *store, slice key)
{
	struct call call = begin(store, key);

	return end(&call, delete_one(&call));
}

/* The last of a transaction's replies, an array of `count`; NULL: it was not
 * carried out. */
static const struct redis_reply *
transact(struct call *call, const struct redis_command *commands, size_t count,
    enum store_result *ret_failure)
{
	struct redis_reply *const *replies = ask(call, commands, count + 2);
	const struct redis_reply *done;

	if (replies == NULL) {
		*ret_failure = fail(call);
		return NULL;
	}
	done = replies[count + 1];
	for (size_t i = 0; i < count && done->kind == REDIS_KIND_ARRAY &&
			   done->count == count;
	     i++) {
		if (done->items[i]->kind == REDIS_KIND_ERROR)
			done = done->items[i];
	}
	if (done->kind == REDIS_KIND_ARRAY && done->count == count)
		return done;
	*ret_failure = store_unavailable(&call->store->store, "redis: %.100s",
	    done->kind == REDIS_KIND_ERROR ? done->text.ptr : "not an answer");
	return NULL;
}

/* Within a transaction time stands still, so the key cannot end between the
 * two commands and be counted without an end. */
static enum store_result
count_one(struct call *call, unsigned long seconds, unsigned long *ret_count)
{
	struct redis_command commands[] = {
	    {REDIS_WORDS(SLICE("MULTI"))},
	    {REDIS_WORDS(SLICE("SET"), call->key, SLICE("0"), SLICE("NX"),
		SLICE("EX"), number(call, (long long)seconds))},
	    {REDIS_WORDS(SLICE("INCRBY"), call->key, SLICE("1"))},
	    {REDIS_WORDS(SLICE("EXEC"))},
	};
	enum store_result failure;
	const struct redis_reply *done = transact(call, commands, 2, &failure);

	if (done == NULL)
		return failure;
	*ret_count = (unsigned long)done->items[1]->number;
	return STORE_YES;
}

static enum store_result
redis_count(struct store *store, slice key, unsigned long seconds,
    unsigned long *ret_count)
{
	struct call call = begin(store, key);

	return end(&call, count_one(&call, seconds, ret_count));
}

static enum store_result
ask_total(struct call *call, long long *ret_total)
{
	struct redis_command command = {REDIS_WORDS(SLICE("GET"), call->key)};
	struct redis_reply *const *replies = ask(call, &command, 1);
	char text[NUMBER_SIZE];

	if (replies == NULL)
		return fail(call);
	if (replies[0]->kind != REDIS_KIND_TEXT &&
	    replies[0]->kind != REDIS_KIND_NIL)
		return fail_by_reply(call, replies[0]);
	(void)snprintf(
	    text, sizeof(text), SLICE_FMT, SLICE_ARG(replies[0]->text));
	*ret_total = strtoll(text, NULL, 10);
	return STORE_YES;
}

static enum store_result
add(struct call *call, long long amount, unsigned long seconds,
    long long *ret_total)
{
	struct redis_command commands[] = {
	    {REDIS_WORDS(SLICE("MULTI"))},
	    {REDIS_WORDS(SLICE("INCRBY"), call->key, number(call, amount))},
	    {REDIS_WORDS(
		SLICE("EXPIRE"), call->key, number(call, (long long)seconds))},
	    {REDIS_WORDS(SLICE("EXEC"))},
	};
	enum store_result failure;
	const struct redis_reply *done;

	if (amount == 0)
		return ask_total(call, ret_total);
	done = transact(call, commands, 2, &failure);
	if (done == NULL)
		return failure;
	*ret_total = done->items[0]->number;
	return STORE_YES;
}

static enum store_result
redis_add(struct store *store, slice key, long long amount,
    unsigned long seconds, long long *ret_total)
{
	struct call call = begin(store, key);

	return end(&call, add(&call, amount, seconds, ret_total));
}

/*
 * Lists: SCAN goes through the whole database in steps and may give a key
 * twice, so those that were given are remembered.
 */

struct seen {
	struct arena *arena;
	slice *slots; /* a power of two of them; empty: free */
	size_t size;
	size_t count;
};

static size_t
hash(slice key)
{
	uint64_t h = 14695981039346656037U;

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ (unsigned char)key.ptr[i]) * 1099511628211U;
	return (size_t)(h ^ h >> 32);
}

static slice *
slot_of(const struct seen *seen, slice key)
{
	size_t i = hash(key) & (seen->size - 1);

	while (seen->slots[i].len > 0 && !slice_eq(seen->slots[i], key))
		i = (i + 1) & (seen->size - 1);
	return &seen->slots[i];
}

static void
grow(struct seen *seen)
{
	struct seen larger = {
	    .arena = seen->arena,
	    .size = seen->size == 0 ? 1024 : seen->size * 2,
	    .count = seen->count,
	};

	larger.slots = ARENA_ARRAY(seen->arena, slice, larger.size);
	for (size_t i = 0; i < seen->size; i++) {
		if (seen->slots[i].len > 0)
			*slot_of(&larger, seen->slots[i]) = seen->slots[i];
	}
	*seen = larger;
}

/* The key for good, or the empty slice where it has been given already. */
static slice
add_seen(struct seen *seen, slice key)
{
	slice *slot;

	if (seen->count * 2 >= seen->size)
		grow(seen);
	slot = slot_of(seen, key);
	if (slot->len > 0)
		return SLICE("");
	*slot = arena_copy(seen->arena, key);
	seen->count++;
	return *slot;
}

struct listing {
	struct call *call;
	slice pattern;
	size_t skip; /* bytes of a key that are ours */
	struct seen seen;
	bool (*each)(void *context, const struct store_entry *entry);
	void *context;
	bool is_over;
};

static slice
pattern_from(struct arena *arena, slice key)
{
	struct strbuf pattern;

	strbuf_init(&pattern, arena);
	for (size_t i = 0; i < key.len; i++) {
		if (key.ptr[i] == '\0' || strchr("*?[]^\\", key.ptr[i]) != NULL)
			strbuf_add_char(&pattern, '\\');
		strbuf_add_char(&pattern, key.ptr[i]);
	}
	strbuf_add_char(&pattern, '*');
	return strbuf_slice(&pattern);
}

/* What the keys hold, in one question. An entry that has ended since is none,
 * and what is no string is not the store's. */
static enum store_result
give_entries(struct listing *listing, const slice *keys, size_t count)
{
	struct arena *arena = arena_new(0);
	slice *words = ARENA_ARRAY(arena, slice, count * 4);
	struct redis_command *commands =
	    ARENA_ARRAY(arena, struct redis_command, count * 2);
	struct redis_reply *const *replies;

	for (size_t i = 0; i < count; i++) {
		slice *word = words + i * 4;

		word[0] = SLICE("GET");
		word[2] = SLICE("PTTL");
		word[1] = word[3] = keys[i];
		commands[i * 2] = (struct redis_command){word, 2};
		commands[i * 2 + 1] = (struct redis_command){word + 2, 2};
	}
	replies = ask(listing->call, commands, count * 2);
	for (size_t i = 0; replies != NULL && i < count && !listing->is_over;
	     i++) {
		struct store_entry entry = {
		    .key = slice_from(keys[i], listing->skip),
		    .value = replies[i * 2]->text,
		    .seconds_left = seconds_from_ttl(replies[i * 2 + 1]),
		};

		if (replies[i * 2]->kind == REDIS_KIND_TEXT)
			listing->is_over =
			    !listing->each(listing->context, &entry);
	}
	arena_free(arena);
	return replies == NULL ? fail(listing->call) : STORE_YES;
}

static size_t
take_new_keys(
    struct listing *listing, const struct redis_reply *found, slice *ret_keys)
{
	size_t count = 0;

	for (size_t i = 0; i < found->count; i++) {
		slice key = found->items[i]->text;

		if (key.len > listing->skip)
			key = add_seen(&listing->seen, key);
		else
			key = SLICE("");
		if (key.len > 0)
			ret_keys[count++] = key;
	}
	return count;
}

/* `cursor` is where to go on, and becomes "0" at the end. */
static enum store_result
list_step(struct listing *listing, char *cursor, size_t size)
{
	struct redis_command command = {REDIS_WORDS(SLICE("SCAN"),
	    slice_from_cstr(cursor), SLICE("MATCH"), listing->pattern,
	    SLICE("COUNT"), number(listing->call, LIST_STEP))};
	struct redis_reply *const *replies = ask(listing->call, &command, 1);
	const struct redis_reply *reply;
	struct arena *arena;
	enum store_result result = STORE_YES;
	slice *keys;
	size_t count;

	if (replies == NULL)
		return fail(listing->call);
	reply = replies[0];
	if (reply->kind != REDIS_KIND_ARRAY || reply->count != 2 ||
	    reply->items[0]->kind != REDIS_KIND_TEXT ||
	    reply->items[1]->kind != REDIS_KIND_ARRAY)
		return fail_by_reply(listing->call, reply);
	(void)snprintf(
	    cursor, size, SLICE_FMT, SLICE_ARG(reply->items[0]->text));
	arena = arena_new(0);
	keys = ARENA_ARRAY(arena, slice, reply->items[1]->count + 1);
	count = take_new_keys(listing, reply->items[1], keys);
	if (count > 0)
		result = give_entries(listing, keys, count);
	arena_free(arena);
	return result;
}

static enum store_result
redis_list(struct store *store, slice prefix,
    bool (*each)(void *context, const struct store_entry *entry), void *context)
{
	struct call call = begin(store, prefix);
	struct listing listing = {
	    .call = &call,
	    .pattern = pattern_from(call.arena, call.key),
	    .skip = call.key.len - prefix.len,
	    .seen = {.arena = call.arena},
	    .each = each,
	    .context = context,
	};
	char cursor[NUMBER_SIZE] = "0";
	enum store_result result;

	do
		result = list_step(&listing, cursor, sizeof(cursor));
	while (result == STORE_YES && !listing.is_over &&
	       strcmp(cursor, "0") != 0);
	return end(&call, result);
}

static void
redis_store_close(struct store *store)
{
	struct store_redis *self = from_store(store);

	for (size_t i = 0; i < IDLE_MOST; i++)
		redis_close(atomic_load(&self->idle[i]));
	free(self);
}

static const struct store_kind redis_kind = {
    .name = "redis",
    .close = redis_store_close,
    .claim = redis_claim,
    .get = redis_get,
    .put = redis_put,
    .delete = redis_delete,
    .list = redis_list,
    .count = redis_count,
    .add = redis_add,
};

struct store *
store_redis_open(struct redis_client *client)
{
	struct store_redis *store = xmalloc(sizeof(*store));

	memset(store, 0, sizeof(*store));
	store_init(
	    &store->store, &redis_kind, &(struct store_clock){NULL, NULL});
	store->client = client;
	for (size_t i = 0; i < IDLE_MOST; i++)
		atomic_init(&store->idle[i], NULL);
	return &store->store;
}
