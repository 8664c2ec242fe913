/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtusertable: recipients in domains of ours (local_domain or
 * virtuser_domain) become other addresses, or errors (cf/README,
 * FEATURE(virtusertable)). A result is looked up again, until nothing more is
 * found.
 */
#ifndef POLICY_VIRTUSER_H
#define POLICY_VIRTUSER_H

#include "policy/decide.h"

enum route_kind {
	ROUTE_LOCAL,	/* a user of this host */
	ROUTE_REMOTE,	/* an address elsewhere */
	ROUTE_ERROR,	/* refused in the map's words, or no address */
	ROUTE_TEMPFAIL, /* the map could not answer */
};

struct route {
	enum route_kind kind;
	slice user;    /* ROUTE_LOCAL: with its detail, as written */
	slice address; /* ROUTE_REMOTE: "user@host" */
	struct verdict error;
	bool is_changed; /* by the virtusertable */
};

/* Where mail for this recipient goes. `recipient` as typed, or a result. */
struct route route_find(const struct decision *d, slice recipient);

#endif
