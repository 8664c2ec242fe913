/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What explain found out about one session, and how it is written down. All of
 * it lives in the session's arena.
 */
#ifndef MILTER_EXPLAIN_ANSWER_H
#define MILTER_EXPLAIN_ANSWER_H

#include "base/strbuf.h"
#include "milter/explain_message.h"
#include "policy/session.h"
#include "policy/trace.h"
#include "policy/verdict.h"

/* One question to the policy and what it said. */
struct explain_stage {
	const char *stage; /* "connect", "mail", "rcpt", "eom" */
	slice recipient;   /* of "rcpt", as typed */
	bool is_aside;	   /* no message was given: not the session's */
	struct verdict verdict;
	struct trace trace;
	struct explain_stage *next;
};

struct filter_result; /* milter/filter.h */
struct vacation_plan; /* milter/vacation.h */

struct explain_answer {
	struct arena *arena;
	const struct session *session;
	bool has_sender;
	struct explain_stage *first;
	struct explain_stage *last;
	const struct explain_message *message; /* NULL: not rewritten */
	const struct filter_result *recipes; /* or NULL, both */
	const struct vacation_plan *vacation;
	/* The stage whose verdict is the session's. */
	const struct explain_stage *decisive;
	slice assumed[8]; /* "name=value" */
	size_t assumed_count;
};

/* One line of JSON. */
void explain_print_json(
    const struct explain_answer *answer, bool with_trace, struct strbuf *out);
/* A few lines for people, a blank one after them. */
void explain_print_text(
    const struct explain_answer *answer, bool with_trace, struct strbuf *out);

#endif
