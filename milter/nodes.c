/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/replica.h"

#include "maps/redis.h"
#include "milter/redis_state.h"

#include <jansson.h>
#include <stdlib.h>
#include <sysexits.h>

enum { SEEN_FOR_S = 86400 };

struct listing {
	struct redis *redis;
	struct arena *arena;
	slice prefix;
	json_t *array; /* NULL: text */
	struct strbuf *out;
};

static bool
fail(struct redis *redis, struct error *error)
{
	(void)error_set(error, "Redis: %s", redis_problem(redis));
	error->exit_code = EX_TEMPFAIL;
	return false;
}

static void
write_node(struct listing *listing, slice name, slice state, long long ago)
{
	slice words[4] = {SLICE("0"), SLICE("-"), SLICE("0"), SLICE("unknown")};
	json_t *object;
	char *number;

	for (size_t i = 0; i < 4; i++)
		(void)slice_next(&state, ' ', &words[i]);
	if (listing->array == NULL) {
		strbuf_printf(listing->out,
		    SLICE_FMT " generation " SLICE_FMT " for " SLICE_FMT
			      " s, seen %lld s ago, version " SLICE_FMT "\n",
		    SLICE_ARG(name), SLICE_ARG(words[0]), SLICE_ARG(words[2]),
		    ago, SLICE_ARG(words[3]));
		return;
	}
	object = json_object();
	json_object_set_new(object, "node", json_stringn(name.ptr, name.len));
	number = arena_cstr(listing->arena, words[0]);
	json_object_set_new(
	    object, "generation", json_integer(strtoll(number, NULL, 10)));
	json_object_set_new(
	    object, "digest", json_stringn(words[1].ptr, words[1].len));
	number = arena_cstr(listing->arena, words[2]);
	json_object_set_new(
	    object, "age_s", json_integer(strtoll(number, NULL, 10)));
	json_object_set_new(object, "seen_s", json_integer(ago));
	json_object_set_new(
	    object, "version", json_stringn(words[3].ptr, words[3].len));
	json_array_append_new(listing->array, object);
}

static bool
list_node(struct listing *listing, slice name)
{
	slice key =
	    arena_join(listing->arena, listing->prefix, SLICE("node:"), name);
	struct redis_command commands[] = {
	    {REDIS_WORDS(SLICE("GET"), key)},
	    {REDIS_WORDS(SLICE("TTL"), key)},
	};
	struct redis_reply *const *replies;

	if (redis_pipeline(listing->redis,
		redis_client_deadline(redis_client_of(listing->redis)),
		commands, 2, REDIS_REPLY_BYTES, &replies) != REDIS_NO_TROUBLE)
		return false;
	/* Not seen for a day: forgotten. */
	if (replies[0]->kind == REDIS_KIND_TEXT &&
	    replies[1]->kind == REDIS_KIND_NUMBER)
		write_node(listing, name, replies[0]->text,
		    SEEN_FOR_S - replies[1]->number);
	return true;
}

static int
compare_names(const void *a, const void *b)
{
	slice one = *(const slice *)a;
	slice other = *(const slice *)b;
	size_t at = 0;

	while (at < one.len && at < other.len && one.ptr[at] == other.ptr[at])
		at++;
	if (at < one.len && at < other.len)
		return one.ptr[at] < other.ptr[at] ? -1 : 1;
	return (one.len > other.len) - (one.len < other.len);
}

static bool
list_all(struct listing *listing)
{
	struct redis_command members = {REDIS_WORDS(
	    SLICE("SMEMBERS"), arena_join(listing->arena, listing->prefix,
				   SLICE("nodes"), SLICE("")))};
	const struct redis_reply *reply;
	slice *names;
	size_t count;

	if (redis_call(listing->redis,
		redis_client_deadline(redis_client_of(listing->redis)),
		&members, &reply) != REDIS_NO_TROUBLE)
		return false;
	count = reply->kind == REDIS_KIND_ARRAY ? reply->count : 0;
	names = ARENA_ARRAY(listing->arena, slice, count + 1);
	for (size_t i = 0; i < count; i++)
		names[i] = arena_copy(listing->arena, reply->items[i]->text);
	qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 0; i < count; i++) {
		if (!list_node(listing, names[i]))
			return false;
	}
	return true;
}

bool
replica_list_nodes(struct service *service, bool as_json, struct strbuf *out,
    struct error *error)
{
	struct redis_client *client;
	struct listing listing = {.out = out};
	bool done;

	if (service->replica == NULL) {
		(void)error_set(error, "no Redis is configured");
		error->exit_code = EX_CONFIG;
		return false;
	}
	client = redis_state_client(service->redis);
	listing.arena = arena_new(0);
	listing.redis = redis_open(client);
	listing.prefix = redis_client_prefix(client);
	listing.array = as_json ? json_array() : NULL;
	done = list_all(&listing) || fail(listing.redis, error);
	if (done && as_json) {
		char *text = json_dumps(listing.array, JSON_COMPACT);

		strbuf_add(out, slice_from_cstr(text));
		strbuf_add_char(out, '\n');
		free(text);
	}
	json_decref(listing.array);
	redis_close(listing.redis);
	arena_free(listing.arena);
	return done;
}
