/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map: a named lookup from key to value, as policy/ sees it. Immutable once
 * its snapshot is published; any number of threads may look things up.
 *
 * Keys are compared without regard to ASCII case: builders fold, map_find
 * folds the key it is asked for.
 */
#ifndef MAPS_MAP_H
#define MAPS_MAP_H

#include "base/slice.h"

enum map_result { MAP_FOUND, MAP_MISSING, MAP_TEMPFAIL };

struct map_hit {
	slice value;	  /* lives as long as the map */
	const char *file; /* where the entry stands, for explain */
	unsigned line;
};

struct map;

/* MAP_TEMPFAIL: the map cannot answer now; it must never be taken for
 * MAP_MISSING. ret_hit is set only with MAP_FOUND. */
__attribute__((warn_unused_result)) enum map_result
map_find(const struct map *map, slice key, struct map_hit *ret_hit);

/* "access", as in the configuration. */
slice map_name(const struct map *map);

#endif
