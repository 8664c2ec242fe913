/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A manifest says what a generation is made of: its parts by name, kind and
 * digest, and who made it when. It is text, one line a statement:
 *
 *	milterd-generation 1		the schema
 *	number 12			one more than that of the one before
 *	publisher mx1.example.com
 *	published 1764360000		seconds since 1970
 *	part map access DIGEST BYTES ENTRIES
 *	shard DIGEST BYTES		of the part above
 *	end
 *
 * Text of another schema is not looked into: a program that knows only an older
 * one leaves it alone.
 */
#ifndef MAPS_MANIFEST_H
#define MAPS_MANIFEST_H

#include "base/error.h"
#include "base/strbuf.h"
#include "maps/digest.h"
#include "maps/snapshot.h"

#define MANIFEST_SCHEMA 1
#define MANIFEST_PARTS_MAX 200

/* Bytes that are sent and kept as a whole: an image, or a shard's records. */
struct manifest_blob {
	struct digest digest;
	size_t bytes;
};

struct manifest_part {
	slice name;
	enum part_kind kind;
	struct manifest_blob image;
	size_t entries;
	struct manifest_blob *shards; /* in the order the image names them */
	size_t shard_count;
};

struct manifest {
	unsigned long number;
	slice publisher;
	long long published_at;
	struct manifest_part *parts;
	size_t part_count;
};

/* Digests of all parts of the snapshot; in the arena. Number, publisher and
 * time are left to the caller. */
void manifest_of_snapshot(const struct snapshot *snapshot, struct arena *arena,
    struct manifest *ret_manifest);
void manifest_write(const struct manifest *manifest, struct strbuf *out);

enum manifest_result { MANIFEST_GOOD, MANIFEST_NEWER, MANIFEST_BAD };

/* What it holds is copied into the arena. */
enum manifest_result manifest_read(
    slice text, struct arena *arena, struct manifest *ret_manifest);
/* A copy with a life of its own arena. */
void manifest_copy(const struct manifest *manifest, struct arena *arena,
    struct manifest *ret_copy);

/* Names the parts, whoever published them when and as the how-manieth. */
struct digest manifest_digest(const struct manifest *manifest);
/* Where a blob is got: its bytes, which are not trusted yet, in the arena.
 * False: it cannot be had, and the error says why. */
struct manifest_source {
	bool (*get)(void *context, const struct manifest_blob *blob,
	    struct arena *arena, slice *ret_bytes, struct error *error);
	void *context;
};

/* Adds the part, whose blobs the source has, if they are what the manifest
 * says: length, digest, kind, entries. Shards that `have` (may be NULL) has are
 * taken from there. False: they are damaged (EX_DATAERR), or as the source
 * says, and the snapshot good for nothing but its release. */
bool manifest_add_part(const struct manifest_part *part,
    const struct manifest_source *source, const struct snapshot_part *have,
    struct snapshot *snapshot, struct error *error);
/* Whether both are made of the same blobs; names do not matter. */
bool manifest_part_eq(
    const struct manifest_part *one, const struct manifest_part *other);
/* Whether the image or a shard of some part is that. */
bool manifest_has_blob(const struct manifest *manifest, struct digest digest);
/* NULL when it has no such part. */
const struct manifest_part *manifest_find(
    const struct manifest *manifest, slice name);

#endif
