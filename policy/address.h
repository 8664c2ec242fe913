/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Envelope addresses in canonical form: what sendmail's rulesets 3
 * (canonify) and Parse0 make of them. Routes are stripped, "%" and "!" paths
 * turned into user and host, local hosts peeled off while the user part names
 * another host, so that "u%x@local" and "\"u@x\"@local" stand for what they
 * mean: u at x.
 *
 * Pure but for ports->find_host, which follows CNAMEs (unless the policy says
 * nocanonify).
 */
#ifndef POLICY_ADDRESS_H
#define POLICY_ADDRESS_H

#include "policy/decide.h"
#include "policy/token.h"

struct address {
	struct tokens local;
	/* One final "." token marks a canonical name; address_strip_dots()
	 * takes it away. */
	struct tokens host;
	bool has_host;
	bool is_null; /* "<>" */
	bool is_list; /* "list:;", which names nobody */
	/* The domaintable cannot answer now: the host may be another. */
	bool is_unsure;
};

/* What is wrong with an address, in sendmail's words. Code is 553, and 451
 * for what may be right later. */
struct address_fault {
	const char *enhanced;
	const char *text; /* NULL: nothing is wrong */
	bool is_temporary;
};

/* Ruleset 3 alone. */
struct address address_canonify(const struct decision *d, struct tokens t);
/* Rulesets 3 and Parse0. False when it is no address, and when nobody can say
 * now which it is; then only *ret_fault is set. */
bool address_parse(const struct decision *d, struct tokens t,
    struct address *ret_address, struct address_fault *ret_fault);
/* The same for the argument of a command as typed; faults of balance
 * ("Unbalanced '<'") come first. */
bool address_parse_text(const struct decision *d, slice text,
    struct address *ret_address, struct address_fault *ret_fault);

void address_strip_dots(struct address *address);
/* Is the host "*LOCAL*", sendmail's own name for "none yet"? A client who
 * writes it gets an unqualified address. */
bool address_is_local_marker(const struct address *address);
/* As it is written for others (ruleset 4): without final dot, UUCP as
 * "host!user", "*LOCAL*" as this host. */
slice address_external(
    const struct decision *d, const struct address *address);
/* Host as a string, lower case; two atoms side by side have a blank between
 * them, which is no dot where parent domains are looked for
 * (host_unquoted() makes it one). Local part as a string, as typed. */
slice address_host(const struct decision *d, const struct address *address);
slice address_local(const struct decision *d, const struct address *address);
/* ${f}: the sender as sendmail writes it in texts and looks it up again under
 * delay_checks; without angle brackets. */
slice address_sender_macro(const struct decision *d, slice sender);

#endif
