/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image of a part: a map, class or text as bytes, to be kept on disk or
 * given to another machine, which makes the same part of it. The same entries
 * from the same lines of the same files give the same image.
 *
 * Made of a table are only the entries that count; its index is built anew, so
 * that an image cannot lead a lookup astray. Words that are this machine's own
 * (class_add_own()) are left out.
 *
 * What is read is not trusted: every length is checked against what is there,
 * and the entries against their number and the sum of their digests.
 */
#ifndef MAPS_IMAGE_H
#define MAPS_IMAGE_H

#include "maps/digest.h"
#include "maps/snapshot.h"

struct image {
	unsigned char *bytes;
	size_t len;
	size_t size;
};

/* To be freed with image_free(). */
void image_of_part(const struct snapshot_part *part, struct image *ret_image);
void image_free(struct image *image);
slice image_slice(const struct image *image);

/* Adds the part that the image is of. False: it is damaged, and the snapshot
 * good for nothing but its release; exit code EX_DATAERR. */
bool snapshot_add_image(
    struct snapshot *snapshot, slice name, slice image, struct error *error);
/* Adds a part of another snapshot; tables and patterns are held in common,
 * words that are the machine's own are left out. */
void snapshot_share_part(
    struct snapshot *snapshot, const struct snapshot_part *part);

#endif
