/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table: the exact-match lookup inside a map. Its entries are in shards
 * (maps/shard.h), a large table's in SHARDS of them by the hash of the
 * key, so that of a table that has changed a little most shards are the same;
 * the table itself has the files and lines.
 *
 * Building is for one thread; a finished table may be read by any number.
 * The first of several entries with one key wins, as with makemap; the others
 * are reported by table_finish(). A lookup neither allocates nor calls the
 * system.
 */
#ifndef MAPS_TABLE_H
#define MAPS_TABLE_H

#include "base/arena.h"
#include "base/error.h"
#include "maps/map.h"
#include "maps/shard.h"

#define TABLE_SHARDED_FROM 32768 /* entries */

struct table;
struct table_builder;

struct table_builder *table_builder_new(struct error *error);
/* Returns the index to give to table_builder_add. The name is copied. */
unsigned table_builder_add_file(
    struct table_builder *builder, const char *file);
/* The entries of so many bytes of text are to be added. */
void table_builder_expect(struct table_builder *builder, size_t bytes);
/* Key is folded to lower case here. False when memory or the image's limit of
 * 4 GB is exhausted. */
bool table_builder_add(struct table_builder *builder, slice key, slice value,
    unsigned file, unsigned line, struct error *error);

struct table_duplicate {
	slice key;
	const char *file;
	unsigned line; /* of the entry that lost */
	const char *first_file;
	unsigned first_line; /* of the entry that counts */
};

/* Consumes the builder, also on failure. `on_duplicate` may be NULL; it hears
 * of the duplicates by file and line, and its slice lives as long as the
 * call. */
struct table *table_finish(struct table_builder *builder,
    void (*on_duplicate)(void *context, const struct table_duplicate *),
    void *context, struct error *error);
void table_builder_free(struct table_builder *builder);
/* A table of these shards, 1 or SHARDS of them, and the origins of their
 * entries one after the other, from malloc(): both are the table's from then
 * on, also on failure. Files are the names by number. NULL: a shard does not
 * belong where it stands, or a file has no name. */
struct table *table_of_shards(struct shard *const *shards, size_t shard_count,
    struct map_origin *origins, const char *const *names, unsigned name_count);
/* Of shards that do not become a table after all. */
void table_release_shards(struct shard *const *shards, size_t count);
/* A finished table is counted and may be in several snapshots: made with a
 * count of 1 that belongs to the caller, freed by the last to release it. */
struct table *table_acquire(struct table *table);
void table_release(struct table *table);

/* Only MAP_FOUND or MAP_MISSING. `key` must be folded already. */
enum map_result table_find(
    const struct table *table, slice key, struct map_hit *ret_hit);
/* Distinct keys. */
size_t table_count(const struct table *table);
size_t table_bytes(const struct table *table);
/* No key is longer. */
size_t table_longest_key(const struct table *table);
/* Of its keys that are nets (maps/net.h). */
const struct net_lengths *table_nets(const struct table *table);
/* The sum of shard_entry_digest() of all entries that count: the same for the
 * same keys and values, whatever their order, files and lines. */
uint64_t table_digest(const struct table *table);
/* Of all entries, one shard's after the other's; and the name of a file. */
const struct map_origin *table_origins(const struct table *table);
const char *table_file(const struct table *table, unsigned number);
size_t table_shard_count(const struct table *table);
struct shard *table_shard(const struct table *table, size_t number);
/* Every counting entry once, shard by shard, in each in the order they were
 * added; stops when `each` says false. */
void table_walk(const struct table *table,
    bool (*each)(void *context, slice key, const struct map_hit *hit),
    void *context);
/* The same with one of its shards; false when `each` has said so. */
bool table_walk_shard(const struct table *table, size_t number,
    bool (*each)(void *context, slice key, const struct map_hit *hit),
    void *context);

#endif
