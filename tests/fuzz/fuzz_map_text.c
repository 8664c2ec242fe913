/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map, class or alias file. What must hold: entries lie in the file (or in
 * the arena), lines only grow, and every value parses as an access entry.
 */
#include "tests/fuzz/fuzz.h"

#include "maps/alias_text.h"
#include "maps/text.h"
#include "policy/access.h"

#include <stdlib.h>

static void
read_map(struct arena *arena, slice content)
{
	struct text_reader reader;
	struct text_entry entry;
	enum text_next next;
	unsigned line = 0;

	text_reader_init(&reader, content);
	while ((next = text_reader_next(&reader, &entry)) != TEXT_END &&
	       next != TEXT_BAD) {
		if (next != TEXT_ENTRY)
			continue;
		if (entry.line <= line || entry.key.len == 0)
			abort();
		line = entry.line;
		(void)access_parse(arena, entry.value);
	}
}

static void
read_words(slice content)
{
	struct text_reader reader;
	struct text_entry entry;
	enum text_next next;

	text_reader_init(&reader, content);
	while ((next = text_reader_next_word(&reader, &entry)) != TEXT_END &&
	       next != TEXT_BAD)
		;
}

static void
read_aliases(struct arena *arena, slice content)
{
	struct alias_reader reader;
	struct text_entry entry;
	enum text_next next;

	alias_reader_init(&reader, arena, content);
	while ((next = alias_reader_next(&reader, &entry)) != TEXT_END &&
	       next != TEXT_BAD)
		;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	slice content = {(const char *)data, size};

	read_map(arena, content);
	read_words(content);
	read_aliases(arena, content);
	arena_free(arena);
	return 0;
}
