/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the rooms of the replica: replica.c has the thread, which keeps what
 * is in force and what Redis has the same; replica_fetch.c makes a generation
 * of what Redis has, replica_publish.c brings the node's files there,
 * replica_begin.c finds the first generation; replica_wire.c is what is said to
 * Redis.
 */
#ifndef MILTER_REPLICA_PRIVATE_H
#define MILTER_REPLICA_PRIVATE_H

#include "maps/manifest.h"
#include "maps/redis.h"
#include "milter/replica.h"

#include <stdatomic.h>

enum current {
	CURRENT_GOOD,
	CURRENT_NONE,
	CURRENT_NEWER, /* of a schema that this program does not know */
	CURRENT_BAD,
	CURRENT_AWAY, /* Redis does not answer */
};

struct replica {
	struct service *service;
	struct redis_client *client;
	struct arena *arena;
	slice name;
	const char *copy; /* directory of the last good copy, or NULL */
	int wake_fd;
	atomic_bool is_running;
	atomic_bool stopping;
	atomic_bool is_current;
	atomic_llong confirmed_at; /* deadline_now(); 0: never */

	/* Of the thread alone. */
	bool has_met; /* Redis has been asked since the start */
	unsigned long told_of;
	enum current told_state;
	struct digest written;
	unsigned long written_number;
	deadline_ms put_back_at;
	deadline_ms mend_at;
};

/* Called by whichever thread reloads, which is one at a time. */
void replica_take_manifest(
    struct generation *generation, const struct manifest *manifest);
/* What is in force is what Redis has. */
void replica_confirm(struct replica *replica);
/* The thread looks at once. */
void replica_wake(struct replica *replica);
void replica_log_error(int level, const char *what, const struct error *error);
bool replica_is_same(const struct manifest *one, const struct manifest *other);

struct fetching {
	struct replica *replica;
	struct redis *redis;
	const struct manifest *manifest;
	const struct settings *settings; /* NULL: those in force */
	bool is_late;			 /* it was not needed any more */
};

/* For reload_with(); the context is a struct fetching. */
struct generation *replica_make_fetched(
    void *context, const struct generation *before, struct error *error);
/* This node's files, where Redis has nothing yet. */
void replica_publish_first(struct replica *replica);

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
