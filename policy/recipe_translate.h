/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tree of recipe_pattern.h in PCRE2's language, for maps/regex.h: it finds
 * whether and where the first match begins, not where it ends. The subject is
 * an area with both of its newlines. REGEX_CASELESS where the pattern ignores
 * case; callouts behind whatever can be come back to (maps/regex.h, steps).
 */
#ifndef POLICY_RECIPE_TRANSLATE_H
#define POLICY_RECIPE_TRANSLATE_H

#include "policy/recipe_pattern.h"

slice recipe_translate(struct arena *arena, const struct pattern *pattern);

#endif
