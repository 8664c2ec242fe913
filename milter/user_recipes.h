/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Users' recipes for a fleet. Where user_recipes names one directory for all,
 * "/etc/milterd/users/%u.rc", the files in it become a text of the snapshot,
 * and travel with the generation as the system's recipes do. A server that has
 * no such file of its own uses the fleet's; one that has, its own.
 *
 * Taken are regular files that bear such a name and that only root or the
 * daemon's user could have written. Others stay what they are: this server's.
 */
#ifndef MILTER_USER_RECIPES_H
#define MILTER_USER_RECIPES_H

#include "maps/snapshot.h"

#define USER_RECIPES_PART "user_recipes"

/* Beyond these none is shared, with a warning. */
#define USER_RECIPES_FILES_MAX 4096
#define USER_RECIPES_BYTES_MAX (16UL * 1024 * 1024)

/* Adds the files that the pattern stands for, if it is such a pattern and the
 * directory is there. False: a file could not be read that may be readable
 * later; without it the fleet would take it for gone. */
bool user_recipes_add(struct snapshot *snapshot, slice pattern,
    const struct snapshot_source *source, struct error *error);
/* The fleet's text of the file; false: it has none. */
bool user_recipes_find(
    const struct snapshot *snapshot, slice path, slice *ret_text);

#endif
