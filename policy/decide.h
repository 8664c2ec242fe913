/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entry points of the policy, one per stage of SMTP. Pure: same policy,
 * session and answers of the ports, same verdict. Nothing is kept between
 * calls; what an earlier stage decided and still counts later (a refusal at
 * connect, a discard) is the door's to remember.
 *
 * With delay_checks decide_connect() and decide_mail() say CONTINUE (but for
 * what sendmail refuses before its rulesets) and decide_recipient() runs all
 * of them for each recipient.
 *
 * Every slice in the verdict lives in `arena` or as long as the session and
 * the policy do.
 */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "policy/policy.h"
#include "policy/ports.h"
#include "policy/session.h"
#include "policy/trace.h"
#include "policy/verdict.h"

struct decision {
	const struct policy *policy;
	const struct ports *ports;
	const struct session *session;
	struct arena *arena; /* scratch and results */
	struct trace *trace; /* may be NULL */
};

/* check_relay. */
struct verdict decide_connect(const struct decision *d);
/* Whether that can come to anything but "continue". */
bool policy_judges_clients(const struct policy *policy);
/* require_auth, SIZE= against max_message_size, check_mail.
 * Uses session->sender. */
struct verdict decide_mail(const struct decision *d);
/* Address syntax, check_rcpt (and under delay_checks check_mail and
 * check_relay). `recipient` as typed: "<x@y>". */
struct verdict decide_recipient(const struct decision *d, slice recipient);
/* max_message_size and max_hops once the message is whole. */
struct verdict decide_message(
    const struct decision *d, unsigned long size, unsigned hops);

/* One ruleset alone, as `sendmail -bt` asks it: no syntax check before it,
 * no limits, no state of other stages. */
enum ruleset { RULESET_CHECK_RELAY, RULESET_CHECK_MAIL, RULESET_CHECK_RCPT };
struct verdict decide_ruleset(
    const struct decision *d, enum ruleset ruleset, slice argument);

#endif
