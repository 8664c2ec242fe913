/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a recipient stands for: domaintable and virtusertable, then for local
 * users the aliases (aliases(5); sendmail's alias.c and recipient.c for what
 * is not written there), then luser_relay. Lists, ":include:" files (through
 * ports->read_include), "\user", quoted names, plus detail, nesting to a depth
 * of 10, "owner-" senders. A member in a virtual domain is looked up there.
 *
 * What only an MTA can do ("|program", "/file") is left to it: the alias that
 * has it is not expanded, it stays in the set under its own name.
 *
 * One bad member, a broken address or a loop that leaves nobody, refuses the
 * whole recipient in the words that sendmail has for the member. A name that
 * names nobody here is no fault: that is the MTA's to say.
 *
 * At most EXPANSION_MAX members are looked at, and then it is EXPANSION_
 * TEMPFAIL.
 */
#ifndef POLICY_ALIAS_H
#define POLICY_ALIAS_H

#include "policy/decide.h"
#include "policy/virtuser.h"

enum { EXPANSION_MAX = 10000 };

enum expansion_kind {
	EXPANSION_SAME,	    /* nothing to do: the set is the address itself */
	EXPANSION_SET,	    /* these addresses instead */
	EXPANSION_MTA,	    /* an alias that is left to the MTA */
	EXPANSION_ERROR,    /* refused: `error` says how */
	EXPANSION_TEMPFAIL, /* a map, file or port could not answer: 4xx */
};

struct expansion {
	enum expansion_kind kind;
	slice *addresses; /* "user", "user+detail" or "user@host", each once */
	size_t count;
	/* The one of them that is the recipient itself; count: none. */
	size_t own;
	/* "user@host", the envelope sender for all of the set; empty: it
	 * stays as it is. Where the members have several owners, or some have
	 * none, the recipient's own counts. */
	slice owner;
	struct verdict error; /* with `about` where sendmail has one */
};

/* `recipient` as typed. Without aliases and luser_relay this is route_find()
 * alone. */
struct expansion expand_recipient(const struct decision *d, slice recipient);

/* The name on the left of an alias as a key of the map: with a domain it is
 * looked up in the virtusertable, as newaliases does. NULL, or what is wrong
 * with it. To ask nobody while loading, let the policy say nocanonify. */
const char *alias_key(const struct decision *d, slice name, slice *ret_key);
/* The ":include:" file that is meant by a member of an alias, or of such a
 * file; false: none is. */
bool alias_include(const struct decision *d, slice member, slice *ret_path);

#endif
