/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailertable: which way mail for a domain goes (cf/README,
 * FEATURE(mailertable); proto.m4, Mailertable and MailerToTriple). The domain
 * itself is looked up, then ".parent" for each of its parents, then ".".
 *
 * Domains that are ours (local_domain) are never looked up, nor are address
 * literals.
 */
#ifndef POLICY_MAILERTABLE_H
#define POLICY_MAILERTABLE_H

#include "policy/decide.h"

enum way_kind {
	WAY_NONE,     /* no entry: as if there were no table */
	WAY_MAILER,   /* by this mailer to this host */
	WAY_ERROR,    /* "error:": refused */
	WAY_TEMPFAIL, /* the map could not answer */
};

struct way {
	enum way_kind kind;
	slice mailer; /* "smtp", as written */
	slice host;   /* "[192.0.2.1]", "a:b"; empty for the mailer "local" */
	slice user;   /* of "mailer:user@host" and "local:user", else empty */
	struct verdict error;
};

/* `host`: without a final dot. */
struct way mailertable_find(const struct decision *d, slice host);

#endif
