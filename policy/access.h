/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The access map: how it is looked up and what its values mean. The source of
 * the order of keys is cf/README, "ANTI-SPAM CONFIGURATION CONTROL", and the
 * rulesets D, A, F, U and SearchList of sendmail's proto.m4.
 *
 * Every lookup asks for "tag:key" first and then, unless it is for the tag
 * only, for "key". Without an access map nothing is ever found.
 */
#ifndef POLICY_ACCESS_H
#define POLICY_ACCESS_H

#include "policy/decide.h"

enum access_kind {
	ACCESS_NONE, /* no entry */
	ACCESS_OK,
	ACCESS_RELAY,
	ACCESS_REJECT,
	ACCESS_DISCARD,
	ACCESS_SKIP,
	ACCESS_FRIEND,
	ACCESS_HATER,
	ACCESS_QUARANTINE, /* text: the reason */
	ACCESS_TEXT,	   /* a reply of the administrator's own */
	ACCESS_TEMPFAIL,   /* the map cannot answer now */
};

struct access_value {
	enum access_kind kind;
	slice status; /* "5.7.1" of "ERROR:5.7.1:550 text", else empty */
	slice text;
};

enum access_tag {
	ACCESS_CONNECT,
	ACCESS_FROM,
	ACCESS_TO,
	ACCESS_SPAM, /* never looked up without its tag */
};

struct access_query {
	const struct decision *d;
	enum access_tag tag;
	bool tag_only;
};

/* The name, then its parents; "[192.0.2.1]" and its nets in brackets. SKIP
 * ends the search as if nothing were there. */
struct access_value access_find_domain(
    const struct access_query *q, slice name);
/* The address, then the nets it is in: "192.0.2.1", "192.0.2", "192.0" ... */
struct access_value access_find_address(
    const struct access_query *q, slice address);
/* user@host, user+*@host and user@host without detail. */
struct access_value access_find_full(
    const struct access_query *q, slice local, slice host);
/* user@, user+*@ and user@ without detail. */
struct access_value access_find_user(const struct access_query *q, slice local);
struct access_value access_find_exact(const struct access_query *q, slice key);

/* The dynamic entry of exactly this key. */
bool access_find_dynamic(
    const struct decision *d, slice key, slice *ret_value);

struct access_value access_parse(struct arena *arena, slice value);

/* A refusal in the words of `text`: "550 text", "550 5.7.1 text", or bare text,
 * which becomes 553 5.3.0. `status` counts where the text has none of its
 * own. */
struct verdict access_refusal(const struct decision *d, slice status,
    slice text, const char *rule);
/* What a value other than OK, RELAY, SKIP or NONE makes of the mail. REJECT
 * is worded with the two last arguments. */
struct verdict access_verdict(const struct decision *d,
    const struct access_value *value, const char *rule,
    const char *reject_status, const char *reject_text);
/* 451 4.3.0, because a map cannot answer. */
struct verdict access_tempfail(const char *rule);

#endif
