/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a snapshot is made of; for those who fill one, not for those who hold
 * one.
 */
#ifndef MAPS_SNAPSHOT_PRIVATE_H
#define MAPS_SNAPSHOT_PRIVATE_H

#include "maps/map_private.h"
#include "maps/snapshot.h"

#include <stdatomic.h>

/* A part together with what must be freed with it. */
struct owned {
	struct snapshot_part part;
	struct map_part *parts;
	size_t part_count;
	struct class *words;
	struct snapshot_text *last_text;
	struct snapshot_file *last_file;
	struct owned *next;
};

struct snapshot {
	atomic_size_t count;
	struct arena *arena;
	struct owned *first;
	struct owned *last;
};

/* A part is made, filled, and appended once it is good. */
struct owned *snapshot_new_part(struct snapshot *snapshot, slice name);
void snapshot_append(struct snapshot *snapshot, struct owned *owned);
/* A map of the tables and lists of patterns that the part has got. */
void snapshot_append_map(struct snapshot *snapshot, struct owned *owned);
/* Gives those back. */
void snapshot_drop_map(struct owned *owned);
/* The class becomes the snapshot's. */
void snapshot_append_class(
    struct snapshot *snapshot, struct owned *owned, struct class *words);
/* Adds a file to a text; both are copied. */
void snapshot_keep_text(
    struct snapshot *snapshot, struct owned *owned, slice path, slice content);

#endif
