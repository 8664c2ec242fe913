/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/map_private.h"

#include <stdlib.h>

#define KEY_ON_STACK 1024

/* A key, and the same folded once some table asks for that. */
struct question {
	slice key;
	char *folded; /* NULL: not yet */
	char *heap;   /* of a key that is longer than the room */
	char room[KEY_ON_STACK];
};

static slice
folded(struct question *question)
{
	if (question->folded == NULL) {
		if (question->key.len > sizeof(question->room))
			question->heap = xmalloc(question->key.len);
		question->folded =
		    question->heap == NULL ? question->room : question->heap;
		slice_lower_into(question->folded, question->key);
	}
	return (slice){question->folded, question->key.len};
}

static enum map_result
ask_table(const struct table *table, struct question *question,
    struct map_hit *ret_hit)
{
	if (question->key.len > table_longest_key(table))
		return MAP_MISSING;
	return table_find(table, folded(question), ret_hit);
}

/* The room needs no clearing, and there is a thousand of it. */
static void
question_init(struct question *question, slice key)
{
	question->key = key;
	question->folded = NULL;
	question->heap = NULL;
}

enum map_result
map_find(const struct map *map, slice key, struct arena *arena,
    struct map_hit *ret_hit)
{
	enum map_result result = MAP_MISSING;
	struct question question;

	question_init(&question, key);
	for (size_t i = 0; i < map->part_count && result == MAP_MISSING; i++) {
		const struct map_part *part = &map->parts[i];

		result = part->table != NULL
			     ? ask_table(part->table, &question, ret_hit)
			     : pattern_list_find(
				   part->patterns, key, arena, ret_hit);
	}
	free(question.heap);
	return result;
}

const char *
map_hit_file(const struct map_hit *hit)
{
	return hit->origin == NULL ? NULL : hit->files[hit->origin->file];
}

unsigned
map_hit_line(const struct map_hit *hit)
{
	return hit->origin == NULL ? 0 : hit->origin->line;
}

const struct net_lengths *
map_nets(const struct map *map)
{
	return &map->nets;
}

enum map_result
map_find_net(const struct map *map, slice key, struct map_hit *ret_hit)
{
	enum map_result result = MAP_MISSING;
	struct question question;

	question_init(&question, key);
	for (size_t i = 0; i < map->part_count && result == MAP_MISSING; i++) {
		if (map->parts[i].table != NULL)
			result =
			    ask_table(map->parts[i].table, &question, ret_hit);
	}
	free(question.heap);
	return result;
}

void
map_walk(const struct map *map,
    bool (*each)(void *context, slice key, const struct map_hit *hit),
    void *context)
{
	for (size_t i = 0; i < map->part_count; i++) {
		if (map->parts[i].table != NULL)
			table_walk(map->parts[i].table, each, context);
	}
}

slice
map_name(const struct map *map)
{
	return map->name;
}
