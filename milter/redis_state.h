/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process's client of Redis, and how Redis is. A thread of its own asks
 * once a second, so that this is known when nobody else needs Redis, and so
 * that it is this thread which tries again after a failure, and waits for it.
 * Whoever speaks to Redis (the replica's thread, the store) tells here, through the client, how it
 * went; a change is one line in the maillog, however many requests find it so.
 *
 * Without a connection, Redis is in trouble until a request goes well. What it
 * refuses on a good connection (out of memory, a read-only replica) is over
 * when nothing of the kind has been heard for 10 s, since other requests may
 * go well all the time. A trouble that follows another one within a minute is
 * shown by status, but not logged.
 */
#ifndef MILTER_REDIS_STATE_H
#define MILTER_REDIS_STATE_H

#include "maps/redis.h"
#include "milter/resolver.h"
#include "milter/settings.h"

#include <time.h>

struct redis_state;

bool redis_is_configured(const struct settings *settings);
/* Reads the files of passwords and certificates: while privileges last.
 * `resolver` finds names; NULL: there are none. Speaks to nobody. */
struct redis_state *redis_state_new(const struct settings *settings,
    struct resolver *resolver, struct error *error);
/* Before redis_state_start(). */
void redis_state_free(struct redis_state *state);
/* Starts the thread, which lasts as long as the process. */
bool redis_state_start(struct redis_state *state, struct error *error);
struct redis_client *redis_state_client(struct redis_state *state);

struct redis_report {
	bool is_tried; /* false: nobody has asked yet */
	enum redis_trouble trouble;
	time_t since;
	enum redis_trouble last_trouble;
	time_t last_trouble_at; /* 0: never any */
	char last_problem[256];
	char server[160];
	unsigned long requests;
	unsigned long troubles;
};
struct redis_report redis_state_report(struct redis_state *state);

#endif
