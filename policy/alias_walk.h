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
#include "policy/alias_target.h"

struct walk {
	const struct decision *d;
	struct targets targets;
	size_t members;
	enum expansion_kind outcome; /* EXPANSION_SET as long as all is well */
	struct verdict error;
};

/* Everything in the walk is of the decision's arena. */
void walk_aliases(
    const struct decision *d, slice recipient, struct walk *ret_walk);

#endif
