/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/map_private.h"

#include "base/arena.h"

#include <stdlib.h>

#define KEY_ON_STACK 1024

static slice
fold(char *buffer, slice key)
{
	slice_lower_into(buffer, key);
	return (slice){buffer, key.len};
}

static enum map_result
find_long(const struct map *map, slice key, struct map_hit *ret_hit)
{
	char *buffer = xmalloc(key.len);
	enum map_result result =
	    table_find(map->table, fold(buffer, key), ret_hit);

	free(buffer);
	return result;
}

enum map_result
map_find(const struct map *map, slice key, struct map_hit *ret_hit)
{
	char buffer[KEY_ON_STACK];

	if (key.len > table_longest_key(map->table))
		return MAP_MISSING;
	if (key.len > sizeof(buffer))
		return find_long(map, key, ret_hit);
	return table_find(map->table, fold(buffer, key), ret_hit);
}

slice
map_name(const struct map *map)
{
	return map->name;
}
