/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What addresses become: domaintable, genericstable and masquerading, as
 * sendmail's rulesets HdrFromSMTP, EnvFromSMTP, EnvToSMTP, MasqHdr and MasqEnv
 * do it for mail that leaves by SMTP, and HdrFromL, HdrToL and EnvFromL for
 * mail that stays (cf/README, "MASQUERADING AND RELAYING").
 *
 * Pure but for the ports of address_canonify().
 */
#ifndef POLICY_REWRITE_H
#define POLICY_REWRITE_H

#include "policy/decide.h"

enum rewrite_role {
	REWRITE_ENVELOPE_SENDER,
	REWRITE_ENVELOPE_RECIPIENT,
	REWRITE_HEADER_SENDER,
	REWRITE_HEADER_RECIPIENT,
};

struct rewrite {
	enum rewrite_role role;
	/* The mail stays on this host: unqualified addresses are left alone
	 * unless the policy says always_add_domain. */
	bool is_local_mail;
};

/* The address rewritten, without angle brackets; empty for the null address
 * and for an empty list ("name:;"). *ret_temp is set when a map could not
 * answer; the address is then of no use. */
slice rewrite_address(const struct decision *d, const struct rewrite *rewrite,
    slice address, bool *ret_temp);
/* The same, but also says whether anything changed: comments, folding and
 * case of what stands there do not count. */
bool rewrite_changes(const struct decision *d, const struct rewrite *rewrite,
    slice address, slice *ret_new, bool *ret_temp);

#endif
