/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/replica_private.h"

#include "milter/log.h"
#include "milter/reload.h"

#include <unistd.h>

void
replica_take_manifest(
    struct generation *generation, const struct manifest *manifest)
{
	struct arena *arena = snapshot_arena(generation->snapshot);
	struct manifest *copy = ARENA_NEW(arena, struct manifest);

	manifest_copy(manifest, arena, copy);
	generation->manifest = copy;
}

void
replica_confirm(struct replica *replica)
{
	atomic_store(&replica->is_current, true);
	atomic_store(&replica->confirmed_at, deadline_now());
}

void
replica_wake(struct replica *replica)
{
	uint64_t one = 1;
	ssize_t n = write(replica->wake_fd, &one, sizeof(one));

	(void)n;
}

void
replica_log_error(int level, const char *what, const struct error *error)
{
	char text[1024];

	log_line(
	    level, "%s: %s", what, error_format(error, text, sizeof(text)));
}

bool
replica_is_same(const struct manifest *one, const struct manifest *other)
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
	       ((fetching->replica->has_met &&
		    before->manifest->number > fetching->manifest->number) ||
		   replica_is_same(before->manifest, fetching->manifest));
}

struct generation *
replica_make_fetched(
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
		replica_take_manifest(made, fetching->manifest);
	snapshot_release(parts);
	return made;
}
