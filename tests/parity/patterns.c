/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map asked from standard input, as `postmap -q - MAP` is: a key a line, and
 * for each that is there key, tab and value. The map's items are the arguments.
 * Exit status 1 and the error on standard error where it does not load.
 */
#include "maps/snapshot.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct map *
load(struct snapshot *snapshot, int count, char **items)
{
	struct snapshot_source source = {.allow_unsafe_files = true};
	struct error error = {.line = 0};
	slice paths[16];
	const struct map *map;
	char text[1024];

	for (int i = 0; i < count; i++)
		paths[i] = slice_from_cstr(items[i]);
	map = snapshot_add_map(
	    snapshot, SLICE("parity"), paths, (size_t)count, &source, &error);
	if (map == NULL)
		errx(1, "%s", error_format(&error, text, sizeof(text)));
	return map;
}

static void
answer(const struct map *map, slice key, struct arena *arena)
{
	struct map_hit hit;

	switch (map_find(map, key, arena, &hit)) {
	case MAP_FOUND:
		(void)printf(SLICE_FMT "\t" SLICE_FMT "\n", SLICE_ARG(key),
		    SLICE_ARG(hit.value));
		return;
	case MAP_MISSING:
		return;
	case MAP_TEMPFAIL:
		break;
	}
	(void)printf(SLICE_FMT "\t* " SLICE_FMT "\n", SLICE_ARG(key),
	    SLICE_ARG(hit.value));
}

int
main(int argc, char **argv)
{
	struct snapshot *snapshot = snapshot_new();
	struct arena *arena = arena_new(0);
	const struct map *map;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (argc < 2 || argc > 16)
		errx(EX_USAGE, "usage: patterns ITEM...");
	map = load(snapshot, argc - 1, argv + 1);
	while ((len = getline(&line, &size, stdin)) > 0) {
		slice key = {line, (size_t)len};

		if (line[len - 1] == '\n')
			key.len--;
		answer(map, key, arena);
		arena_reset(arena);
	}
	free(line);
	arena_free(arena);
	snapshot_release(snapshot);
	return EXIT_SUCCESS;
}
