/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A class: a set of names, as sendmail's class macros ($=w, $=R). Compared
 * without regard to ASCII case. Immutable once its snapshot is published.
 */
#ifndef MAPS_CLASS_H
#define MAPS_CLASS_H

#include "base/arena.h"

#include <stdint.h>

struct class;

struct class_word {
	slice word;	  /* folded */
	const char *file; /* where it stands; NULL: in the configuration */
	unsigned line;
	bool is_own; /* of this machine alone, see class_add_own() */
};

struct class *class_new(slice name);
void class_free(struct class *set);
/* The word is copied and folded; adding it twice does nothing. Only before the
 * snapshot is published. `file` (may be NULL) must outlive the class. */
void class_add(struct class *set, slice word, const char *file, unsigned line);
/* The same for a word that is this machine's own, its name or address, say, and
 * not part of what machines share. */
void class_add_own(struct class *set, slice word);
/* Keeps the number of words, the memory they take and the sum of their
 * shard_entry_digest() in these places, now and after each class_add(). */
void class_keep_totals(
    struct class *set, size_t *count, size_t *bytes, uint64_t *digest);

slice class_name(const struct class *set);
/* A NULL class is empty, here and below. */
size_t class_count(const struct class *set);
/* Of these, how many came by class_add_own(). */
size_t class_own_count(const struct class *set);
bool class_has(const struct class *set, slice word);
/* NULL when it is not a member. */
const struct class_word *class_find(const struct class *set, slice word);
/* Calls `each` for every word, in no order, until it says false. */
void class_walk(const struct class *set,
    bool (*each)(void *context, slice word), void *context);
/* The same with all that is known of them. */
void class_walk_words(const struct class *set,
    bool (*each)(void *context, const struct class_word *word), void *context);

#endif
