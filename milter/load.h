/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a configuration file to a generation ready to serve: settings, maps,
 * classes and policy in one snapshot. All or nothing.
 */
#ifndef MILTER_LOAD_H
#define MILTER_LOAD_H

#include "maps/manifest.h"
#include "maps/snapshot.h"
#include "milter/intake.h"
#include "milter/settings.h"
#include "policy/policy.h"
#include "policy/recipe.h"

#include <stdatomic.h>
#include <time.h>

/* What of a message is asked of the MTA for recipes and vacation, and the
 * recipes that all recipients have. */
struct filters {
	struct recipe_file **recipes;
	size_t recipe_count;
	struct intake_wishes wishes;
};

/* One generation. Lives in its snapshot's arena; holding the snapshot holds
 * all of it. */
struct generation {
	struct snapshot *snapshot;
	const struct settings *settings;
	const struct policy *policy;
	struct filters filters;
	atomic_size_t holders;
	unsigned long number; /* 1 for the first of a process */
	time_t loaded_at;
	const slice *warnings; /* "file:line: text" */
	size_t warning_count;
	/* What the fleet calls its parts; NULL: they are this node's alone. */
	const struct manifest *manifest;
};

/* The new generation's snapshot has a count of 1 that belongs to the caller;
 * generation_release() gives it back. */
struct generation *load_generation(
    const char *config_path, unsigned long number, struct error *error);
/* The same of parts that another snapshot has, instead of files; the settings
 * are copied. */
struct generation *load_generation_of(const struct settings *settings,
    const struct snapshot *parts, unsigned long number, struct error *error);
/* Does this node have the files that its configuration names, or at least one
 * of them? One that names none has what it says in words, if that is anything.
 */
bool load_has_files(const struct settings *settings);
struct generation *generation_acquire(struct generation *generation);
void generation_release(struct generation *generation);

#endif
