/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A class: a set of names, as sendmail's class macros ($=w, $=R). Compared
 * without regard to ASCII case. Immutable once its snapshot is published.
 */
#ifndef MAPS_CLASS_H
#define MAPS_CLASS_H

#include "base/arena.h"

struct class;

struct class *class_new(slice name);
void class_free(struct class *set);
/* The word is copied and folded; adding it twice does nothing. Only before the
 * snapshot is published. `file` (may be NULL) must outlive the class. */
void class_add(
    struct class *set, slice word, const char *file, unsigned line);

slice class_name(const struct class *set);
size_t class_count(const struct class *set);
/* A NULL class is empty. */
bool class_has(const struct class *set, slice word);
/* Calls `each` for every word. */
void class_walk(const struct class *set,
    bool (*each)(void *context, slice word), void *context);

#endif
