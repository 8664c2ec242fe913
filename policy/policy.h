/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy: the options of one generation and the maps and classes they
 * need. Filled once by milter/load, lives in its snapshot's arena, immutable
 * after that. Names are those of sendmail's FEATUREs (cf/README).
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/slice.h"
#include "maps/class.h"
#include "maps/map.h"

struct snapshot;

enum delay_checks { DELAY_NO, DELAY_YES, DELAY_FRIEND, DELAY_HATER };
enum relay_mail_from { RELAY_FROM_NO, RELAY_FROM_ADDRESS, RELAY_FROM_DOMAIN };

/* One DNS list; an empty message means sendmail's own wording. */
struct dnsbl {
	slice zone;
	slice message;
	bool enhanced; /* enhdnsbl: looked up alike, listed apart */
};

struct policy {
	slice hostname; /* $j, lower case, no trailing dot */

	const struct class *local;	     /* $=w */
	const struct class *relay;	     /* $=R */
	const struct class *trust_auth_mech; /* $={TrustAuthMech} */
	const struct map *access;	     /* NULL: no access_db */

	/* Rewriting; each map NULL and each class empty unless configured. */
	const struct map *domaintable;
	const struct map *genericstable;
	const struct map *virtusertable;
	const struct map *mailertable;
	const struct map *aliases;
	const struct class *virtuser_domain;	  /* $={VirtHost} */
	bool virtuser_entire_domain;
	const struct class *generics_domain;	  /* $=G */
	const struct class *masquerade_domain;	  /* $=M */
	const struct class *masquerade_exception; /* $=N */
	const struct class *exposed_user;	  /* $=E */
	slice masquerade_as; /* $M, empty: no masquerading */
	bool generics_entire_domain;
	bool masquerade_entire_domain;
	bool masquerade_envelope;
	bool allmasquerade;
	bool limited_masquerade;
	bool always_add_domain;
	bool redirect;
	slice luser_relay; /* where mail for unknown users goes, or empty */
	bool allow_unsafe_files; /* of ":include:" as well */
	const struct snapshot *includes; /* has some of their texts, or NULL */

	enum delay_checks delay_checks;
	enum relay_mail_from relay_mail_from;
	bool require_auth;
	bool blocklist_recipients;
	bool relay_hosts_only;
	bool relay_entire_domain;
	bool relay_local_from;
	bool relay_based_on_mx;
	bool promiscuous_relay;
	bool loose_relay_check;
	bool accept_unresolvable_domains;
	bool accept_unqualified_senders;
	bool lookupdotdomain;
	bool relaytofulladdress;
	bool require_rdns;
	bool block_bad_helo;
	bool use_client_ptr;
	bool nocanonify;

	const struct dnsbl *dnsbl;
	size_t dnsbl_count;

	unsigned long max_message_size; /* bytes, 0: no limit */
	unsigned max_hops;		/* Received: lines, 0: no limit */
};

#endif
