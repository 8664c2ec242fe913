/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lines of the maillog that tell of decisions. Their forms are sendmail's,
 * so that the tools people have go on working. Any thread.
 */
#ifndef MILTER_LOG_LINES_H
#define MILTER_LOG_LINES_H

#include "base/arena.h"
#include "policy/client.h"
#include "policy/edit.h"
#include "policy/trace.h"
#include "policy/verdict.h"

/* Text that a client chose, made safe for a log line: xtext (RFC 3461,
 * 4) for controls, 8-bit, '+' left alone, and for the characters that the
 * tools which read logs take for structure: blank, ',', '=' and any '<' or '>'
 * inside the outer angle brackets. Cut at `limit` bytes. */
slice log_escape(struct arena *arena, slice text, size_t limit);

/* One line per decision, in sendmail's form; nothing for CONTINUE.
 * "QID: ruleset=check_rcpt, arg1=<x@y>, relay=name [ip] (may be forged),
 * reject=550 5.7.1 <x@y>... Relaying denied". */
struct log_decision {
	slice queue_id; /* empty: NOQUEUE */
	const struct client *client;
	slice arg1;
	slice arg2; /* check_relay only */
	const struct verdict *verdict;
};
void log_verdict(struct arena *arena, const struct log_decision *decision);
/* One line for a message whose addresses are rewritten: its sender before and
 * after, how many recipients were added and dropped, and which header fields
 * changed. "QID: ruleset=rewrite, arg1=<a@b>, relay=..., sender=<c@d>, added=1,
 * dropped=1, headers=From:Sender". */
void log_rewrite(struct arena *arena, slice queue_id,
    const struct client *client, slice sender, const struct edit_list *edits);
/* The first of a trace of faults, if there is one: "QID: no answer from access:
 * match limit (/etc/mail/patterns:3)". */
void log_fault(
    struct arena *arena, slice queue_id, const struct trace *faults);
/* What a recipient's recipes have done with his mail; `what` is made of escaped
 * parts. "QID: ruleset=recipes, arg1=<a@b>, relay=..., folder=lists". */
void log_recipes(struct arena *arena, slice queue_id,
    const struct client *client, slice recipient, slice what);
/* A header field that is left as it is, because it is broken. */
void log_broken_header(
    struct arena *arena, slice queue_id, slice name, const char *problem);
/* The one line that says "(may be forged)" where no refusal says it. */
void log_forged(
    struct arena *arena, slice queue_id, const struct client *client);

#endif
