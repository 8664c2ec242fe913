/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a map is made of; for those who build maps, not for those who ask
 * them.
 */
#ifndef MAPS_MAP_PRIVATE_H
#define MAPS_MAP_PRIVATE_H

#include "maps/map.h"
#include "maps/table.h"

struct map {
	slice name;
	struct table *table;
};

#endif
