/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The maillog. Lines go into a bounded queue; one thread of its own sends
 * them to /dev/log (or standard error with -f), so that a log daemon that
 * stands still stops nobody. What does not fit is dropped and counted, and
 * the count is logged as soon as there is room. Before log_start() and after
 * log_stop() lines go to standard error. Any thread may log.
 */
#ifndef MILTER_LOG_H
#define MILTER_LOG_H

#include "base/arena.h"
#include "base/error.h"
#include "policy/client.h"
#include "policy/edit.h"
#include "policy/verdict.h"

/* `facility`: "mail", "local0", ...; level: sendmail's LogLevel idea, lines
 * of a higher level are not written. */
struct log_options {
	slice facility;
	int level;
	bool to_stderr;
	const char *socket_path; /* NULL: /dev/log */
};

/* The thread does not outlive a fork(): only after the last one. That nobody
 * listens at /dev/log is no error; the lines wait for somebody. */
bool log_start(const struct log_options *options, struct error *error);
/* Sends what is queued, for at most a second, and ends the thread. */
void log_stop(void);
void log_set_level(int level);
unsigned long log_dropped(void);

/* Priorities are those of syslog(3). Newlines and controls are escaped; a
 * line is cut at 1000 bytes. Levels: LOG_ERR and worse from 1 on, LOG_WARNING
 * 2, LOG_NOTICE (decisions) 3, LOG_INFO 5, LOG_DEBUG 10. */
__attribute__((format(printf, 2, 3))) void log_line(
    int priority, const char *format, ...);

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
/* A header field that is left as it is, because it is broken. */
void log_broken_header(
    struct arena *arena, slice queue_id, slice name, const char *problem);
/* The one line that says "(may be forged)" where no refusal says it. */
void log_forged(
    struct arena *arena, slice queue_id, const struct client *client);

#endif
