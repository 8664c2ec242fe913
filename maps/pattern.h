/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list of patterns: one file of maps/pattern_text.h, compiled. Immutable once
 * made; any number of threads may ask it. Lookups take time in proportion to
 * the number of rules, and to the length of the key.
 *
 * A key is matched as it is asked for, not folded, byte by byte; a pattern that
 * begins with (*UTF) takes it for UTF-8, of which bytes that are none match
 * nothing.
 */
#ifndef MAPS_PATTERN_H
#define MAPS_PATTERN_H

#include "base/arena.h"
#include "base/error.h"
#include "maps/map.h"

#include <stdint.h>

#define PATTERN_RULES_MAX 100000

struct pattern_list;

/* Warnings: where and what; may be NULL. */
typedef void pattern_warn(
    void *context, const char *path, unsigned line, const char *problem);

struct pattern_source {
	const char *path; /* for hits and errors */
	slice text;
	pattern_warn *warn;
	void *context;
};

/* Path and text are copied. NULL: the error has file, line and, for a pattern
 * that PCRE2 refuses, the offset in it. */
struct pattern_list *pattern_list_new(
    const struct pattern_source *source, struct error *error);
/* A list is counted and may be in several snapshots: made with a count of 1
 * that belongs to the caller, freed by the last to release it. */
struct pattern_list *pattern_list_acquire(struct pattern_list *list);
void pattern_list_release(struct pattern_list *list);

/* The first rule that applies. Its value has the groups of the match in it and
 * then lives in the arena, else as long as the list; an empty one is
 * MAP_MISSING. MAP_TEMPFAIL: a pattern came to a limit, and what it would have
 * said is not known; ret_hit has the place, and the limit for a value. */
__attribute__((warn_unused_result)) enum map_result pattern_list_find(
    const struct pattern_list *list, slice key, struct arena *arena,
    struct map_hit *ret_hit);

/* Rules, without "if" and "endif". */
size_t pattern_list_count(const struct pattern_list *list);
size_t pattern_list_bytes(const struct pattern_list *list);
/* The same for the same rules in the same order, whatever their lines and
 * comments. */
uint64_t pattern_list_digest(const struct pattern_list *list);
/* How many rules of `list` are not in `other`, wherever they stand there. NULL
 * lists are empty. */
size_t pattern_list_missing(
    const struct pattern_list *list, const struct pattern_list *other);
/* What it was made from, to make it once more elsewhere. */
const char *pattern_list_path(const struct pattern_list *list);
slice pattern_list_text(const struct pattern_list *list);

#endif
