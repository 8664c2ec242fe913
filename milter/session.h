/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection of an MTA: what it has told so far, turned into the session
 * that policy/ judges. The differences between the MTAs end here.
 *
 * A connection owns its milter_session from its first callback to its close;
 * one thread at a time works on it, but not always the same one (libmilter's
 * worker pool), so nothing of it is kept per thread. Three arenas: of the
 * connection, of the message, and of the callback, which there is only while
 * one is at work. However much a client sends, no more than the newest HELO,
 * sender and verdicts of it are kept.
 *
 * libmilter is not seen from here: callbacks.c hands in macros and arguments.
 */
#ifndef MILTER_SESSION_H
#define MILTER_SESSION_H

#include "milter/intake.h"
#include "milter/load.h"
#include "milter/service.h"
#include "milter/watch.h"
#include "policy/session.h"
#include "policy/trace.h"
#include "policy/verdict.h"

#include <sys/socket.h>

/* Whose manners the other side has. */
enum mta_kind {
	MTA_SENDMAIL, /* writes "<x@y>... " before a text at MAIL and RCPT */
	MTA_POSTFIX,  /* gives texts to the client as they are */
};

/* The MTA's macros: "{client_resolve}", "i"; empty when it has not sent it. */
struct macros {
	slice (*get)(void *context, const char *name);
	void *context;
};

slice macro(const struct macros *macros, const char *name);

/* The transaction between MAIL and its end. */
struct message {
	struct arena *arena; /* its own and all that is in it */
	unsigned long bytes; /* header and body, a line's end counting one */
	unsigned hops;	     /* Received: lines */
	bool after_cr;	     /* the last body chunk ended with CR */
	struct intake intake;

	/* What was decided earlier and is carried out at its end. */
	bool discard;
	bool quarantine;
	slice quarantine_reason;
	struct verdict refusal; /* of a recipient that could not be refused */
};

struct milter_session {
	struct service *service;
	struct generation *generation;
	struct arena *connection_arena;
	struct arena *scratch; /* NULL between callbacks */

	struct session said;
	enum mta_kind mta;
	bool is_local;	     /* not SMTP: Postfix's own submission */
	bool takes_no_reply; /* to headers and body, as negotiated */
	bool keeps_space;    /* header values come with their leading blank */
	char *helo_room;     /* where said.helo stands */
	size_t helo_size;
	struct message *message; /* NULL: none is open */

	/* check_relay's verdict where it counts after CONNECT, or NULL. */
	const struct verdict *connect_refusal;
	bool connect_discard;
	bool forgery_told; /* a log line has said "(may be forged)" */

	/* The world for one callback; see session_ports(). */
	struct resolver_session resolver;
	struct ports ports;
	struct trace faults; /* of the decision at hand */
};

/* NULL when no policy is in force. */
struct milter_session *session_new(struct service *service);
/* NULL is fine, so is a session in any state. */
void session_free(struct milter_session *session);

/* Around each callback that needs more than the functions for header, body and
 * end below: gives it its scratch and its time for questions to the world. */
void session_begin_callback(
    struct milter_session *session, struct arena *scratch);
void session_end_callback(struct milter_session *session);

/* CONNECT. `address` is NULL when the MTA does not know it. Asks the resolver
 * who the client is, where the MTA does not say it. */
void session_connect(struct milter_session *session, slice host,
    const struct sockaddr *address, const struct macros *macros);
void session_helo(struct milter_session *session, slice helo);
/* MAIL: a new message. `arguments` are the command's words, NULL at the end,
 * the first of them the address. */
void session_mail(struct milter_session *session, char *const *arguments,
    const struct macros *macros);
/* RCPT: the address as policy/ wants it. */
slice session_recipient(struct milter_session *session, slice address);
/* A recipient that was accepted; `arguments` as for MAIL. False when the
 * message has too many. */
bool session_add_recipient(
    struct milter_session *session, slice recipient, char *const *arguments);
void session_header(struct milter_session *session, slice name, slice value);
void session_body(struct milter_session *session, slice chunk);
/* The message is over, however it ended. */
void session_end_message(struct milter_session *session);

#endif
