/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file of patterns, and behind a line of "--" keys to ask it, one a line.
 * What must hold: a file that is refused has an error with a line in it; one
 * that is taken is the same when it is made again; no key takes more than its
 * limits allow; an answer has a value, a place in the file, and is the same
 * twice.
 */
#include "tests/fuzz/fuzz.h"

#include "maps/pattern.h"

#include <stdlib.h>
#include <string.h>

static slice
take_file(slice *rest)
{
	slice all = *rest;
	slice line;

	while (slice_next(rest, '\n', &line)) {
		if (slice_eq(line, SLICE("--")))
			return slice_first(all, (size_t)(line.ptr - all.ptr));
	}
	return all;
}

static unsigned
lines_of(slice text)
{
	unsigned lines = 1;

	for (size_t i = 0; i < text.len; i++)
		lines += text.ptr[i] == '\n';
	return lines;
}

static void
check_hit(const struct map_hit *hit, slice text)
{
	if (hit->value.len == 0 || strcmp(map_hit_file(hit), "fuzz") != 0 ||
	    map_hit_line(hit) == 0 || map_hit_line(hit) > lines_of(text))
		abort();
}

static void
ask(const struct pattern_list *list, slice key, slice text)
{
	struct arena *arena = arena_new(0);
	struct map_hit hit = {.origin = NULL};
	struct map_hit again = {.origin = NULL};
	enum map_result result = pattern_list_find(list, key, arena, &hit);

	if (pattern_list_find(list, key, arena, &again) != result)
		abort();
	if (result != MAP_MISSING) {
		check_hit(&hit, text);
		if (!slice_eq(hit.value, again.value) ||
		    map_hit_line(&hit) != map_hit_line(&again))
			abort();
	}
	arena_free(arena);
}

static void
make_again(const struct pattern_list *list)
{
	struct pattern_source source = {
	    .path = pattern_list_path(list), .text = pattern_list_text(list)};
	struct pattern_list *again = pattern_list_new(&source, NULL);

	if (again == NULL ||
	    pattern_list_digest(again) != pattern_list_digest(list) ||
	    pattern_list_count(again) != pattern_list_count(list) ||
	    pattern_list_missing(again, list) != 0)
		abort();
	pattern_list_release(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice rest = {(const char *)data, size};
	struct pattern_source source = {.path = "fuzz"};
	struct error error = {.line = 0};
	struct pattern_list *list;
	slice key;

	source.text = take_file(&rest);
	list = pattern_list_new(&source, &error);
	if (list == NULL) {
		if (error.line == 0 || error.line > lines_of(source.text) ||
		    error.text[0] == '\0')
			abort();
		return 0;
	}
	make_again(list);
	for (unsigned i = 0; i < 8 && slice_next(&rest, '\n', &key); i++)
		ask(list, key, source.text);
	pattern_list_release(list);
	return 0;
}
