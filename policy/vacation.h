/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vacation: is this message to be answered on behalf of a recipient who is
 * away, and with what? RFC 3834 (what an automatic answer is, and when there
 * is none) and RFC 5230 (when a person's own answer is due) rule; where
 * sendmail's vacation, Debian's or Pigeonhole do otherwise, milterd-vacation(5)
 * says so.
 *
 * Pure: same question, same answer. What has happened before, whether this
 * sender was answered already, is asked of the store by who sends the reply,
 * with `key` and `interval_s`.
 *
 * Everything in the answer lives in the arena, or as long as the question.
 */
#ifndef POLICY_VACATION_H
#define POLICY_VACATION_H

#include "maps/class.h"
#include "policy/message.h"
#include "policy/vacation_template.h"

#include <stdint.h>

enum vacation_reason {
	VACATION_ANSWER, /* it is to be answered */
	/* Nobody is: */
	VACATION_NOT_YET,	  /* Vacation-Start */
	VACATION_OVER,		  /* Vacation-End */
	VACATION_NOT_DELIVERED,	  /* the message is refused, dropped or held */
	VACATION_NULL_SENDER,	  /* RFC 3834, 2 */
	VACATION_BAD_SENDER,	  /* no address that a reply could go to */
	VACATION_SUBMITTED,	  /* it did not come from outside */
	VACATION_SELF,		  /* the sender is the user */
	VACATION_EXCLUDED,	  /* by the user or the administrator */
	VACATION_SYSTEM_SENDER,	  /* a program, by its name */
	VACATION_AUTO_SUBMITTED,  /* RFC 3834, 2 and 5 */
	VACATION_LIST,		  /* a mailing list's fields */
	VACATION_PRECEDENCE,	  /* bulk, list, junk */
	VACATION_SUPPRESSED,	  /* X-Auto-Response-Suppress */
	VACATION_SPAM,		  /* marked so */
	VACATION_REPORT,	  /* multipart/report: a bounce, a receipt */
	VACATION_LOOP,		  /* it was here before */
	VACATION_NOT_ADDRESSED,	  /* RFC 5230, 4.5 */
};

/* What the administrator says. */
struct vacation_options {
	slice hostname;		      /* for Message-ID */
	unsigned long interval_s;     /* where the template has none */
	unsigned long interval_min_s; /* no template goes below */
	const slice *excluded; /* senders: "a@b", "@domain", "@.domain" */
	size_t excluded_count;
	bool answers_submitted; /* mail of authenticated clients, and mail
				 * that did not come by SMTP, too */
};

/* Who is away. Addresses are "user@host". */
struct vacation_owner {
	slice user; /* the login, without detail */
	/* That replies come from, unless the template says: the recipient as
	 * the client gave it, or another by which people know the user. */
	slice address;
	/* More of his own: after rewriting, virtual, masqueraded. */
	const slice *addresses;
	size_t address_count;
	const struct class *local; /* the user at any of them is he; or NULL */
};

struct vacation_mail {
	slice sender; /* of the envelope, as typed: "<a@b>" or "a@b" */
	const struct header_field *fields; /* of the whole header, in order */
	size_t field_count;
	slice subject; /* decoded, in UTF-8; empty: the field as it stands */
	bool is_authenticated;
	bool is_submitted; /* not by SMTP */
	bool is_spam;	   /* as a recipe or the MTA says */
	enum verdict_kind verdict;
};

struct vacation_question {
	const struct vacation_options *options;
	const struct vacation_template *template;
	struct vacation_owner owner;
	struct vacation_mail mail;
	int64_t now;	/* seconds since 1970 */
	int utc_offset; /* of local time then, in seconds */
	slice unique;	/* for Message-ID: what no other message here has */
};

struct vacation_answer {
	enum vacation_reason reason;
	slice detail; /* the field or the name that gave it, or empty */
	slice to;     /* "a@b": the sender, also where it is not answered;
		       * empty: it cannot be */
	/* The rest only where it is to be answered. */
	slice key; /* of the store: user, sender and template */
	unsigned long interval_s;
	slice header; /* each line ends in "\n", no empty line behind */
	slice body;
};

/* "system-sender", for the log and explain. */
const char *vacation_reason_word(enum vacation_reason reason);

struct vacation_answer vacation_decide(
    struct arena *arena, const struct vacation_question *question);

/*
 * The store's keys: "vacation/USER/SENDER/TEMPLATE", all in lower case; "%",
 * "/", blanks and controls as %XX; a sender whose name would make the key too
 * long as its digest. The template's digest is in it, so that who was answered
 * hears of a changed message (RFC 5230, 4.2).
 *
 * What begins with vacation_key_prefix() are a user's keys, or with a sender
 * those for him; with neither, all.
 */
slice vacation_key_prefix(struct arena *arena, slice user, slice sender);
/* The parts of a key, plain again; false for one that is none. */
bool vacation_key_parse(
    struct arena *arena, slice key, slice *ret_user, slice *ret_sender);

#endif
