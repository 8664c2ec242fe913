/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names met on the way through the aliases: what they are, which of them
 * are the same, and how they are written for others. For policy/alias.c and
 * policy/alias_walk.c alone; everything lives in one arena.
 */
#ifndef POLICY_ALIAS_TARGET_H
#define POLICY_ALIAS_TARGET_H

#include "base/arena.h"

enum target_kind {
	TARGET_USER,	/* of this host */
	TARGET_ADDRESS, /* elsewhere */
	TARGET_INCLUDE, /* a file of more */
};

struct target {
	enum target_kind kind;
	slice name;	  /* user in lower case, "user@host", or path */
	slice detail;	  /* taken off the user: "+x", or "x" once it is final */
	slice written;	  /* as it stands in its list */
	slice owner;	  /* sender for what is below, empty: none */
	bool is_primary;  /* the recipient, in whatever spelling */
	bool is_quoted;	  /* "\user": no alias */
	bool is_final;	  /* its detail names no alias, nor does luser_relay */
	bool is_stand_in; /* of luser_relay: its detail is who was meant */
	bool refers_to_itself;
	bool is_left; /* to the MTA */
	bool is_met;  /* walked to, and not as a duplicate */
	bool is_dead; /* others are in its place */
	bool is_taken;
	struct target *parent;
	struct target *next; /* as they stand in the lists */
	struct target *next_to_walk;
	struct target *next_in_bucket;
};

#define TARGET_BUCKETS 256

struct targets {
	struct arena *arena;
	struct target *first;
	struct target **end;
	struct target *buckets[TARGET_BUCKETS];
};

void targets_init(struct targets *targets, struct arena *arena);
/* Without a name as yet. `parent` is NULL for the recipient itself. */
struct target *targets_add(
    struct targets *targets, slice written, struct target *parent);
void target_set_name(
    struct targets *targets, struct target *target, slice user);
/* False for one that was met before. As in sendmail the recipient itself does
 * not count for that: what leads back to it is a loop, found elsewhere. */
bool targets_meet(struct targets *targets, struct target *target);
/* Once for each address that is living: some are so in several spellings. */
bool targets_take(
    struct targets *targets, struct target *target, slice *ret_address);

/* Is mail to go there? */
bool target_is_living(const struct target *target);
bool target_is_same(const struct target *a, const struct target *b);
bool target_descends_from(
    const struct target *target, const struct target *ancestor);
/* With its detail. */
slice target_full_name(struct arena *arena, const struct target *target);
/* As it is written for others: a user plain. */
slice target_address(struct arena *arena, const struct target *target);

/* A user's name without backslashes, where they say nothing but that he is no
 * alias; in quotes and before special characters they belong to it. */
slice user_plain(struct arena *arena, slice user);
/* The "+" before the detail, or the length of the name. */
size_t user_plus(slice user);

/* sendmail's special mailers, by how a user's name begins. */
enum special { SPECIAL_NONE, SPECIAL_PROGRAM, SPECIAL_FILE, SPECIAL_INCLUDE };
enum special user_special(slice user);
/* The path in the name of SPECIAL_INCLUDE. */
slice user_include_path(struct arena *arena, slice user);

#endif
