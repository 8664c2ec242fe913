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

struct manifest_part {
	slice name;
	enum part_kind kind;
	struct digest digest; /* of the image */
	size_t bytes;
	size_t entries;
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
/* Adds the part that these bytes are the image of, if they are what the
 * manifest says: length, digest, kind, entries. False: they are damaged, and
 * the snapshot good for nothing but its release; EX_DATAERR. */
bool manifest_add_image(const struct manifest_part *part, slice bytes,
    struct snapshot *snapshot, struct error *error);
/* NULL when it has no such part. */
const struct manifest_part *manifest_find(
    const struct manifest *manifest, slice name);

#endif
