/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the rooms of the replica: replica.c has the thread and what is in
 * force, replica_wire.c what is said to Redis.
 */
#ifndef MILTER_REPLICA_PRIVATE_H
#define MILTER_REPLICA_PRIVATE_H

#include "maps/manifest.h"
#include "maps/redis.h"
#include "milter/replica.h"

enum current {
	CURRENT_GOOD,
	CURRENT_NONE,
	CURRENT_NEWER, /* of a schema that this program does not know */
	CURRENT_BAD,
	CURRENT_AWAY, /* Redis does not answer */
};

/* *ret_text: as it stands in Redis. Both live in the arena. */
enum current wire_read_current(struct redis *redis, struct arena *arena,
    slice *ret_text, struct manifest *ret_manifest);

/* The parts of a manifest in a new snapshot; those that `have` (may be NULL)
 * has are taken from there. NULL: Redis failed (EX_TEMPFAIL), or a part is
 * missing or damaged (EX_DATAERR). */
struct snapshot *wire_fetch(struct redis *redis,
    const struct manifest *manifest, const struct generation *have,
    struct error *error);

struct publication {
	const struct manifest *manifest;
	const struct snapshot *parts;
	slice base_text; /* what `current` must still be; empty: none */
	const struct manifest *base; /* NULL: none */
	bool all;		     /* also parts that should be there */
};
/* All or nothing. EX_TEMPFAIL: Redis failed; 1: somebody else was faster. */
bool wire_publish(struct redis *redis, const struct publication *publication,
    struct error *error);
/* Puts pieces back that have gone, for who serves what is current, and sees to
 * it that those there are stay. */
void wire_mend(struct redis *redis, const struct generation *generation);

bool wire_say_alive(struct redis *redis, slice name, slice text);
void wire_say_gone(struct redis *redis, slice name);

#endif
