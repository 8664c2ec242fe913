/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map: a named lookup from key to value, as policy/ sees it. Immutable once
 * its snapshot is published; any number of threads may look things up.
 *
 * A map is one or more tables and lists of patterns; of them the first that has
 * an answer to a key gives it. In tables keys are compared without regard to
 * ASCII case: builders fold, map_find folds the key it is asked for. What
 * patterns see of a key, and how, is told in maps/pattern.h.
 */
#ifndef MAPS_MAP_H
#define MAPS_MAP_H

#include "base/arena.h"
#include "maps/net.h"

enum map_result { MAP_FOUND, MAP_MISSING, MAP_TEMPFAIL };

/* Where an entry stands. */
struct map_origin {
	unsigned file; /* its number among the map's files */
	unsigned line;
};

struct map_hit {
	slice value; /* lives as long as the map and the arena */
	/* Not looked at by who needs the value alone: it lies elsewhere. NULL:
	 * the entry stands nowhere. */
	const struct map_origin *origin;
	const char *const *files;
};

struct map;

/* Only a value that a pattern puts together takes of the arena. MAP_TEMPFAIL:
 * the map cannot answer now; it must never be taken for MAP_MISSING. Then the
 * value says why, and the origin where. With MAP_MISSING ret_hit is
 * not set. */
__attribute__((warn_unused_result)) enum map_result map_find(
    const struct map *map, slice key, struct arena *arena,
    struct map_hit *ret_hit);

/* NULL, and 0: nowhere. */
const char *map_hit_file(const struct map_hit *hit);
unsigned map_hit_line(const struct map_hit *hit);

/* The nets among the keys, and the entry of one, whose key is net_key(). They
 * are in tables alone: patterns are not asked. */
const struct net_lengths *map_nets(const struct map *map);
__attribute__((warn_unused_result)) enum map_result map_find_net(
    const struct map *map, slice key, struct map_hit *ret_hit);

/* Every entry of the tables, those that an earlier table hides too, until
 * `each` says false. */
void map_walk(const struct map *map,
    bool (*each)(void *context, slice key, const struct map_hit *hit),
    void *context);

/* "access", as in the configuration. */
slice map_name(const struct map *map);

#endif
