/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ask map ITEM KEYS, or ask redis SOCKET KEYS: looks up the keys of a file, one
 * a line, one after the other, in a map as milterd loads it, or with HGET in
 * the hash "bench" of a Redis at a unix socket. Says in one JSON object how
 * many were asked and found and how many seconds the best of three passes took
 * by the clock.
 */
#include "maps/snapshot.h"
#include "maps/text.h"

#include <err.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct question {
	const struct map *map; /* NULL: it goes to Redis */
	redisContext *redis;
	struct arena *arena;
};

static double
now(void)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static const struct map *
load(struct snapshot *snapshot, const char *item)
{
	struct snapshot_source source = {.allow_unsafe_files = true};
	slice path = slice_from_cstr(item);
	struct error error = {.text = ""};
	const struct map *map = snapshot_add_map(
	    snapshot, SLICE("bench"), &path, 1, &source, &error);

	if (map == NULL)
		errx(65, "%u: %s", error.line, error.text);
	return map;
}

static bool
ask_redis(redisContext *redis, slice key)
{
	redisReply *reply =
	    redisCommand(redis, "HGET bench %b", key.ptr, key.len);
	bool is_there;

	if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
		errx(69, "HGET: %s", redis->errstr);
	is_there = reply->type == REDIS_REPLY_STRING;
	freeReplyObject(reply);
	return is_there;
}

static bool
ask_map(const struct question *question, slice key)
{
	struct map_hit hit;
	enum map_result result =
	    map_find(question->map, key, question->arena, &hit);

	arena_reset(question->arena);
	return result == MAP_FOUND;
}

enum { PASSES = 3 };

/* Seconds of one pass. */
static double
ask_all(const struct question *question, slice keys, size_t *ret_asked,
    size_t *ret_found)
{
	double began = now();
	size_t asked = 0;
	size_t found = 0;
	slice key;

	while (slice_next(&keys, '\n', &key)) {
		asked++;
		found += question->map != NULL
			     ? ask_map(question, key)
			     : ask_redis(question->redis, key);
	}
	*ret_asked = asked;
	*ret_found = found;
	return now() - began;
}

static void
tell_best(const struct question *question, slice keys)
{
	double best = 1e9;
	size_t asked;
	size_t found;

	for (int pass = 0; pass < PASSES; pass++) {
		double took = ask_all(question, keys, &asked, &found);

		if (took < best)
			best = took;
	}
	(void)printf("{\"asked\": %zu, \"found\": %zu, \"seconds\": %.6f}\n",
	    asked, found, best);
}

int
main(int argc, char **argv)
{
	struct snapshot *snapshot = snapshot_new();
	struct arena *arena = arena_new(0);
	struct question question = {.arena = arena_new(0)};
	struct text_file keys;
	struct error error;

	if (argc != 4)
		errx(64, "usage: ask map|redis ITEM|SOCKET KEYS");
	if (!text_file_read(argv[3], true, arena, &keys, &error))
		errx(66, "%s", error.text);
	if (strcmp(argv[1], "map") == 0) {
		question.map = load(snapshot, argv[2]);
	} else {
		question.redis = redisConnectUnix(argv[2]);
		if (question.redis == NULL || question.redis->err != 0)
			errx(69, "%s: no Redis", argv[2]);
	}
	tell_best(&question, keys.content);
	if (question.redis != NULL)
		redisFree(question.redis);
	arena_free(question.arena);
	arena_free(arena);
	snapshot_release(snapshot);
	return EXIT_SUCCESS;
}
