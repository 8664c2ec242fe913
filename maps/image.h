/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image of a part: a map, class or text as bytes, to be kept on disk or
 * given to another machine, which makes the same part of it. The same entries
 * from the same lines of the same files give the same image.
 *
 * Of a table the image has the files and lines, and names the shards that have
 * the entries. Those are kept and given on one by one (shard_records()), so
 * that who has most of them needs no more than the others. Their index is built
 * anew, so that nothing from elsewhere can lead a lookup astray. Words that are
 * this machine's own (class_add_own()) are left out.
 *
 * What is read is not trusted: every length is checked against what is there,
 * and the entries against their number.
 */
#ifndef MAPS_IMAGE_H
#define MAPS_IMAGE_H

#include "maps/shard.h"
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

/* The shards of a part by number, from 0, in the order its image names them;
 * NULL behind the last. A part that is no map has none. */
struct shard *image_shard(const struct snapshot_part *part, size_t number);
/* The part's shard of that digest, or NULL. */
struct shard *image_find_shard(
    const struct snapshot_part *part, struct digest digest);

/* Where shards are got. What is returned belongs to who asked; NULL: it cannot
 * be had, and the error says why. */
struct image_source {
	struct shard *(*get)(
	    void *context, struct digest digest, struct error *error);
	void *context;
};

/* Adds the part that the image is of. False: it is damaged (EX_DATAERR), or as
 * the source says, and the snapshot good for nothing but its release. */
bool snapshot_add_image(struct snapshot *snapshot, slice name, slice image,
    const struct image_source *source, struct error *error);
/* Adds a part of another snapshot; tables and patterns are held in common,
 * words that are the machine's own are left out. */
void snapshot_share_part(
    struct snapshot *snapshot, const struct snapshot_part *part);

#endif
