/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mutable global: the connection that announces, for one caller at a time.
 */
#include "milter/dynamic_fleet.h"

#include "base/arena.h"
#include "base/deadline.h"
#include "milter/dynamic.h"
#include "milter/threads.h"

#include <time.h>

enum { RESYNC_MS = 5 * 60 * 1000, PAUSE_MS = 200 };

static struct redis *announcing;

static slice
channel_of(struct redis_client *client, struct arena *arena)
{
	return arena_join(
	    arena, redis_client_prefix(client), SLICE("access"), SLICE(""));
}

void
dynamic_fleet_announce(struct service *service, slice key)
{
	struct redis_client *client = redis_state_client(service->redis);
	struct arena *arena = arena_new(0);
	const struct redis_reply *reply;
	struct redis_command publish = {
	    REDIS_WORDS(SLICE("PUBLISH"), channel_of(client, arena), key)};

	if (announcing == NULL)
		announcing = redis_open(client);
	/* Its trouble is in the log, as everybody's (redis_state.h). */
	(void)redis_call(
	    announcing, redis_client_deadline(client), &publish, &reply);
	arena_free(arena);
}

static void
sleep_ms(unsigned ms)
{
	struct timespec time = {
	    .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)nanosleep(&time, NULL);
}

/* Until there is trouble. Subscribed first, then all taken: what changes in
 * between is told again. */
static void
listen_once(struct service *service, struct redis *redis, slice channel)
{
	struct redis_client *client = redis_client_of(redis);
	deadline_ms next = deadline_now();
	struct redis_message message;

	if (redis_subscribe(redis, redis_client_deadline(client), &channel,
		1) != REDIS_NO_TROUBLE)
		return;
	for (;;) {
		if (deadline_passed(next)) {
			if (!dynamic_resync(service))
				return;
			next = deadline_in(RESYNC_MS);
		}
		if (redis_wait_message(redis, next, -1, &message) !=
		    REDIS_NO_TROUBLE)
			return;
		if (message.text.len > 0 &&
		    !dynamic_refresh(service, message.text))
			return;
	}
}

static void *
run(void *context)
{
	struct service *service = context;
	struct redis_client *client = redis_state_client(service->redis);
	struct arena *arena = arena_new(0);
	slice channel = channel_of(client, arena);

	for (;;) {
		struct redis *redis = redis_open(client);

		listen_once(service, redis, channel);
		redis_close(redis);
		sleep_ms(redis_client_pause(client) + PAUSE_MS);
	}
	return NULL;
}

bool
dynamic_fleet_start(struct service *service, struct error *error)
{
	return threads_start(NULL, run, service, error);
}
