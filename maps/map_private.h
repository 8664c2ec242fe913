/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a map is made of; for those who build maps, not for those who ask
 * them.
 */
#ifndef MAPS_MAP_PRIVATE_H
#define MAPS_MAP_PRIVATE_H

#include "maps/map.h"
#include "maps/pattern.h"
#include "maps/table.h"

/* One of the two; the other is NULL. */
struct map_part {
	struct table *table;
	struct pattern_list *patterns;
};

struct map {
	slice name;
	const struct map_part *parts; /* in the order they are asked */
	size_t part_count;
	struct net_lengths nets; /* of all tables */
};

#endif
