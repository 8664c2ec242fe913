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

struct table_builder {
	struct file_names files;
	struct shard_builder *all; /* as they came */
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

struct table_builder *
table_builder_new(struct error *error)
{
	struct table_builder *builder = calloc(1, sizeof(*builder));

	if (builder != NULL) {
		builder->files.arena = arena_new(0);
		builder->all = shard_builder_new();
	}
	if (builder == NULL || builder->all == NULL) {
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
	shard_builder_free(builder->all);
	free(builder);
}

unsigned
table_builder_add_file(struct table_builder *builder, const char *file)
{
	return add_name(&builder->files, file);
}

void
table_builder_expect(struct table_builder *builder, size_t bytes)
{
	shard_builder_reserve(builder->all, bytes);
}

bool
table_builder_add(struct table_builder *builder, slice key, slice value,
    unsigned file, unsigned line, struct error *error)
{
	struct map_origin origin = {file, line};

	if (key.len > INT_MAX || value.len > INT_MAX)
		return error_set(error, "entry is larger than 2 GB");
	return shard_builder_add(
	    builder->all, shard_hash(key), key, value, origin, error);
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

/* Shards as they are made, and the origins of their entries. */
struct making {
	struct losses *losses; /* NULL: nobody asks */
	struct map_origin *origins;
	size_t origin_count;
	struct shard *shards[SHARDS];
	size_t shard_count;
};

static bool
make_one(
    struct making *making, struct shard_builder *builder, struct error *error)
{
	struct shard *shard = shard_finish(builder,
	    making->losses == NULL ? NULL : note_loss, making->losses, error);

	if (shard == NULL)
		return false;
	making->shards[making->shard_count++] = shard;
	for (size_t n = 0; n < shard_count(shard); n++)
		making->origins[making->origin_count++] =
		    shard_builder_origin(builder, n);
	return true;
}

/* Ordinals of a builder's entries, by the number of their shard; those of shard
 * i are [starts[i], starts[i + 1]). */
static unsigned *
sort_into_shards(const struct shard_builder *builder, size_t starts[SHARDS + 1])
{
	size_t count = shard_builder_count(builder);
	unsigned *sorted = xmalloc((count + 1) * sizeof(*sorted));
	size_t next[SHARDS];

	memory_prefer_large_pages(sorted, count * sizeof(*sorted));
	memset(starts, 0, (SHARDS + 1) * sizeof(*starts));
	for (size_t i = 0; i < count; i++)
		starts[shard_number(shard_builder_hash(builder, i)) + 1]++;
	for (size_t s = 0; s < SHARDS; s++) {
		starts[s + 1] += starts[s];
		next[s] = starts[s];
	}
	for (size_t i = 0; i < count; i++)
		sorted[next[shard_number(shard_builder_hash(builder, i))]++] =
		    (unsigned)i;
	return sorted;
}

/* One after the other in the same memory. */
static bool
make_many(
    struct making *making, const struct shard_builder *all, struct error *error)
{
	struct shard_builder *builder = shard_builder_new();
	size_t starts[SHARDS + 1];
	unsigned *sorted = sort_into_shards(all, starts);
	bool done = builder != NULL || error_set(error, "out of memory");

	for (size_t s = 0; done && s < SHARDS; s++) {
		shard_builder_reset(builder);
		for (size_t i = starts[s]; done && i < starts[s + 1]; i++)
			done =
			    shard_builder_copy(builder, all, sorted[i], error);
		done = done && make_one(making, builder, error);
	}
	shard_builder_free(builder);
	free(sorted);
	return done;
}

static struct table *
finish_shards(
    struct table_builder *builder, struct losses *losses, struct error *error)
{
	size_t count = shard_builder_count(builder->all);
	struct making making = {.losses = losses,
	    .origins = xmalloc((count + 1) * sizeof(*making.origins))};
	struct table *table;
	bool done;

	memory_prefer_large_pages(
	    making.origins, count * sizeof(*making.origins));
	done = count > TABLE_SHARDED_FROM
		   ? make_many(&making, builder->all, error)
		   : make_one(&making, builder->all, error);
	if (!done) {
		table_release_shards(making.shards, making.shard_count);
		free(making.origins);
		return NULL;
	}
	table = make_table(making.shards, making.shard_count, making.origins);
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
