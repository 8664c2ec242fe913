/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last good copy: a generation in a directory, for the day when there is
 * nobody to fetch it from. A file "manifest", and the image of each part in a
 * file named by its digest. Files are written aside, to the disk, and renamed,
 * the manifest last; so the directory holds the whole of one generation
 * whenever the machine stops. What is read is checked as what comes from
 * elsewhere.
 */
#ifndef MAPS_LAST_GOOD_H
#define MAPS_LAST_GOOD_H

#include "maps/manifest.h"

/* The directory is made, its parent must be there. Images that are there are
 * not written again; those that the manifest does not name are removed. */
bool last_good_write(const char *directory, const struct manifest *manifest,
    const struct snapshot *parts, struct error *error);
/* The parts in a new snapshot. NULL: there is no copy (EX_NOINPUT) or it is
 * damaged (EX_DATAERR). */
struct snapshot *last_good_read(const char *directory, struct arena *arena,
    struct manifest *ret_manifest, struct error *error);

#endif
