/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/replica_private.h"

#include "maps/last_good.h"
#include "milter/log.h"
#include "milter/reload.h"
#include "milter/threads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

enum {
	LOOK_MS = 5000, /* at `current`, and a sign of life */
	MEND_MS = 60 * 1000,
	PUT_BACK_MS = 10000, /* the publisher comes first */
	PAUSE_MS = 200,
};

/*
 * From Redis into force.
 */

/* Of one generation it is told once that it cannot be had. */
static void
adopt(struct replica *replica, struct redis *redis,
    const struct manifest *manifest)
{
	struct fetching fetching = {
	    .replica = replica, .redis = redis, .manifest = manifest};
	deadline_ms begun = deadline_now();
	struct error error = {0};

	if (reload_with(replica_make_fetched, &fetching, NULL, &error)) {
		replica_confirm(replica);
		replica->told_of = 0;
		log_line(LOG_NOTICE,
		    "generation %lu of " SLICE_FMT
		    " is in force, after %lld ms",
		    manifest->number, SLICE_ARG(manifest->publisher),
		    deadline_now() - begun);
	} else if (fetching.is_late) {
		/* To compare it with what is in force now. */
		replica_wake(replica);
	} else if (replica->told_of != manifest->number) {
		replica->told_of = manifest->number;
		replica_log_error(LOG_ERR,
		    "the fleet's generation is not taken, the policy stays as "
		    "it was",
		    &error);
	}
}

/*
 * From here to Redis.
 */

static bool
publish(struct replica *replica, const struct publication *publication,
    struct error *error)
{
	struct redis *redis = redis_open(replica->client);
	bool done = wire_publish(redis, publication, error);

	redis_close(redis);
	return done;
}

/* What is in force is newer than what Redis has, which has lost it. */
static void
put_back(struct replica *replica, const struct generation *generation,
    slice base_text, const struct manifest *base)
{
	struct publication publication = {.manifest = generation->manifest,
	    .parts = generation->snapshot,
	    .base_text = base_text,
	    .base = base,
	    .all = true};
	bool is_mine = slice_eq(generation->manifest->publisher, replica->name);
	struct error error = {0};

	atomic_store(&replica->is_current, false);
	if (replica->put_back_at == 0) {
		replica->put_back_at = deadline_in(PUT_BACK_MS);
		log_line(LOG_WARNING,
		    "Redis has lost generation %lu, which stays in force",
		    generation->manifest->number);
	}
	if (!is_mine && !deadline_passed(replica->put_back_at))
		return;
	if (publish(replica, &publication, &error)) {
		replica_confirm(replica);
		log_line(LOG_NOTICE, "generation %lu is back in Redis",
		    generation->manifest->number);
	} else if (replica->told_of != generation->manifest->number) {
		replica->told_of = generation->manifest->number;
		replica_log_error(LOG_ERR, "generation not put back", &error);
	}
}

/*
 * The thread.
 */

static void
say_once(struct replica *replica, enum current state, const char *text)
{
	if (replica->told_state != state)
		log_line(LOG_ERR, "%s", text);
	replica->told_state = state;
	atomic_store(&replica->is_current, false);
}

static void
compare(struct replica *replica, struct redis *redis,
    const struct generation *mine, const struct manifest *theirs, slice text)
{
	const struct manifest *manifest = mine->manifest;

	if (manifest != NULL && replica_is_same(manifest, theirs)) {
		replica->put_back_at = 0;
		replica_confirm(replica);
	} else if (manifest != NULL && replica->has_met &&
		   manifest->number > theirs->number) {
		put_back(replica, mine, text, theirs);
	} else {
		atomic_store(&replica->is_current, false);
		adopt(replica, redis, theirs);
	}
	replica->told_state = CURRENT_GOOD;
	replica->has_met = true;
}

/* False: Redis does not answer. */
static bool
look(struct replica *replica, struct redis *redis)
{
	struct generation *mine = current_acquire();
	struct arena *arena = arena_new(0);
	struct manifest theirs;
	slice text;
	enum current state = wire_read_current(redis, arena, &text, &theirs);

	switch (state) {
	case CURRENT_GOOD:
		compare(replica, redis, mine, &theirs, text);
		break;
	case CURRENT_NONE:
		replica->has_met = true;
		if (mine->manifest != NULL)
			put_back(replica, mine, text, NULL);
		else
			replica_publish_first(replica);
		break;
	case CURRENT_NEWER:
		say_once(replica, state,
		    "Redis has a generation of a newer milterd; the policy "
		    "stays as it is");
		break;
	case CURRENT_BAD:
		say_once(replica, state,
		    "what Redis has as current is damaged; the policy stays "
		    "as it is");
		break;
	case CURRENT_AWAY:
		break;
	}
	arena_free(arena);
	generation_release(mine);
	return state != CURRENT_AWAY;
}

static void
keep_copy(struct replica *replica, const struct generation *generation)
{
	const struct manifest *manifest = generation->manifest;
	struct error error = {0};

	if (replica->copy == NULL || manifest == NULL ||
	    (replica->written_number == manifest->number &&
		digest_eq(replica->written, manifest_digest(manifest))))
		return;
	replica->written_number = manifest->number;
	replica->written = manifest_digest(manifest);
	if (!last_good_write(
		replica->copy, manifest, generation->snapshot, &error))
		replica_log_error(
		    LOG_ERR, "no copy of the generation is kept", &error);
}

static bool
say_alive(struct replica *replica, struct redis *redis,
    const struct generation *generation)
{
	struct arena *arena = arena_new(0);
	const struct manifest *manifest = generation->manifest;
	long long age = (long long)(time(NULL) - generation->loaded_at);
	bool done = wire_say_alive(redis, replica->name,
	    arena_printf(arena, "%lu " SLICE_FMT " %lld %s",
		manifest == NULL ? 0 : manifest->number,
		SLICE_ARG(manifest == NULL
			      ? SLICE("-")
			      : digest_text(manifest_digest(manifest), arena)),
		age < 0 ? 0 : age, PACKAGE_VERSION));

	arena_free(arena);
	return done;
}

/* Looks, tells, and only then writes to the disk. */
static bool
step(struct replica *replica, struct redis *redis)
{
	struct generation *generation;
	bool done;

	if (!look(replica, redis))
		return false;
	generation = current_acquire();
	done = say_alive(replica, redis, generation);
	keep_copy(replica, generation);
	if (done && atomic_load(&replica->is_current) &&
	    generation->manifest != NULL && deadline_passed(replica->mend_at)) {
		wire_mend(redis, generation);
		replica->mend_at = deadline_in(MEND_MS);
	}
	generation_release(generation);
	return done;
}

static void
drain_wakes(struct replica *replica)
{
	uint64_t count;
	ssize_t n = read(replica->wake_fd, &count, sizeof(count));

	(void)n;
}

/* Until there is trouble. Subscribed first, then looked: what is published in
 * between is heard. */
static void
follow(struct replica *replica, struct redis *redis, struct redis *listening)
{
	struct arena *arena = arena_new(0);
	slice channel = arena_join(arena, redis_client_prefix(replica->client),
	    SLICE("generations"), SLICE(""));
	struct redis_message message;
	bool is_good =
	    redis_subscribe(listening, redis_client_deadline(replica->client),
		&channel, 1) == REDIS_NO_TROUBLE;

	while (is_good && !atomic_load(&replica->stopping)) {
		drain_wakes(replica);
		is_good = step(replica, redis) &&
			  redis_wait_message(listening, deadline_in(LOOK_MS),
			      replica->wake_fd, &message) == REDIS_NO_TROUBLE;
	}
	arena_free(arena);
}

static void
rest(unsigned ms)
{
	struct timespec time = {
	    .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)nanosleep(&time, NULL);
}

static void *
run(void *context)
{
	struct replica *replica = context;

	while (!atomic_load(&replica->stopping)) {
		struct redis *redis = redis_open(replica->client);
		struct redis *listening = redis_open(replica->client);

		follow(replica, redis, listening);
		if (atomic_load(&replica->stopping))
			wire_say_gone(redis, replica->name);
		atomic_store(&replica->is_current, false);
		redis_close(listening);
		redis_close(redis);
		if (!atomic_load(&replica->stopping))
			rest(PAUSE_MS);
	}
	atomic_store(&replica->is_running, false);
	return NULL;
}

bool
replica_start(struct service *service, struct error *error)
{
	struct replica *replica = service->replica;

	if (replica == NULL)
		return true;
	atomic_store(&replica->is_running, true);
	return threads_start(NULL, run, replica, error);
}

void
replica_stop(struct service *service)
{
	struct replica *replica = service->replica;
	deadline_ms deadline = deadline_in(500);

	if (replica == NULL)
		return;
	atomic_store(&replica->stopping, true);
	replica_wake(replica);
	while (atomic_load(&replica->is_running) && !deadline_passed(deadline))
		rest(10);
}

struct replica_report
replica_report(const struct replica *replica)
{
	long long at = atomic_load(&((struct replica *)replica)->confirmed_at);

	return (struct replica_report){
	    .is_current = atomic_load(&((struct replica *)replica)->is_current),
	    .confirmed_ago = at == 0 ? -1 : (deadline_now() - at) / 1000,
	};
}
