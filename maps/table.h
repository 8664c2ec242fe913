/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table: the exact-match lookup inside a map, one immutable image in
 * memory (a cdb file in a sealed memfd, mapped read-only). The image is what
 * a node would keep on disk or send to another node; `digest` names it.
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
#include "maps/net.h"

#include <stdint.h>

struct table;
struct table_builder;

struct table_builder *table_builder_new(struct error *error);
/* Returns the index to give to table_builder_add. The name is copied. */
unsigned table_builder_add_file(
    struct table_builder *builder, const char *file);
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
 * of the duplicates in the order they were added, and its slice lives as long
 * as the table. */
struct table *table_finish(struct table_builder *builder,
    void (*on_duplicate)(void *context, const struct table_duplicate *),
    void *context, struct error *error);
void table_builder_free(struct table_builder *builder);
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
/* The sum of table_entry_digest() of all entries that count: the same for the
 * same keys and values, whatever their order, files and lines. */
uint64_t table_digest(const struct table *table);
/* FNV-1a of key, a NUL, value, with its bits mixed; key and value as stored. */
uint64_t table_entry_digest(slice key, slice value);
/* Every counting entry once, in file order; stops when `each` says false. */
void table_walk(const struct table *table,
    bool (*each)(void *context, slice key, const struct map_hit *hit),
    void *context);

#endif
