/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/snapshot_private.h"

#include <stdlib.h>

struct snapshot *
snapshot_new(void)
{
	struct snapshot *snapshot = xmalloc(sizeof(*snapshot));

	atomic_init(&snapshot->count, 1);
	snapshot->arena = arena_new(0);
	snapshot->first = snapshot->last = NULL;
	return snapshot;
}

struct snapshot *
snapshot_acquire(struct snapshot *snapshot)
{
	(void)atomic_fetch_add_explicit(
	    &snapshot->count, 1, memory_order_relaxed);
	return snapshot;
}

void
snapshot_drop_map(struct owned *owned)
{
	for (size_t i = 0; i < owned->part_count; i++) {
		table_release(owned->parts[i].table);
		pattern_list_release(owned->parts[i].patterns);
	}
}

void
snapshot_release(struct snapshot *snapshot)
{
	if (snapshot == NULL || atomic_fetch_sub_explicit(&snapshot->count, 1,
				    memory_order_acq_rel) > 1)
		return;
	for (struct owned *at = snapshot->first; at != NULL; at = at->next) {
		snapshot_drop_map(at);
		class_free(at->words);
	}
	arena_free(snapshot->arena);
	free(snapshot);
}

struct arena *
snapshot_arena(struct snapshot *snapshot)
{
	return snapshot->arena;
}

const struct snapshot_part *
snapshot_parts(const struct snapshot *snapshot)
{
	return snapshot->first == NULL ? NULL : &snapshot->first->part;
}

const struct snapshot_part *
snapshot_find_part(const struct snapshot *snapshot, slice name)
{
	const struct snapshot_part *part = snapshot_parts(snapshot);

	while (part != NULL && !slice_eq(part->name, name))
		part = part->next;
	return part;
}

static const struct snapshot_text *
find_text(const struct snapshot_part *part, slice path)
{
	const struct snapshot_text *text = part == NULL ? NULL : part->texts;

	while (text != NULL && !slice_eq(slice_from_cstr(text->path), path))
		text = text->next;
	return text;
}

const struct snapshot_text *
snapshot_find_text(const struct snapshot *snapshot, slice name, slice path)
{
	return find_text(snapshot_find_part(snapshot, name), path);
}

const char *
part_kind_text(enum part_kind kind)
{
	switch (kind) {
	case PART_MAP:
		return "map";
	case PART_CLASS:
		return "class";
	case PART_TEXT:
		break;
	}
	return "text";
}

const char *
part_kind_unit(enum part_kind kind)
{
	switch (kind) {
	case PART_MAP:
		return "entries";
	case PART_CLASS:
		return "words";
	case PART_TEXT:
		break;
	}
	return "files";
}

void
snapshot_append(struct snapshot *snapshot, struct owned *owned)
{
	if (snapshot->last == NULL) {
		snapshot->first = owned;
	} else {
		snapshot->last->next = owned;
		snapshot->last->part.next = &owned->part;
	}
	snapshot->last = owned;
}

struct owned *
snapshot_new_part(struct snapshot *snapshot, slice name)
{
	struct owned *owned = ARENA_NEW(snapshot->arena, struct owned);

	owned->part.name = arena_copy(snapshot->arena, name);
	return owned;
}

static void
measure_map(struct snapshot_part *part, struct map *map)
{
	for (size_t i = 0; i < map->part_count; i++) {
		const struct table *table = map->parts[i].table;
		const struct pattern_list *patterns = map->parts[i].patterns;
		uint64_t digest = table != NULL ? table_digest(table)
						: pattern_list_digest(patterns);

		part->entries += table != NULL ? table_count(table)
					       : pattern_list_count(patterns);
		part->bytes += table != NULL ? table_bytes(table)
					     : pattern_list_bytes(patterns);
		/* One table alone has the digest of its entries. */
		part->digest = part->digest * 0xff51afd7ed558ccdU + digest;
		if (table != NULL)
			net_lengths_join(&map->nets, table_nets(table));
	}
}

void
snapshot_append_map(struct snapshot *snapshot, struct owned *owned)
{
	struct map *map = ARENA_NEW(snapshot->arena, struct map);

	map->name = owned->part.name;
	map->parts = owned->parts;
	map->part_count = owned->part_count;
	measure_map(&owned->part, map);
	owned->part.map = map;
	snapshot_append(snapshot, owned);
}

void
snapshot_append_class(
    struct snapshot *snapshot, struct owned *owned, struct class *words)
{
	struct snapshot_part *part = &owned->part;

	part->kind = PART_CLASS;
	part->words = words;
	class_keep_totals(words, &part->entries, &part->bytes, &part->digest);
	owned->words = words;
	snapshot_append(snapshot, owned);
}
