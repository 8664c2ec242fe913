/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/snapshot_diff.h"

#include "maps/map_private.h"

#include <string.h>

/* The comparison of an older part's members with a newer part. */
struct comparison {
	const struct map *before; /* NULL: classes */
	const struct snapshot_part *after;
	struct snapshot_diff diff;
};

/* Of a key that is in several tables of a map the first entry counts. */
static bool
counts(const struct map *map, slice key, const struct map_hit *hit)
{
	struct map_hit first;

	return map->part_count == 1 ||
	       (map_find_net(map, key, &first) == MAP_FOUND &&
		   first.value.ptr == hit->value.ptr);
}

static bool
compare_entry(void *context, slice key, const struct map_hit *hit)
{
	struct comparison *comparison = context;
	struct map_hit now;

	if (!counts(comparison->before, key, hit))
		return true;
	if (map_find_net(comparison->after->map, key, &now) != MAP_FOUND)
		comparison->diff.removed++;
	else if (!slice_eq(hit->value, now.value))
		comparison->diff.changed++;
	return true;
}

/* The n-th list of patterns, or NULL. */
static const struct pattern_list *
patterns_of(const struct map *map, size_t n)
{
	for (size_t i = 0; i < map->part_count; i++) {
		if (map->parts[i].patterns != NULL && n-- == 0)
			return map->parts[i].patterns;
	}
	return NULL;
}

/* The one table that the map is, or NULL. */
static const struct table *
table_of(const struct map *map)
{
	return map->part_count == 1 ? map->parts[0].table : NULL;
}

/* Keys of a shard are in the shard of that number of the other table, and
 * nowhere else. */
static bool
compare_shards(struct comparison *comparison)
{
	const struct table *before = table_of(comparison->before);
	const struct table *after = table_of(comparison->after->map);

	if (before == NULL || after == NULL ||
	    table_shard_count(before) != table_shard_count(after))
		return false;
	for (size_t i = 0; i < table_shard_count(before); i++) {
		if (!digest_eq(shard_digest(table_shard(before, i)),
			shard_digest(table_shard(after, i))))
			(void)table_walk_shard(
			    before, i, compare_entry, comparison);
	}
	return true;
}

static void
compare_maps(struct comparison *comparison)
{
	const struct map *before = comparison->before;
	const struct pattern_list *patterns;

	if (compare_shards(comparison))
		return;
	for (size_t i = 0; i < before->part_count; i++) {
		if (before->parts[i].table != NULL)
			table_walk(
			    before->parts[i].table, compare_entry, comparison);
	}
	for (size_t n = 0; (patterns = patterns_of(before, n)) != NULL; n++)
		comparison->diff.removed += pattern_list_missing(
		    patterns, patterns_of(comparison->after->map, n));
}

static bool
compare_word(void *context, slice word)
{
	struct comparison *comparison = context;

	if (!class_has(comparison->after->words, word))
		comparison->diff.removed++;
	return true;
}

struct tally {
	const struct map *map;
	size_t count;
};

static bool
tally_entry(void *context, slice key, const struct map_hit *hit)
{
	struct tally *tally = context;

	if (counts(tally->map, key, hit))
		tally->count++;
	return true;
}

static size_t
entries_of(const struct map *map)
{
	struct tally tally = {.map = map};

	for (size_t i = 0; i < map->part_count; i++) {
		if (map->parts[i].patterns != NULL)
			tally.count +=
			    pattern_list_count(map->parts[i].patterns);
		else if (map->part_count == 1)
			tally.count += table_count(map->parts[i].table);
		else
			table_walk(map->parts[i].table, tally_entry, &tally);
	}
	return tally.count;
}

static void
compare_texts(const struct snapshot_part *before,
    const struct snapshot_part *after, struct snapshot_diff *diff)
{
	for (const struct snapshot_text *old = before->texts; old != NULL;
	     old = old->next) {
		const struct snapshot_text *new = after->texts;

		while (new != NULL && strcmp(new->path, old->path) != 0)
			new = new->next;
		if (new == NULL)
			diff->removed++;
		else if (!slice_eq(old->content, new->content))
			diff->changed++;
	}
}

static size_t
members_of(const struct snapshot_part *part)
{
	if (part == NULL)
		return 0;
	switch (part->kind) {
	case PART_MAP:
		return entries_of(part->map);
	case PART_CLASS:
		return class_count(part->words);
	case PART_TEXT:
		break;
	}
	return part->entries;
}

struct snapshot_diff
snapshot_part_diff(
    const struct snapshot_part *before, const struct snapshot_part *after)
{
	struct comparison comparison = {.after = after};
	struct snapshot_diff *diff = &comparison.diff;

	diff->before = members_of(before);
	diff->after = members_of(after);
	if (before == NULL || after == NULL || before->kind != after->kind) {
		diff->removed = diff->before;
	} else if (before->kind == PART_CLASS) {
		class_walk(before->words, compare_word, &comparison);
	} else if (before->kind == PART_TEXT) {
		compare_texts(before, after, diff);
	} else if (before->digest != after->digest) {
		comparison.before = before->map;
		compare_maps(&comparison);
	}
	diff->added = diff->after - (diff->before - diff->removed);
	return *diff;
}
