/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is to happen, and why. A zeroed verdict means CONTINUE.
 */
#ifndef POLICY_VERDICT_H
#define POLICY_VERDICT_H

#include "base/arena.h"

enum verdict_kind {
	VERDICT_CONTINUE,   /* no objection */
	VERDICT_ACCEPT,	    /* no further checks for this mail */
	VERDICT_REJECT,	    /* 5xx */
	VERDICT_DEFER,	    /* 4xx */
	VERDICT_DISCARD,    /* 250, and nothing is delivered */
	VERDICT_QUARANTINE, /* held by the MTA; text is the reason */
};

struct verdict {
	enum verdict_kind kind;
	int code;	   /* 550, 451, ...; 0 unless rejected or deferred */
	slice enhanced;	   /* "5.7.1" */
	slice text;	   /* bare text */
	slice about;	   /* "<x@y>" where sendmail writes "<x@y>... " before
			      the text, else empty */
	const char *rule;  /* "check_rcpt": whose decision this is */
	bool relay;	   /* check_rcpt: relaying is granted (RELAY) */
	bool denied_relay; /* the refusal is for want of relaying rights */
	bool close;	   /* 421: the connection ends */
};

/* "continue", "reject", ... */
const char *verdict_word(enum verdict_kind kind);
/* True for REJECT and DEFER. */
bool verdict_is_refusal(const struct verdict *verdict);
/* "550 5.7.1 <x@y>... Relaying denied"; empty unless it is a refusal. */
slice verdict_reply(struct arena *arena, const struct verdict *verdict);
/* The reply's text behind the enhanced code, with `about` or without. */
slice verdict_reply_text(
    struct arena *arena, const struct verdict *verdict, bool with_about);

#endif
