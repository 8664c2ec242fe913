/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every text that an expression matches must have in it: a text without
 * it, which mostly is all that is asked of a message, need not be matched.
 */
#ifndef POLICY_RECIPE_LITERAL_H
#define POLICY_RECIPE_LITERAL_H

#include "policy/recipe_pattern.h"

/* The longest row of single bytes that no alternative and no repetition goes
 * around; a header field's name at a line's start, which most messages have,
 * only where there is nothing else. In lower case where case does not matter.
 * Empty where there is none of at least four bytes. */
slice recipe_literal(struct arena *arena, const struct pattern *pattern);

#endif
