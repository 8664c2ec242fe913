/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/replica_private.h"

#include "maps/last_good.h"
#include "milter/log.h"
#include "milter/redis_state.h"
#include "milter/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <syslog.h>

static bool
begin_from_redis(struct replica *replica, const struct settings *settings)
{
	struct redis *redis = redis_open(replica->client);
	struct arena *arena = arena_new(0);
	struct manifest manifest;
	struct error error = {0};
	slice text;
	bool done = false;

	if (wire_read_current(redis, arena, &text, &manifest) == CURRENT_GOOD) {
		struct fetching fetching = {.replica = replica,
		    .redis = redis,
		    .manifest = &manifest,
		    .settings = settings};

		done =
		    reload_with(replica_make_fetched, &fetching, NULL, &error);
		if (!done)
			replica_log_error(LOG_ERR,
			    "the fleet's generation is not taken", &error);
	}
	redis_close(redis);
	arena_free(arena);
	if (done)
		replica_confirm(replica);
	return done;
}

struct copying {
	const struct settings *settings;
	const struct snapshot *parts;
	const struct manifest *manifest;
};

static struct generation *
make_copied(void *context, const struct generation *before, struct error *error)
{
	const struct copying *copying = context;
	struct generation *made =
	    load_generation_of(copying->settings, copying->parts, 1, error);

	(void)before;
	if (made != NULL)
		replica_take_manifest(made, copying->manifest);
	return made;
}

static bool
begin_from_copy(struct replica *replica, const struct settings *settings)
{
	struct arena *arena = arena_new(0);
	struct manifest manifest;
	struct error error = {0};
	struct snapshot *parts =
	    replica->copy == NULL
		? NULL
		: last_good_read(replica->copy, arena, &manifest, &error);
	struct copying copying = {
	    .settings = settings, .parts = parts, .manifest = &manifest};
	bool done =
	    parts != NULL && reload_with(make_copied, &copying, NULL, &error);

	if (done) {
		replica->written_number = manifest.number;
		replica->written = manifest_digest(&manifest);
		log_line(LOG_NOTICE,
		    "Redis gives no generation; the last good copy is in "
		    "force: generation %lu of " SLICE_FMT,
		    manifest.number, SLICE_ARG(manifest.publisher));
	} else if (error.exit_code == EX_DATAERR) {
		replica_log_error(
		    LOG_ERR, "the last good copy is not used", &error);
	}
	snapshot_release(parts);
	arena_free(arena);
	return done;
}

static bool
begin_from_files(struct service *service, const struct settings *settings,
    struct error *error)
{
	if (load_has_files(settings)) {
		if (!reload(service->config_path, NULL, error))
			return false;
		log_line(LOG_NOTICE, "this node's own map files are in force");
		return true;
	}
	(void)error_set(error,
	    "Redis gives no generation, there is no last good copy, and this "
	    "node has no map files");
	error->exit_code = EX_TEMPFAIL;
	return false;
}

bool
replica_begin(struct service *service, const struct settings *settings,
    struct error *error)
{
	struct replica *replica = calloc(1, sizeof(*replica));

	if (replica == NULL)
		return error_set(error, "out of memory");
	replica->service = service;
	replica->arena = arena_new(0);
	replica->client = redis_state_client(service->redis);
	replica->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (replica->wake_fd < 0) {
		error->exit_code = EX_OSERR;
		return error_set(error, "eventfd: %s", strerror(errno));
	}
	if (settings->state_directory.len > 0)
		replica->copy = arena_printf(replica->arena, SLICE_FMT "/maps",
		    SLICE_ARG(settings->state_directory))
				    .ptr;
	service->replica = replica;
	if (!begin_from_redis(replica, settings) &&
	    !begin_from_copy(replica, settings) &&
	    !begin_from_files(service, settings, error))
		return false;
	{
		struct generation *generation = current_acquire();

		replica->name =
		    arena_copy(replica->arena, generation->policy->hostname);
		generation_release(generation);
	}
	return true;
}
