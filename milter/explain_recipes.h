/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What explain tells of recipes: what those of each recipient would do, and
 * with a trace why. No program is run, nothing is sent or logged: a recipe that
 * needs a program fares as if that were missing.
 */
#ifndef MILTER_EXPLAIN_RECIPES_H
#define MILTER_EXPLAIN_RECIPES_H

#include "milter/explain_message.h"
#include "milter/filter.h"

/* Are there any? */
bool explain_recipes_matter(const struct generation *generation);
/* After explain_message_rewrite(); the message's edits are all of them then,
 * unless the verdict refuses. NULL: there are no recipes. */
const struct filter_result *explain_recipes(struct explain_message *message,
    const struct decision *d, const struct generation *generation,
    const struct verdict *so_far);

/* The member "recipes", where there is something to tell. */
void explain_recipes_json(
    json_t *object, struct arena *arena, const struct filter_result *result);
/* A line for each recipient to whom something happens, and for each copy. */
void explain_recipes_text(
    struct strbuf *out, const struct filter_result *result, size_t width);

#endif
