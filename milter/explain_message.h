/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What explain finds out about a message beyond its verdict: what of its
 * envelope and header is rewritten. The intake and rewrite_message() are the
 * milter's own.
 */
#ifndef MILTER_EXPLAIN_MESSAGE_H
#define MILTER_EXPLAIN_MESSAGE_H

#include "base/strbuf.h"
#include "milter/intake.h"

#include <jansson.h>

/* Lives in the arena it was begun with. */
struct explain_message {
	struct arena *arena;
	struct intake intake;
	slice sender; /* as typed */
	struct message_result result;
};

void explain_message_begin(struct explain_message *message,
    const struct decision *d, const struct limits *limits);
void explain_message_add_recipient(
    struct explain_message *message, slice recipient);
/* Header fields, one after the other, as the attribute "header" has them: a
 * line's end as "\n", a backslash as "\\"; behind an empty line a body. */
void explain_message_add_header(struct explain_message *message, slice escaped);
/* A refusal, or CONTINUE and what is edited. */
struct verdict explain_message_rewrite(
    struct explain_message *message, const struct decision *d);

/* Does the policy rewrite anything of any message? */
bool explain_message_matters(const struct policy *policy);

/* The members sender_becomes, headers and broken_headers; NULL: nothing was
 * rewritten, because the mail did not get so far. */
void explain_message_json(
    json_t *object, const struct explain_message *message);
/* The addresses that stand for the recipient afterwards. */
json_t *explain_message_json_becomes(
    const struct explain_message *message, slice recipient);
/* A line or two for each edit, titles `width` wide. */
void explain_message_text(
    struct strbuf *out, const struct explain_message *message, size_t width);

#endif
