/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What changes with a new generation, for reload's report.
 */
#ifndef MAPS_SNAPSHOT_DIFF_H
#define MAPS_SNAPSHOT_DIFF_H

#include "maps/snapshot.h"

/* How two generations of one map or class differ. A pattern is its own key. */
struct snapshot_diff {
	size_t before;
	size_t after;
	size_t added;
	size_t removed;
	size_t changed; /* same key, other value */
};

/* Either may be NULL (the map is new, or gone). A map and a class of one name
 * have nothing in common. */
struct snapshot_diff snapshot_part_diff(
    const struct snapshot_part *before, const struct snapshot_part *after);

#endif
