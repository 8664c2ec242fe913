/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain: the policy without an MTA. Sessions come as attributes
 * (milter/attributes.h), the answers are those that the milter would give: the
 * same functions are called in the same order. Used by the daemon for
 * `milterctl explain` and by milterctl itself for `--config FILE`.
 *
 * What was assumed and not given is named in the answer. Files are never
 * opened here: milterctl turns message=PATH into message=SIZE HOPS, so that a
 * daemon reads no file that a client names.
 */
#ifndef MILTER_EXPLAIN_H
#define MILTER_EXPLAIN_H

#include "milter/load.h"
#include "milter/resolver.h"

struct explain {
	const struct generation *generation;
	/* Asked at most once a session, only when a name is needed. NULL
	 * from it: names cannot be found out, as if DNS had failed. */
	struct resolver *(*find_resolver)(void *context);
	struct live *live; /* dynamic entries; NULL: there are none */
	/* Takes the answer to one session, valid until it returns; false ends
	 * the work without error. */
	bool (*emit)(void *context, slice answer);
	void *context;
	bool as_json;	 /* one object a line, else text for people */
	bool with_trace; /* every lookup */
};

/* Blocks of name=value lines, a blank line after each (the last may lack it).
 * `first_line` numbers the first line for the errors. Stops at the first bad
 * line; the sessions before it are answered by then. */
bool explain_blocks(const struct explain *explain, slice text,
    unsigned first_line, struct error *error);

#endif
