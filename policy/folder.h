/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a folder, as a recipe names it, to the address that a delivery agent
 * delivers to it: "lists/c" of bob in abc.com is bob+lists/c@abc.com by the
 * pattern "%u+%f@%d".
 */
#ifndef POLICY_FOLDER_H
#define POLICY_FOLDER_H

#include "base/arena.h"

struct folder_owner {
	slice user; /* without detail */
	slice domain;
	slice maildir; /* what names may begin with, and home; or empty */
	slice home;
};

/* The name without what belongs to files and not to folders: the directory of
 * the user's mail in front, "./" and "." in front, "/" and "/." behind. Empty
 * where nothing is left, or where it is no name: it has "..", controls, or is
 * longer than 128 bytes. */
slice folder_name(slice written, const struct folder_owner *owner);

/* "user+folder@domain"; the local part in quotes where its characters want
 * them. */
slice folder_address(struct arena *arena, slice pattern,
    const struct folder_owner *owner, slice folder);

/* NULL when the pattern will do: it has %u and %f, one '@', and no other '%'
 * than %u, %f, %d and %%. */
const char *folder_pattern_problem(slice pattern);

#endif
