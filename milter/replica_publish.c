/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/replica_private.h"

#include "milter/log.h"
#include "milter/reload.h"

#include <sysexits.h>
#include <syslog.h>
#include <time.h>

enum { SHRUNK_FROM = 100 }; /* entries that a map must have to be guarded */

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
			replica_take_manifest(made, &reloading->base);
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
	replica_take_manifest(made, &manifest);
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
	return replica_make_fetched(&fetching, before, error);
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
		replica_confirm(replica);
		replica_wake(replica);
	}
	arena_free(reloading.arena);
	return done;
}

/* This node's files, where Redis has nothing yet. */
void
replica_publish_first(struct replica *replica)
{
	struct arena *arena = arena_new(0);
	struct strbuf report;
	struct error error = {0};

	strbuf_init(&report, arena);
	if (replica_reload(replica->service, false, &report, &error))
		log_line(LOG_NOTICE, "this node's maps are published");
	else
		replica_log_error(
		    LOG_ERR, "this node's maps are not published", &error);
	arena_free(arena);
}
