/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * aliases: what a local recipient stands for, after the virtusertable
 * (aliases(5); sendmail's alias.c and recipient.c for what is not written
 * there). Lists, ":include:" files (through ports->read_include), "\user",
 * quoted names, plus detail, nesting to a depth of 10, "owner-" senders.
 *
 * What only an MTA can do ("|program", "/file") leaves the whole recipient to
 * the MTA, unchanged.
 */
#ifndef POLICY_ALIAS_H
#define POLICY_ALIAS_H

#include "policy/decide.h"
#include "policy/virtuser.h"

enum expansion_kind {
	EXPANSION_SAME,	    /* nothing to do: the set is the address itself */
	EXPANSION_SET,	    /* these addresses instead */
	EXPANSION_MTA,	    /* left to the MTA */
	EXPANSION_ERROR,    /* refused: `error` says how */
	EXPANSION_TEMPFAIL, /* a map or a file could not answer: 4xx */
};

struct expansion {
	enum expansion_kind kind;
	slice *addresses; /* "user" or "user@host", each once */
	size_t count;
	slice owner; /* envelope sender for the set, empty: unchanged */
	struct verdict error;
};

/* `recipient` as typed. Domaintable and virtusertable come first, so that
 * without an aliases map this is route_find() alone. */
struct expansion expand_recipient(const struct decision *d, slice recipient);

#endif
