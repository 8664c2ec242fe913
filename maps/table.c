/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/table.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct file_names {
	struct arena *arena;
	const char **names;
	unsigned count;
};

/* One shard is built until there are too many entries for it. */
struct table_builder {
	struct file_names files;
	struct shard_builder *shards[SHARDS];
	size_t shard_count;
};

struct table {
	atomic_size_t holders;
	struct file_names files;
	struct shard *shards[SHARDS];
	size_t shard_count;
	size_t firsts[SHARDS]; /* where a shard's origins begin */
	struct map_origin *origins;
	size_t count;
	size_t longest_key;
	uint64_t digest;
	struct net_lengths nets;
};

static void
free_names(struct file_names *files)
{
	arena_free(files->arena);
	free(files->names);
}

static unsigned
add_name(struct file_names *files, const char *file)
{
	files->names =
	    xrealloc(files->names, (files->count + 1) * sizeof(*files->names));
	files->names[files->count] =
	    arena_cstr(files->arena, slice_from_cstr(file));
	return files->count++;
}

/*
 * Building.
 */

static bool
open_shards(struct table_builder *builder, size_t count)
{
	while (builder->shard_count < count) {
		struct shard_builder *shard = shard_builder_new();

		if (shard == NULL)
			return false;
		builder->shards[builder->shard_count++] = shard;
	}
	return true;
}

struct table_builder *
table_builder_new(struct error *error)
{
	struct table_builder *builder = calloc(1, sizeof(*builder));

	if (builder != NULL)
		builder->files.arena = arena_new(0);
	if (builder == NULL || !open_shards(builder, 1)) {
		table_builder_free(builder);
		(void)error_set(error, "out of memory");
		return NULL;
	}
	return builder;
}

void
table_builder_free(struct table_builder *builder)
{
	if (builder == NULL)
		return;
	free_names(&builder->files);
	for (size_t i = 0; i < builder->shard_count; i++)
		shard_builder_free(builder->shards[i]);
	free(builder);
}

unsigned
table_builder_add_file(struct table_builder *builder, const char *file)
{
	return add_name(&builder->files, file);
}

static bool
add(struct table_builder *builder, slice key, slice value,
    struct map_origin origin, struct error *error)
{
	unsigned hash = shard_hash(key);
	size_t number = builder->shard_count == 1 ? 0 : shard_number(hash);

	return shard_builder_add(
	    builder->shards[number], hash, key, value, origin, error);
}

/* From one shard to many. */
static bool
divide(struct table_builder *builder, struct error *error)
{
	struct shard_builder *whole = builder->shards[0];
	size_t count = shard_builder_count(whole);
	bool done;

	builder->shard_count = 0;
	done =
	    open_shards(builder, SHARDS) || error_set(error, "out of memory");
	for (size_t i = 0; done && i < count; i++) {
		struct shard_entry entry = shard_builder_entry(whole, i);

		done = add(builder, entry.key, entry.value,
		    shard_builder_origin(whole, i), error);
	}
	shard_builder_free(whole);
	return done;
}

bool
table_builder_add(struct table_builder *builder, slice key, slice value,
    unsigned file, unsigned line, struct error *error)
{
	if (key.len > INT_MAX || value.len > INT_MAX)
		return error_set(error, "entry is larger than 2 GB");
	if (builder->shard_count == 1 &&
	    shard_builder_count(builder->shards[0]) == TABLE_SHARDED_FROM &&
	    !divide(builder, error))
		return false;
	return add(builder, key, value, (struct map_origin){file, line}, error);
}

void
table_release_shards(struct shard *const *shards, size_t count)
{
	for (size_t i = 0; i < count; i++)
		shard_release(shards[i]);
}

static void
add_shard(struct table *table, struct shard *shard)
{
	table->firsts[table->shard_count] = table->count;
	table->shards[table->shard_count++] = shard;
	table->count += shard_count(shard);
	table->digest += shard_content(shard);
	net_lengths_join(&table->nets, shard_nets(shard));
	if (table->longest_key < shard_longest_key(shard))
		table->longest_key = shard_longest_key(shard);
}

/* Without names; the origins become the table's, also on failure. */
static struct table *
make_table(
    struct shard *const *shards, size_t shard_count, struct map_origin *origins)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table == NULL) {
		table_release_shards(shards, shard_count);
		free(origins);
		return NULL;
	}
	atomic_init(&table->holders, 1);
	for (size_t i = 0; i < shard_count; i++)
		add_shard(table, shards[i]);
	table->origins = origins;
	return table;
}

/* Entries whose key had been there. */
struct lost {
	slice key;
	struct map_origin origin;
};

struct losses {
	struct arena *arena;
	struct lost *lost;
	size_t count;
	size_t room;
};

static void
note_loss(void *context, slice key, const struct map_origin *origin)
{
	struct losses *losses = context;

	if (losses->count == losses->room) {
		losses->room = losses->room * 2 + 64;
		losses->lost = xrealloc(
		    losses->lost, losses->room * sizeof(*losses->lost));
	}
	losses->lost[losses->count++] =
	    (struct lost){arena_copy(losses->arena, key), *origin};
}

static int
compare_losses(const void *a, const void *b)
{
	const struct map_origin *one = &((const struct lost *)a)->origin;
	const struct map_origin *other = &((const struct lost *)b)->origin;

	if (one->file != other->file)
		return one->file < other->file ? -1 : 1;
	return (one->line > other->line) - (one->line < other->line);
}

static void
tell_losses(const struct table *table, struct losses *losses,
    void (*on_duplicate)(void *context, const struct table_duplicate *),
    void *context)
{
	if (losses->count > 0)
		qsort(losses->lost, losses->count, sizeof(*losses->lost),
		    compare_losses);
	for (size_t i = 0; i < losses->count; i++) {
		const struct lost *lost = &losses->lost[i];
		struct table_duplicate duplicate = {.key = lost->key,
		    .file = table->files.names[lost->origin.file],
		    .line = lost->origin.line};
		struct map_hit first;

		if (table_find(table, lost->key, &first) != MAP_FOUND)
			continue;
		duplicate.first_file = map_hit_file(&first);
		duplicate.first_line = map_hit_line(&first);
		on_duplicate(context, &duplicate);
	}
}

/* What is built of one shard is freed before the next takes as much. */
static struct shard *
finish_shard(struct table_builder *builder, size_t number,
    struct losses *losses, struct map_origin *origins, struct error *error)
{
	struct shard_builder *built = builder->shards[number];
	struct shard *shard = shard_finish(
	    built, losses == NULL ? NULL : note_loss, losses, error);

	for (size_t n = 0; shard != NULL && n < shard_count(shard); n++)
		origins[n] = shard_builder_origin(built, n);
	shard_builder_free(built);
	builder->shards[number] = NULL;
	return shard;
}

static size_t
added_count(const struct table_builder *builder)
{
	size_t count = 0;

	for (size_t i = 0; i < builder->shard_count; i++)
		count += shard_builder_count(builder->shards[i]);
	return count;
}

static struct table *
finish_shards(
    struct table_builder *builder, struct losses *losses, struct error *error)
{
	struct map_origin *origins =
	    xmalloc((added_count(builder) + 1) * sizeof(*origins));
	struct shard *shards[SHARDS];
	struct table *table;
	size_t at = 0;

	for (size_t i = 0; i < builder->shard_count; i++) {
		shards[i] =
		    finish_shard(builder, i, losses, origins + at, error);
		if (shards[i] == NULL) {
			table_release_shards(shards, i);
			free(origins);
			return NULL;
		}
		at += shard_count(shards[i]);
	}
	table = make_table(shards, builder->shard_count, origins);
	if (table == NULL) {
		(void)error_set(error, "out of memory");
		return NULL;
	}
	table->files = builder->files;
	builder->files = (struct file_names){0};
	return table;
}

struct table *
table_finish(struct table_builder *builder,
    void (*on_duplicate)(void *context, const struct table_duplicate *),
    void *context, struct error *error)
{
	struct losses losses = {.arena = arena_new(0)};
	struct table *table = finish_shards(
	    builder, on_duplicate == NULL ? NULL : &losses, error);

	if (table != NULL && on_duplicate != NULL)
		tell_losses(table, &losses, on_duplicate, context);
	table_builder_free(builder);
	free(losses.lost);
	arena_free(losses.arena);
	return table;
}

static bool
are_sound(struct shard *const *shards, size_t shard_count)
{
	if (shard_count != 1 && shard_count != SHARDS)
		return false;
	for (size_t i = 0; shard_count > 1 && i < shard_count; i++) {
		if (!shard_is_number(shards[i], (unsigned)i))
			return false;
	}
	return true;
}

static bool
has_names(const struct table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->origins[i].file >= table->files.count)
			return false;
	}
	return true;
}

struct table *
table_of_shards(struct shard *const *shards, size_t shard_count,
    struct map_origin *origins, const char *const *names, unsigned name_count)
{
	struct table *table;

	if (!are_sound(shards, shard_count)) {
		table_release_shards(shards, shard_count);
		free(origins);
		return NULL;
	}
	table = make_table(shards, shard_count, origins);
	if (table == NULL)
		return NULL;
	table->files.arena = arena_new(0);
	for (unsigned i = 0; i < name_count; i++)
		(void)add_name(&table->files, names[i]);
	if (has_names(table))
		return table;
	table_release(table);
	return NULL;
}

struct table *
table_acquire(struct table *table)
{
	(void)atomic_fetch_add_explicit(
	    &table->holders, 1, memory_order_relaxed);
	return table;
}

void
table_release(struct table *table)
{
	if (table == NULL || atomic_fetch_sub_explicit(
				 &table->holders, 1, memory_order_acq_rel) > 1)
		return;
	table_release_shards(table->shards, table->shard_count);
	free_names(&table->files);
	free(table->origins);
	free(table);
}

/*
 * Asking.
 */

static struct map_hit
hit_of(
    const struct table *table, size_t number, const struct shard_entry *entry)
{
	return (struct map_hit){.value = entry->value,
	    .origin = &table->origins[table->firsts[number] + entry->ordinal],
	    .files = table->files.names};
}

enum map_result
table_find(const struct table *table, slice key, struct map_hit *ret_hit)
{
	struct shard_entry entry;
	unsigned hash;
	size_t number;

	if (key.len > table->longest_key)
		return MAP_MISSING;
	hash = shard_hash(key);
	number = table->shard_count == 1 ? 0 : shard_number(hash);
	if (!shard_find(table->shards[number], hash, key, &entry))
		return MAP_MISSING;
	*ret_hit = hit_of(table, number, &entry);
	return MAP_FOUND;
}

size_t
table_count(const struct table *table)
{
	return table->count;
}

size_t
table_bytes(const struct table *table)
{
	size_t bytes = table->count * sizeof(*table->origins);

	for (size_t i = 0; i < table->shard_count; i++)
		bytes += shard_bytes(table->shards[i]);
	return bytes;
}

size_t
table_longest_key(const struct table *table)
{
	return table->longest_key;
}

const struct net_lengths *
table_nets(const struct table *table)
{
	return &table->nets;
}

uint64_t
table_digest(const struct table *table)
{
	return table->digest;
}

const struct map_origin *
table_origins(const struct table *table)
{
	return table->origins;
}

const char *
table_file(const struct table *table, unsigned number)
{
	return table->files.names[number];
}

size_t
table_shard_count(const struct table *table)
{
	return table->shard_count;
}

struct shard *
table_shard(const struct table *table, size_t number)
{
	return table->shards[number];
}

bool
table_walk_shard(const struct table *table, size_t number,
    bool (*each)(void *context, slice key, const struct map_hit *hit),
    void *context)
{
	struct shard_entry entry;
	unsigned position = 0;

	while (shard_next(table->shards[number], &position, &entry)) {
		struct map_hit hit = hit_of(table, number, &entry);

		if (!each(context, entry.key, &hit))
			return false;
	}
	return true;
}

void
table_walk(const struct table *table,
    bool (*each)(void *context, slice key, const struct map_hit *hit),
    void *context)
{
	for (size_t i = 0; i < table->shard_count; i++) {
		if (!table_walk_shard(table, i, each, context))
			return;
	}
}
