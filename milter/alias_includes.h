/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The aliases' ":include:" files for a fleet: those that the aliases name, and
 * that such files name, become a text of the snapshot and travel with the
 * generation. A server that has no such file of its own uses the fleet's; one
 * that has, its own (milter/include_file.h). Names that patterns put together
 * are known only when they are asked for; their files stay this server's.
 */
#ifndef MILTER_ALIAS_INCLUDES_H
#define MILTER_ALIAS_INCLUDES_H

#include "maps/snapshot.h"
#include "policy/decide.h"

#define ALIAS_INCLUDES_PART "aliases_include"

/* What is beyond these is not shared, with a warning. */
#define ALIAS_INCLUDES_FILES_MAX 4096
#define ALIAS_INCLUDES_BYTES_MAX (16UL * 1024 * 1024)

/* Adds the files of d->policy->aliases. One that cannot be used is left out
 * with a warning. False: a file could not be read that may be readable later;
 * without it the fleet would take it for gone. */
bool alias_includes_add(struct snapshot *snapshot, const struct decision *d,
    const struct snapshot_source *source, struct error *error);
/* The fleet's text of the file; false: it has none. */
bool alias_includes_find(
    const struct snapshot *snapshot, slice path, slice *ret_text);

#endif
