/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sendmail's three rulesets as functions, each in a file of its own:
 * check_relay (connect.c), check_mail (sender.c), check_rcpt (recipient.c) and
 * the half of check_rcpt that asks about the client (relay.c). They know
 * nothing of delay_checks; decide.c puts them together.
 */
#ifndef POLICY_CHECKS_H
#define POLICY_CHECKS_H

#include "policy/address.h"
#include "policy/decide.h"

struct outcome {
	/* sendmail's "$#": under delay_checks the checks that would follow
	 * are left out, whatever the verdict. */
	bool is_final;
	/* sendmail's "$#TEMP": a DNS failure at the recipient that stands
	 * only while the client is neither allowed to relay nor refused. */
	bool is_overrulable;
	struct verdict verdict;
};

struct outcome check_relay(const struct decision *d);
/* `sender` as typed. (sendmail asks for <$f>, the sender rewritten, under
 * delay_checks, unless it is built as Debian builds it: then as here.) */
struct outcome check_mail(const struct decision *d, slice sender);
struct outcome check_rcpt(const struct decision *d, slice recipient);

/* May this client relay? A final outcome, or relay set in the verdict, or
 * neither: nothing speaks for it. */
struct outcome check_client_relay(const struct decision *d);
/* Is the HELO name bogus (block_bad_helo)? A refusal, or CONTINUE. */
struct verdict check_helo(const struct decision *d);

/* Shorthands for outcomes. */
struct outcome outcome_final(struct verdict verdict);
struct outcome outcome_open(void);
struct outcome outcome_relay(const struct decision *d, const char *why);
/* A refusal in sendmail's own words. */
struct outcome outcome_refusal(const struct decision *d, const char *rule,
    int code, const char *enhanced, slice text);
/* 553 for an address that is none. */
struct verdict fault_verdict(
    const struct address_fault *fault, const char *rule);
/* User text as it reads inside a reply. */
slice text_of(const struct decision *d, slice user_text);

#endif
