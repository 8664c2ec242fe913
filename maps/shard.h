/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A shard: entries looked up by their exact key, one immutable image in memory
 * (a cdb file in a sealed memfd, mapped read-only). A table is made of shards;
 * a node sends and keeps a shard as its records, which `shard_digest` names:
 * the same keys and values in the same order are the same records. Where the
 * entries come from is not in them, so that a line more in a file changes one
 * shard, not all that follow.
 *
 * Building is for one thread; a finished shard may be read by any number. A
 * lookup neither allocates nor calls the system. Shards are counted: made with
 * a count of 1 that belongs to the caller, freed by the last to release them.
 */
#ifndef MAPS_SHARD_H
#define MAPS_SHARD_H

#include "base/error.h"
#include "base/slice.h"
#include "maps/digest.h"
#include "maps/map.h"

struct shard;
struct shard_builder;

struct shard_entry {
	slice key;
	slice value;
	size_t ordinal; /* the how-manieth it is, from 0 */
};

/* Of the key as it is looked up, folded to lower case. */
unsigned shard_hash(slice key);
/* Where there are SHARDS of them, in which an entry is. */
#define SHARDS 64
unsigned shard_number(unsigned hash);

/* NULL: no memory. */
struct shard_builder *shard_builder_new(void);
void shard_builder_free(struct shard_builder *builder);
/* Room for the entries of so many bytes of text, if there is memory. */
void shard_builder_reserve(struct shard_builder *builder, size_t bytes);
/* Empty again, for another shard. */
void shard_builder_reset(struct shard_builder *builder);
/* Key is folded to lower case here; `hash` is shard_hash() of it. Neither key
 * nor value are larger than INT_MAX. False when
 * memory or the image's limit of 4 GB is exhausted. */
bool shard_builder_add(struct shard_builder *builder, unsigned hash, slice key,
    slice value, struct map_origin origin, struct error *error);
/* Adds what another builder has under this ordinal. */
bool shard_builder_copy(struct shard_builder *builder,
    const struct shard_builder *from, size_t ordinal, struct error *error);
size_t shard_builder_count(const struct shard_builder *builder);
unsigned shard_builder_hash(
    const struct shard_builder *builder, size_t ordinal);
/* Of an entry that was added, or once the shard is finished, of one in it. */
struct map_origin shard_builder_origin(
    const struct shard_builder *builder, size_t ordinal);

/* Hears of an entry whose key an earlier one has, which is left out. */
typedef void shard_lost(
    void *context, slice key, const struct map_origin *origin);

/* NULL on failure. The builder stays for the origins; nothing may be added
 * before it is reset. `lost` may be NULL. */
struct shard *shard_finish(struct shard_builder *builder, shard_lost *lost,
    void *context, struct error *error);
/* From the records of another, which are not trusted. NULL: they are damaged
 * (EX_DATAERR), or cannot be kept. */
struct shard *shard_of_records(slice records, struct error *error);
struct shard *shard_acquire(struct shard *shard);
void shard_release(struct shard *shard);

/* `key` must be folded already, and `hash` be its shard_hash(). */
bool shard_find(const struct shard *shard, unsigned hash, slice key,
    struct shard_entry *ret_entry);
/* In the order in which they were added. Starts with *position 0; false at the
 * end. */
bool shard_next(const struct shard *shard, unsigned *position,
    struct shard_entry *ret_entry);

/* Whether shard_number() of all its entries is this. */
bool shard_is_number(const struct shard *shard, unsigned number);
/* Lives as long as the shard. */
slice shard_records(const struct shard *shard);
struct digest shard_digest(const struct shard *shard);
size_t shard_count(const struct shard *shard);
/* Of memory. */
size_t shard_bytes(const struct shard *shard);
/* No key is longer. */
size_t shard_longest_key(const struct shard *shard);
/* Of its keys that are nets (maps/net.h). */
const struct net_lengths *shard_nets(const struct shard *shard);
/* The sum of shard_entry_digest() of its entries. */
uint64_t shard_content(const struct shard *shard);
/* FNV-1a of key, a NUL, value, with its bits mixed; key and value as stored. */
uint64_t shard_entry_digest(slice key, slice value);

#endif
