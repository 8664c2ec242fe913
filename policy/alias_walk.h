/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk from a recipient through the aliases to everybody it stands for;
 * for policy/alias.c alone.
 *
 * As in sendmail the members of a list are walked from the last to the first,
 * and a name that was met before is not walked again: with loops and depth
 * that decides what is found.
 */
#ifndef POLICY_ALIAS_WALK_H
#define POLICY_ALIAS_WALK_H

#include "policy/alias.h"

enum target_kind {
	TARGET_USER,	/* of this host */
	TARGET_ADDRESS, /* elsewhere */
	TARGET_INCLUDE, /* a file of more */
};

/* One name met on the way. */
struct target {
	enum target_kind kind;
	slice name;	/* user in lower case, "user@host", or path */
	slice detail;	/* taken off the user: "+x", or "x" once it is final */
	slice written;	/* as it stands in its list */
	slice owner;	/* sender for what is below, empty: none */
	bool is_primary; /* the recipient, in whatever spelling */
	bool is_quoted;	 /* "\user": no alias */
	bool is_final;	 /* its detail names no alias, nor does luser_relay */
	bool is_stand_in; /* of luser_relay: its detail is who was meant */
	bool refers_to_itself;
	bool is_left;	 /* to the MTA */
	bool is_met;	 /* walked to, and not as a duplicate */
	bool is_dead;	 /* others are in its place */
	bool is_taken;
	struct target *parent;
	struct target *next; /* as they stand in the lists */
	struct target *next_to_walk;
	struct target *next_in_bucket;
};

#define WALK_BUCKETS 256

struct walk {
	const struct decision *d;
	struct target *first;
	struct target **end;
	struct target *buckets[WALK_BUCKETS];
	size_t members;
	enum expansion_kind outcome; /* EXPANSION_SET as long as all is well */
	struct verdict error;
};

/* Everything in the walk is of the decision's arena. */
void walk_aliases(
    const struct decision *d, slice recipient, struct walk *ret_walk);
/* Is mail to go there? */
bool target_is_living(const struct target *target);
/* Once for each address that is living: some are so in several spellings. */
bool walk_take(struct walk *walk, struct target *target, slice *ret_address);
/* A user's name without backslashes; in quotes they belong to it. */
slice target_plain_user(struct arena *arena, slice user);
/* As it is written for others: a user plain, with its detail behind it. */
slice target_address(const struct walk *walk, const struct target *target);
/* Is it a user's name, and no program, file or ":include:"? */
bool target_is_plain(slice user);

#endif
