/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stages of SMTP: asks the policy, writes the maillog, counts, and
 * remembers what is decided at one stage and carried out at a later one.
 *
 * - A refusal of the client is kept back from CONNECT, where sendmail loses
 *   its text, and given at HELO to sendmail, which then answers MAIL, RCPT and
 *   the rest with it word for word, as after a refusal of its own; to Postfix
 *   at MAIL. Only a 421 that closes the connection is given at CONNECT.
 * - A discard, wherever decided, is carried out at the end of the message:
 *   earlier, the MTAs would stop telling of recipients, and those that are
 *   to be refused would not be; at CONNECT, sendmail would drop the milter and
 *   Postfix ignore the answer. That of the client covers each of its messages.
 * - A quarantine can only be asked for at the end of the message. That of the
 *   client is logged and no more, as in sendmail.
 * - Postfix cannot refuse a single recipient of mail that did not come by
 *   SMTP and would try for ever: such mail is refused as a whole, at its end.
 * - No stage answers ACCEPT: the MTAs would not show the recipients then, and
 *   nobody would decide about relaying.
 */
#ifndef MILTER_STAGE_H
#define MILTER_STAGE_H

#include "milter/session.h"
#include "milter/spool.h"

/* What the MTA is to be told now. */
struct answer {
	struct verdict verdict;
	bool with_about; /* whether "<x@y>... " is for us to write */
	int text_max;	 /* bytes of a reply's text; 0: what libmilter takes */
	/* What is to be changed before that, or NULL; only at the end of the
	 * message, and in memory that lasts until it is forgotten. */
	const struct edit_list *edits;
	/* What is sent once the answer was given, or NULL: committed, to be
	 * released, or withdrawn where the MTA does not get this answer. */
	struct spool_batch *batch;
};

struct answer stage_connect(struct milter_session *session);
struct answer stage_helo(struct milter_session *session);
struct answer stage_mail(
    struct milter_session *session, const struct macros *macros);
/* `arguments`: the command's words, the first of them the address. */
struct answer stage_recipient(struct milter_session *session,
    char *const *arguments, const struct macros *macros);
/* The message is still there afterwards, for its edits: to be ended with
 * session_end_message(). */
struct answer stage_end_of_message(
    struct milter_session *session, const struct macros *macros);
/* The connection is over. */
void stage_close(struct milter_session *session);

/* A verdict is counted and logged; for stage_filter.c too. */
void stage_record(struct milter_session *session, const struct verdict *verdict,
    slice arg1, const struct macros *macros);

/* For a callback that has no session, or comes out of turn. */
struct answer stage_out_of_order(void);

#endif
