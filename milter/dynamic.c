/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mutable globals: one change at a time, so that table and store see two
 * changes of one key in the same order.
 */
#include "milter/dynamic.h"

#include "base/deadline.h"
#include "base/duration.h"
#include "maps/live.h"
#include "maps/store.h"
#include "maps/store_redis.h"
#include "milter/dynamic_fleet.h"
#include "milter/explain_text.h"
#include "milter/log.h"
#include "policy/access_entry.h"

#include <jansson.h>
#include <pthread.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>

#define PREFIX "access:"
#define TTL_MAX (366UL * 86400)

static pthread_mutex_t one_change = PTHREAD_MUTEX_INITIALIZER;

/*
 * The start.
 */

static long long
wall_clock_ms(void *context)
{
	struct timespec now;

	(void)context;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool
open_store(struct service *service, const struct settings *settings,
    struct error *error)
{
	struct store_options options = {.clock = {.now_ms = wall_clock_ms}};
	struct arena *arena;

	if (service->redis != NULL) {
		service->store =
		    store_redis_open(redis_state_client(service->redis));
		return true;
	}
	if (settings->state_directory.len == 0)
		return true;
	arena = arena_new(0);
	service->store = store_lmdb_open(
	    arena_cstr(arena, settings->state_directory), &options, error);
	arena_free(arena);
	return service->store != NULL;
}

bool
dynamic_start(struct service *service, const struct settings *settings,
    struct error *error)
{
	service->live = live_new((size_t)settings->limits.dynamic_entries);
	if (!open_store(service, settings, error))
		return false;
	if (service->redis != NULL)
		return dynamic_fleet_start(service, error);
	if (service->store == NULL || dynamic_resync(service))
		return true;
	(void)error_set(error, "the store cannot be read");
	if (error != NULL)
		error->exit_code = EX_IOERR;
	return false;
}

size_t
dynamic_count(struct service *service)
{
	return live_count(service->live, deadline_now());
}

struct loading {
	struct live *fresh;
	size_t left_out;
};

static bool
load_entry(void *context, const struct store_entry *entry)
{
	struct loading *loading = context;

	if (!live_put(loading->fresh,
		slice_from(entry->key, sizeof(PREFIX) - 1), entry->value,
		entry->seconds_left, deadline_now()))
		loading->left_out++;
	return true;
}

/*
 * A Redis that comes back without its data would take every entry from every
 * node, and with it what the entries refuse. So there is a mark in the store;
 * where it is missing, each node first gives back what it has, never over what
 * is there.
 */

#define MARK "mark:access"

struct entries {
	struct arena *arena;
	struct live_entry *first;
	size_t count;
	size_t room;
};

static bool
collect(void *context, const struct live_entry *entry)
{
	struct entries *all = context;

	if (all->count == all->room)
		return false;
	all->first[all->count++] = (struct live_entry){
	    .key = arena_copy(all->arena, entry->key),
	    .value = arena_copy(all->arena, entry->value),
	    .seconds_left = entry->seconds_left,
	};
	return true;
}

static bool
give_back(struct service *service, struct arena *arena)
{
	struct entries all = {.arena = arena, .room = dynamic_count(service)};

	all.first = ARENA_ARRAY(arena, struct live_entry, all.room + 1);
	live_walk(service->live, deadline_now(), collect, &all);
	for (size_t i = 0; i < all.count; i++) {
		const struct live_entry *entry = &all.first[i];
		slice key =
		    arena_join(arena, SLICE(PREFIX), entry->key, SLICE(""));

		if (store_claim(service->store, key, entry->value,
			entry->seconds_left, arena, NULL) == STORE_UNAVAILABLE)
			return false;
	}
	if (all.count > 0)
		log_line(LOG_WARNING,
		    "Redis has lost its data: %zu dynamic entries given back",
		    all.count);
	return store_put(service->store, SLICE(MARK), SLICE("1"),
		   STORE_SECONDS_MAX) == STORE_YES;
}

static bool
mend_store(struct service *service)
{
	struct arena *arena = arena_new(0);
	struct store_entry mark;
	enum store_result result =
	    store_get(service->store, SLICE(MARK), arena, &mark);
	bool is_whole = result == STORE_YES ||
			(result == STORE_NO && give_back(service, arena));

	arena_free(arena);
	return is_whole;
}

bool
dynamic_resync(struct service *service)
{
	struct loading loading;

	if (service->redis != NULL && !mend_store(service))
		return false;
	loading = (struct loading){.fresh = live_like(service->live)};
	if (store_list(service->store, SLICE(PREFIX), load_entry, &loading) !=
	    STORE_YES) {
		live_free(loading.fresh);
		return false;
	}
	live_replace_all(service->live, loading.fresh);
	if (loading.left_out > 0)
		log_line(LOG_WARNING,
		    "%zu dynamic entries are not in force: there are more than "
		    "max_dynamic_entries",
		    loading.left_out);
	return true;
}

/*
 * Questions.
 */

static bool
find(void *table, struct arena *arena, slice key, struct dynamic_entry *ret)
{
	struct live *live = table;
	struct live_entry entry;

	if (live_is_empty(live) ||
	    !live_find(live, key, deadline_now(), arena, &entry))
		return false;
	ret->value = entry.value;
	ret->seconds_left = entry.seconds_left;
	return true;
}

void
dynamic_set_ports(struct live *live, struct ports *ports)
{
	if (live == NULL)
		return;
	ports->find_dynamic = find;
	ports->dynamic = live;
}

bool
dynamic_look_up(struct service *service, slice key, struct strbuf *out)
{
	struct arena *arena = arena_new(0);
	struct dynamic_entry entry;
	bool is_found = access_entry_key(arena, key, &key) == NULL &&
			find(service->live, arena, key, &entry);

	if (is_found)
		strbuf_printf(out,
		    SLICE_FMT "\tdynamic entry, expires in %lu s\n",
		    SLICE_ARG(entry.value), entry.seconds_left);
	arena_free(arena);
	return is_found;
}

static bool
list_text(void *context, const struct live_entry *entry)
{
	strbuf_printf(context, SLICE_FMT "\t" SLICE_FMT "\t%lu\n",
	    SLICE_ARG(entry->key), SLICE_ARG(entry->value),
	    entry->seconds_left);
	return true;
}

static bool
list_json(void *context, const struct live_entry *entry)
{
	struct strbuf *out = context;
	json_t *object = json_object();

	json_object_set_new(
	    object, "key", explain_json_text(out->arena, entry->key));
	json_object_set_new(
	    object, "value", explain_json_text(out->arena, entry->value));
	json_object_set_new(object, "expires_in",
	    json_integer((json_int_t)entry->seconds_left));
	explain_add_json(out, object);
	return true;
}

void
dynamic_list(struct service *service, bool as_json, struct strbuf *out)
{
	live_walk(service->live, deadline_now(),
	    as_json ? list_json : list_text, out);
}

/*
 * Changes.
 */

static bool
refuse(struct error *error, int exit_code, const char *why)
{
	(void)error_set(error, "%s", why);
	error->exit_code = exit_code;
	return false;
}

static bool
store_failed(struct service *service, struct error *error)
{
	char why[160];

	store_trouble(service->store, why, sizeof(why));
	(void)error_set(error, "the store cannot answer now: %s", why);
	error->exit_code = EX_TEMPFAIL;
	return false;
}

/* 0: it is no such time. */
static unsigned long
read_ttl(slice text)
{
	unsigned long long seconds;

	return duration_parse(text, '\0', &seconds) && seconds <= TTL_MAX
		   ? (unsigned long)seconds
		   : 0;
}

static slice
store_key(struct arena *arena, slice key)
{
	return arena_join(arena, SLICE(PREFIX), key, SLICE(""));
}

static bool
add_both(struct service *service, slice kept_as, slice key, slice value,
    unsigned long seconds, struct error *error)
{
	if (service->store != NULL &&
	    store_put(service->store, kept_as, value, seconds) != STORE_YES)
		return store_failed(service, error);
	if (live_put(service->live, key, value, seconds, deadline_now()))
		return true;
	if (service->store != NULL &&
	    store_delete(service->store, kept_as) == STORE_UNAVAILABLE)
		return store_failed(service, error);
	return refuse(error, EX_TEMPFAIL,
	    "there are as many entries as max_dynamic_entries allows");
}

static void
announce(struct service *service, slice key)
{
	if (service->redis != NULL)
		dynamic_fleet_announce(service, key);
}

bool
dynamic_add(struct service *service, slice key, slice value, slice ttl,
    struct error *error)
{
	struct arena *arena = arena_new(0);
	unsigned long seconds = read_ttl(ttl);
	const char *problem = access_entry_key(arena, key, &key);
	bool is_done;

	if (problem == NULL)
		problem = access_entry_value(arena, value);
	if (problem == NULL && seconds == 0)
		problem = "a time is a number and s, m, h, d or w, and at "
			  "most 366 days";
	if (problem != NULL) {
		arena_free(arena);
		return refuse(error, EX_USAGE, problem);
	}
	(void)pthread_mutex_lock(&one_change);
	is_done = add_both(
	    service, store_key(arena, key), key, value, seconds, error);
	if (is_done)
		announce(service, key);
	(void)pthread_mutex_unlock(&one_change);
	arena_free(arena);
	return is_done;
}

/* The store may have one that this node has not heard of yet. */
static bool
delete_both(
    struct service *service, slice kept_as, slice key, struct error *error)
{
	enum store_result kept = STORE_NO;
	bool was_there;

	if (service->store != NULL)
		kept = store_delete(service->store, kept_as);
	if (kept == STORE_UNAVAILABLE)
		return store_failed(service, error);
	was_there = live_delete(service->live, key, deadline_now());
	if (was_there || kept == STORE_YES)
		return true;
	return refuse(error, 1, "there is no such dynamic entry");
}

bool
dynamic_delete(struct service *service, slice key, struct error *error)
{
	struct arena *arena = arena_new(0);
	const char *problem = access_entry_key(arena, key, &key);
	bool is_done;

	if (problem != NULL) {
		arena_free(arena);
		return refuse(error, EX_USAGE, problem);
	}
	(void)pthread_mutex_lock(&one_change);
	is_done = delete_both(service, store_key(arena, key), key, error);
	if (is_done)
		announce(service, key);
	(void)pthread_mutex_unlock(&one_change);
	arena_free(arena);
	return is_done;
}

bool
dynamic_refresh(struct service *service, slice key)
{
	struct arena *arena = arena_new(0);
	struct store_entry entry;
	enum store_result result;

	(void)pthread_mutex_lock(&one_change);
	result =
	    store_get(service->store, store_key(arena, key), arena, &entry);
	if (result == STORE_YES && !live_put(service->live, key, entry.value,
				       entry.seconds_left, deadline_now()))
		log_line(LOG_WARNING,
		    "a dynamic entry is not in force: there are more than "
		    "max_dynamic_entries");
	if (result == STORE_NO)
		(void)live_delete(service->live, key, deadline_now());
	(void)pthread_mutex_unlock(&one_change);
	arena_free(arena);
	return result != STORE_UNAVAILABLE;
}
