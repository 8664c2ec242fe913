/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generation in force, and its exchange.
 *
 * Two locks, never held in the other order: `one_reload` for as long as a
 * reload takes, `pointer` for the few instructions that read or swap the
 * pointer and count. A session that reads the pointer counts up before the
 * lock is released, so the generation it got cannot be freed under it by a
 * publication that comes between. The old generation is given back outside
 * the lock: freeing maps takes time.
 *
 * Mutable global: the generation in force.
 */
#include "milter/reload.h"

#include <pthread.h>

#include "maps/snapshot_diff.h"
#include "milter/log.h"

static pthread_mutex_t one_reload = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t pointer = PTHREAD_MUTEX_INITIALIZER;
static struct generation *in_force;

void
current_publish(struct generation *generation)
{
	struct generation *before;

	(void)pthread_mutex_lock(&pointer);
	before = in_force;
	in_force = generation;
	(void)pthread_mutex_unlock(&pointer);
	generation_release(before);
}

struct generation *
current_acquire(void)
{
	struct generation *generation;

	(void)pthread_mutex_lock(&pointer);
	generation = in_force == NULL ? NULL : generation_acquire(in_force);
	(void)pthread_mutex_unlock(&pointer);
	return generation;
}

/*
 * The report.
 */

static void
report_part(struct strbuf *report, const struct snapshot_part *before,
    const struct snapshot_part *after)
{
	struct snapshot_diff diff = snapshot_part_diff(before, after);
	slice name = after == NULL ? before->name : after->name;

	strbuf_printf(report,
	    SLICE_FMT ": %zu entries before, %zu after, %zu added, "
		      "%zu removed, %zu changed\n",
	    SLICE_ARG(name), diff.before, diff.after, diff.added, diff.removed,
	    diff.changed);
}

static void
report_parts(struct strbuf *report, const struct generation *before,
    const struct generation *after)
{
	const struct snapshot_part *part;

	for (part = snapshot_parts(after->snapshot); part != NULL;
	     part = part->next)
		report_part(report,
		    before == NULL
			? NULL
			: snapshot_find_part(before->snapshot, part->name),
		    part);
	if (before == NULL)
		return;
	for (part = snapshot_parts(before->snapshot); part != NULL;
	     part = part->next) {
		if (snapshot_find_part(after->snapshot, part->name) == NULL)
			report_part(report, part, NULL);
	}
}

static void
report_settings(struct strbuf *report, const struct settings *before,
    const struct settings *after)
{
	for (const struct settings_word *word = settings_words();
	     word->name != NULL; word++) {
		slice old = settings_value(before, word, report->arena);
		slice new = settings_value(after, word, report->arena);

		if (slice_eq(old, new))
			continue;
		strbuf_printf(report,
		    "%s: \"" SLICE_FMT "\" before, \"" SLICE_FMT "\" after%s\n",
		    word->name, SLICE_ARG(old), SLICE_ARG(new),
		    word->is_fixed ? ", which takes effect at the next start"
				   : "");
	}
}

static void
report_warnings(struct strbuf *report, const struct generation *generation)
{
	for (size_t i = 0; i < generation->warning_count; i++)
		strbuf_printf(report, "warning: " SLICE_FMT "\n",
		    SLICE_ARG(generation->warnings[i]));
}

/* `wanted`: what the configuration says, whether it is in force or not. */
static void
report_all(struct strbuf *report, const struct generation *before,
    const struct generation *after, const struct settings *wanted)
{
	report_parts(report, before, after);
	if (before != NULL)
		report_settings(report, before->settings, wanted);
	report_warnings(report, after);
}

/*
 * The exchange.
 */

/* The settings of a generation say what is in force: a word that takes effect
 * at the next start keeps its value until then, and each reload says so. */
static void
keep_fixed(struct generation *after, const struct generation *before)
{
	struct arena *arena = snapshot_arena(after->snapshot);
	struct settings *settings = ARENA_NEW(arena, struct settings);

	*settings = *after->settings;
	settings_keep_fixed(settings, before->settings, arena);
	after->settings = settings;
}

/* Told is what has happened: to compare large maps takes time, which nobody
 * should wait for. While `one_reload` is held `after` stays in force. */
static bool
exchange(reload_make *make, void *context, struct strbuf *report,
    struct error *error)
{
	struct generation *before = current_acquire();
	struct generation *after = make(context, before, error);

	if (after != NULL) {
		const struct settings *wanted = after->settings;

		if (before != NULL)
			keep_fixed(after, before);
		log_set_level(after->settings->log_level);
		current_publish(after);
		if (report != NULL)
			report_all(report, before, after, wanted);
	}
	generation_release(before);
	return after != NULL;
}

bool
reload_with(reload_make *make, void *context, struct strbuf *report,
    struct error *error)
{
	bool done;

	(void)pthread_mutex_lock(&one_reload);
	done = exchange(make, context, report, error);
	(void)pthread_mutex_unlock(&one_reload);
	return done;
}

static struct generation *
load_anew(void *context, const struct generation *before, struct error *error)
{
	return load_generation(
	    context, before == NULL ? 1 : before->number + 1, error);
}

bool
reload(const char *config_path, struct strbuf *report, struct error *error)
{
	return reload_with(load_anew, (void *)config_path, report, error);
}
