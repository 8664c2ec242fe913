/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/replica_private.h"

#include "maps/last_good.h"
#include "milter/log.h"
#include "milter/redis_state.h"
#include "milter/reload.h"
#include "milter/threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
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
	SHRUNK_FROM = 100, /* entries that a map must have to be guarded */
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

static void
take_manifest(struct generation *generation, const struct manifest *manifest)
{
	struct arena *arena = snapshot_arena(generation->snapshot);
	struct manifest *copy = ARENA_NEW(arena, struct manifest);

	manifest_copy(manifest, arena, copy);
	generation->manifest = copy;
}

static void
confirm(struct replica *replica)
{
	atomic_store(&replica->is_current, true);
	atomic_store(&replica->confirmed_at, deadline_now());
}

static void
wake(struct replica *replica)
{
	uint64_t one = 1;
	ssize_t n = write(replica->wake_fd, &one, sizeof(one));

	(void)n;
}

static void
log_error(int level, const char *what, const struct error *error)
{
	char text[1024];

	log_line(
	    level, "%s: %s", what, error_format(error, text, sizeof(text)));
}

/*
 * From Redis into force.
 */

struct fetching {
	struct replica *replica;
	struct redis *redis;
	const struct manifest *manifest;
	const struct settings *settings; /* NULL: those in force */
	bool is_late;			 /* it was not needed any more */
};

static bool
is_same(const struct manifest *one, const struct manifest *other)
{
	return one->number == other->number &&
	       digest_eq(manifest_digest(one), manifest_digest(other));
}

/* By a reload that went on here meanwhile: a newer generation is in force, or
 * this very one, which was published from here. */
static bool
is_overtaken(const struct fetching *fetching, const struct generation *before)
{
	return fetching->settings == NULL && before != NULL &&
	       before->manifest != NULL &&
	       ((fetching->replica->has_met && before->manifest->number >
						   fetching->manifest->number) ||
		   is_same(before->manifest, fetching->manifest));
}

static struct generation *
make_fetched(
    void *context, const struct generation *before, struct error *error)
{
	struct fetching *fetching = context;
	struct generation *made;
	struct snapshot *parts;

	fetching->is_late = is_overtaken(fetching, before);
	if (fetching->is_late)
		return NULL;
	parts = wire_fetch(fetching->redis, fetching->manifest, before, error);
	if (parts == NULL)
		return NULL;
	made = load_generation_of(
	    fetching->settings != NULL ? fetching->settings : before->settings,
	    parts, before == NULL ? 1 : before->number + 1, error);
	if (made != NULL)
		take_manifest(made, fetching->manifest);
	snapshot_release(parts);
	return made;
}

/* Of one generation it is told once that it cannot be had. */
static void
adopt(struct replica *replica, struct redis *redis,
    const struct manifest *manifest)
{
	struct fetching fetching = {
	    .replica = replica, .redis = redis, .manifest = manifest};
	deadline_ms begun = deadline_now();
	struct error error = {0};

	if (reload_with(make_fetched, &fetching, NULL, &error)) {
		confirm(replica);
		replica->told_of = 0;
		log_line(LOG_NOTICE,
		    "generation %lu of " SLICE_FMT
		    " is in force, after %lld ms",
		    manifest->number, SLICE_ARG(manifest->publisher),
		    deadline_now() - begun);
	} else if (fetching.is_late) {
		wake(replica); /* to compare it with what is in force now */
	} else if (replica->told_of != manifest->number) {
		replica->told_of = manifest->number;
		log_error(LOG_ERR,
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
		confirm(replica);
		log_line(LOG_NOTICE, "generation %lu is back in Redis",
		    generation->manifest->number);
	} else if (replica->told_of != generation->manifest->number) {
		replica->told_of = generation->manifest->number;
		log_error(LOG_ERR, "generation not put back", &error);
	}
}

struct reloading {
	struct replica *replica;
	struct redis *redis;
	struct arena *arena;
	bool force;
	bool is_published;
	enum current state;
	slice base_text;
	struct manifest base;
	const struct settings *settings;
	unsigned long number;
};

/* A file cut short must not empty the fleet's maps. */
static bool
has_shrunk(const struct manifest *base, const struct manifest *after,
    struct error *error)
{
	for (size_t i = 0; i < base->part_count; i++) {
		const struct manifest_part *old = &base->parts[i];
		const struct manifest_part *new =
		    manifest_find(after, old->name);
		size_t left = new == NULL ? 0 : new->entries;

		if ((new == NULL && old->entries > 0) ||
		    (old->entries >= SHRUNK_FROM && left < old->entries / 2)) {
			(void)error_set(error,
			    SLICE_FMT
			    " would shrink from %zu to %zu entries in the "
			    "fleet; reload --force does it",
			    SLICE_ARG(old->name), old->entries, left);
			if (error != NULL)
				error->exit_code = 1;
			return true;
		}
	}
	return false;
}

static bool
publish_made(struct reloading *reloading, struct generation *made,
    const struct generation *before, struct error *error)
{
	struct manifest manifest;
	struct publication publication = {.manifest = &manifest,
	    .parts = made->snapshot,
	    .base_text = reloading->base_text,
	    .all = reloading->force};
	bool has_base = reloading->state == CURRENT_GOOD;

	manifest_of_snapshot(made->snapshot, reloading->arena, &manifest);
	if (has_base) {
		publication.base = &reloading->base;
		if (!reloading->force &&
		    digest_eq(manifest_digest(&manifest),
			manifest_digest(&reloading->base))) {
			take_manifest(made, &reloading->base);
			return true;
		}
		if (!reloading->force &&
		    has_shrunk(&reloading->base, &manifest, error))
			return false;
		manifest.number = reloading->base.number;
	}
	if (before != NULL && before->manifest != NULL &&
	    before->manifest->number > manifest.number)
		manifest.number = before->manifest->number;
	manifest.number++;
	manifest.publisher = reloading->replica->name;
	manifest.published_at = (long long)time(NULL);
	if (!wire_publish(reloading->redis, &publication, error))
		return false;
	reloading->is_published = true;
	take_manifest(made, &manifest);
	return true;
}

static bool
read_base(struct reloading *reloading, struct error *error)
{
	reloading->state = wire_read_current(reloading->redis, reloading->arena,
	    &reloading->base_text, &reloading->base);
	if (reloading->state == CURRENT_AWAY)
		(void)error_set(
		    error, "Redis: %s", redis_problem(reloading->redis));
	else if (reloading->state == CURRENT_NEWER)
		(void)error_set(error,
		    "Redis has a generation of a newer milterd, which only "
		    "such a one may replace");
	else
		return true;
	if (error != NULL)
		error->exit_code = EX_TEMPFAIL;
	return false;
}

static struct generation *
make_published(
    void *context, const struct generation *before, struct error *error)
{
	struct reloading *reloading = context;
	struct generation *made;

	if (!read_base(reloading, error))
		return NULL;
	made = load_generation(reloading->replica->service->config_path,
	    before == NULL ? 1 : before->number + 1, error);
	if (made == NULL)
		return NULL;
	if (!publish_made(reloading, made, before, error)) {
		generation_release(made);
		return NULL;
	}
	reloading->number = made->manifest->number;
	return made;
}

/* On a node without files: its own settings anew, and what is published. */
static struct generation *
make_refetched(
    void *context, const struct generation *before, struct error *error)
{
	struct reloading *reloading = context;
	struct fetching fetching = {.replica = reloading->replica,
	    .redis = reloading->redis,
	    .manifest = &reloading->base,
	    .settings = reloading->settings};
	const struct manifest *mine = before == NULL ? NULL : before->manifest;

	if (!read_base(reloading, error))
		return NULL;
	if (reloading->state != CURRENT_GOOD ||
	    (mine != NULL && mine->number > reloading->base.number)) {
		(void)error_set(error,
		    "this node has no map files, and Redis has no newer "
		    "generation");
		error->exit_code = EX_TEMPFAIL;
		return NULL;
	}
	reloading->number = reloading->base.number;
	return make_fetched(&fetching, before, error);
}

bool
replica_reload(struct service *service, bool force, struct strbuf *report,
    struct error *error)
{
	struct replica *replica = service->replica;
	struct settings settings;
	struct reloading reloading = {.replica = replica, .force = force};
	struct strbuf changes;
	bool has_files;
	bool done;

	reloading.arena = arena_new(0);
	strbuf_init(&changes, reloading.arena);
	done = settings_read(
	    service->config_path, reloading.arena, &settings, error);
	if (done) {
		has_files = load_has_files(&settings);
		reloading.settings = &settings;
		reloading.redis = redis_open(replica->client);
		done = reload_with(has_files ? make_published : make_refetched,
		    &reloading, &changes, error);
		redis_close(reloading.redis);
	}
	if (done) {
		strbuf_printf(report, "generation %lu %s\n", reloading.number,
		    reloading.is_published ? "published"
		    : has_files		   ? "unchanged"
					   : "fetched");
		strbuf_add(report, strbuf_slice(&changes));
		confirm(replica);
		wake(replica);
	}
	arena_free(reloading.arena);
	return done;
}

/* This node's files, where Redis has nothing yet. */
static void
publish_first(struct replica *replica)
{
	struct arena *arena = arena_new(0);
	struct strbuf report;
	struct error error = {0};

	strbuf_init(&report, arena);
	if (replica_reload(replica->service, false, &report, &error))
		log_line(LOG_NOTICE, "this node's maps are published");
	else
		log_error(
		    LOG_ERR, "this node's maps are not published", &error);
	arena_free(arena);
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

	if (manifest != NULL && is_same(manifest, theirs)) {
		replica->put_back_at = 0;
		confirm(replica);
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
			publish_first(replica);
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
		log_error(LOG_ERR, "no copy of the generation is kept", &error);
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
	wake(replica);
	while (atomic_load(&replica->is_running) && !deadline_passed(deadline))
		rest(10);
}

/*
 * The start.
 */

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

		done = reload_with(make_fetched, &fetching, NULL, &error);
		if (!done)
			log_error(LOG_ERR,
			    "the fleet's generation is not taken", &error);
	}
	redis_close(redis);
	arena_free(arena);
	if (done)
		confirm(replica);
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
		take_manifest(made, copying->manifest);
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
		log_error(LOG_ERR, "the last good copy is not used", &error);
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

struct replica_report
replica_report(const struct replica *replica)
{
	long long at = atomic_load(&((struct replica *)replica)->confirmed_at);

	return (struct replica_report){
	    .is_current = atomic_load(&((struct replica *)replica)->is_current),
	    .confirmed_ago = at == 0 ? -1 : (deadline_now() - at) / 1000,
	};
}
