/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tells a sender that one of several recipients has refused his message:
 * a delivery status notification (RFC 3461, 3462 and 3464), with the header of
 * the message and not its body.
 */
#ifndef MILTER_BOUNCE_H
#define MILTER_BOUNCE_H

#include "base/arena.h"
#include "policy/verdict.h"

#include <time.h>

struct bounce {
	slice hostname;
	slice to;	 /* "a@b" */
	slice recipient; /* "c@d" */
	const struct verdict *verdict;
	slice header; /* of the message */
	time_t now;
};

void bounce_write(struct arena *arena, const struct bounce *bounce,
    slice *ret_header, slice *ret_body);

/* A word that a client or an MTA chose, fit to stand in a header field: other
 * bytes than those of names and addresses become '?'. */
slice bounce_clean_word(struct arena *arena, slice word);

#endif
