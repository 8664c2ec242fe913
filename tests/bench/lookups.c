/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lookups FILE: loads a map file as milterd does, looks up every key of it and
 * as many that are not there, in random order, and says how that went: one
 * line, one JSON object. Times are processor time, but for the load's, which
 * is by the clock as well.
 */
#include "maps/snapshot.h"
#include "maps/text.h"

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { PASSES = 5 };

struct keys {
	slice *list;
	size_t count;
};

static double
seconds_of(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
shuffle(struct keys *keys)
{
	uint64_t state = 20261122;

	for (size_t i = keys->count; i > 1; i--) {
		size_t other;
		slice swapped;

		state = state * 6364136223846793005U + 1442695040888963407U;
		other = (size_t)(state >> 33) % i;
		swapped = keys->list[i - 1];
		keys->list[i - 1] = keys->list[other];
		keys->list[other] = swapped;
	}
}

/* The file's keys, each with `before` in front of it, in random order; they
 * stand in memory one behind the other, as if they had just been made. */
static struct keys
read_keys(struct arena *arena, slice content, const char *before)
{
	struct text_reader reader;
	struct text_entry entry;
	struct keys keys = {0};
	size_t size = 0;

	text_reader_init(&reader, content);
	while (text_reader_next(&reader, &entry) == TEXT_ENTRY) {
		if (keys.count == size) {
			size = size * 2 + 1024;
			keys.list = xrealloc(keys.list, size * sizeof(slice));
		}
		keys.list[keys.count++] = entry.key;
	}
	shuffle(&keys);
	for (size_t i = 0; i < keys.count; i++)
		keys.list[i] = arena_join(
		    arena, slice_from_cstr(before), keys.list[i], SLICE(""));
	return keys;
}

/* Nanoseconds each, in the best of several passes. */
static double
look_up_all(const struct map *map, const struct keys *keys, size_t wanted)
{
	double best = 1e9;

	for (int pass = 0; pass < PASSES; pass++) {
		double began = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
		size_t found = 0;
		double took;

		for (size_t i = 0; i < keys->count; i++) {
			struct map_hit hit;

			found +=
			    map_find(map, keys->list[i], NULL, &hit) ==
			    MAP_FOUND;
		}
		took = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - began;
		if (found != wanted)
			errx(70, "%zu found instead of %zu", found, wanted);
		if (took < best)
			best = took;
	}
	return best * 1e9 / (double)keys->count;
}

static const struct map *
load(struct snapshot *snapshot, const char *path)
{
	struct snapshot_source source = {.allow_unsafe_files = true};
	slice file = slice_from_cstr(path);
	struct error error = {.text = ""};
	const struct map *map = snapshot_add_map(
	    snapshot, SLICE("access"), &file, 1, &source, &error);

	if (map == NULL)
		errx(65, "%s", error.text);
	return map;
}

static long
peak_kb(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

int
main(int argc, char **argv)
{
	double clock = seconds_of(CLOCK_MONOTONIC);
	double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	struct snapshot *snapshot = snapshot_new();
	struct arena *arena = arena_new(0);
	struct error error;
	struct text_file file;
	const struct map *map;
	struct keys there;
	struct keys missing;

	if (argc != 2)
		errx(64, "usage: lookups FILE");
	map = load(snapshot, argv[1]);
	clock = seconds_of(CLOCK_MONOTONIC) - clock;
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	(void)printf(
	    "{\"entries\": %zu, \"load_s\": %.3f, \"load_cpu_s\": %.3f, "
	    "\"bytes\": %zu, \"peak_kb\": %ld, ",
	    snapshot_parts(snapshot)->entries, clock, cpu,
	    snapshot_parts(snapshot)->bytes, peak_kb());
	if (!text_file_read(argv[1], true, arena, &file, &error))
		errx(66, "%s", error.text);
	there = read_keys(arena, file.content, "");
	missing = read_keys(arena, file.content, "x");
	(void)printf("\"hit_ns\": %.1f, \"miss_ns\": %.1f}\n",
	    look_up_all(map, &there, there.count),
	    look_up_all(map, &missing, 0));
	free(there.list);
	free(missing.list);
	arena_free(arena);
	snapshot_release(snapshot);
	return 0;
}
