/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Users' recipes and included ones, parsed: those that were used last are kept
 * and found again by path and text, so that a file is parsed once for each
 * change of it. What is wrong with one goes to the log then. Any thread.
 */
#ifndef MILTER_RECIPE_CACHE_H
#define MILTER_RECIPE_CACHE_H

#include "policy/recipe.h"

struct cached_recipes;

enum { RECIPE_CACHE_MAX = 512 };

/* NULL when the text is beyond all bounds; why is in the log. To be given
 * back. */
struct cached_recipes *recipe_cache_find(const char *path, slice text);
const struct recipe_file *recipe_cache_file(const struct cached_recipes *found);
void recipe_cache_release(struct cached_recipes *found);
/* Those that nobody uses. */
void recipe_cache_forget(void);

#endif
