/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all doors of one running daemon share. Filled by main before any door
 * opens, constant afterwards but for what is atomic.
 */
#ifndef MILTER_SERVICE_H
#define MILTER_SERVICE_H

#include "maps/live.h"
#include "maps/store.h"
#include "milter/redis_state.h"
#include "milter/resolver.h"

#include <stdatomic.h>
#include <time.h>

struct counters {
	atomic_ulong connections;   /* milter sessions begun */
	atomic_ulong open_sessions; /* milter sessions now */
	atomic_ulong open_messages; /* between MAIL and their end */
	atomic_ulong messages;	    /* that reached end of message */
	atomic_ulong bytes;	    /* of those, header and body */
	atomic_ulong rejected;	    /* verdicts of each kind */
	atomic_ulong deferred;
	atomic_ulong discarded;
	atomic_ulong quarantined;
	atomic_ulong rewritten; /* messages with edits */
	atomic_ulong policy_requests;
	atomic_ulong socketmap_requests;
	atomic_ulong control_requests;
	atomic_ulong reloads;
	atomic_ulong failed_reloads;
};

struct replica;

struct service {
	const char *config_path;
	struct resolver *resolver;
	struct replica *replica; /* NULL: no Redis, no fleet */
	struct redis_state *redis; /* NULL: none is configured */
	struct store *store;	   /* NULL: nothing is kept */
	struct live *live;	   /* dynamic entries of the access map */
	time_t started_at;
	atomic_bool stopping; /* no new mail; what has begun is finished */
	struct counters counters;
};

#endif
