/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table: the exact-match lookup inside a map, one immutable image in
 * memory (a tinycdb file in a memfd, mapped read-only). The image is what a
 * node would keep on disk or send to another node; `digest` names it.
 *
 * Building is for one thread; a finished table may be read by any number.
 * The first of several entries with one key wins, as with makemap; the others
 * are counted and reported by table_finish().
 */
#ifndef MAPS_TABLE_H
#define MAPS_TABLE_H

#include "base/arena.h"
#include "base/error.h"
#include "maps/map.h"

#include <stdint.h>

struct table;
struct table_builder;

/* `file` indexes say where an entry came from; see table_builder_add_file. */
struct table_builder *table_builder_new(struct error *error);
/* Returns the index to give to table_builder_add. */
unsigned table_builder_add_file(
    struct table_builder *builder, const char *file);
/* Key is folded to lower case here. False when memory or the image's limit of
 * 4 GB is exhausted. */
bool table_builder_add(struct table_builder *builder, slice key, slice value,
    unsigned file, unsigned line, struct error *error);

struct table_duplicate {
	slice key;
	const char *file;
	unsigned line;	     /* of the entry that lost */
	unsigned first_line; /* of the entry that counts */
};

/* Consumes the builder, also on failure. `on_duplicate` may be NULL. */
struct table *table_finish(struct table_builder *builder,
    void (*on_duplicate)(void *context, const struct table_duplicate *),
    void *context, struct error *error);
void table_builder_free(struct table_builder *builder);
void table_free(struct table *table);

/* Only MAP_FOUND or MAP_MISSING. `key` must be folded already. */
enum map_result table_find(
    const struct table *table, slice key, struct map_hit *ret_hit);
/* Distinct keys. */
size_t table_count(const struct table *table);
size_t table_bytes(const struct table *table);
uint64_t table_digest(const struct table *table);
/* Every counting entry once, in file order; stops when `each` says false. */
void table_walk(const struct table *table,
    bool (*each)(void *context, slice key, const struct map_hit *hit),
    void *context);

#endif
