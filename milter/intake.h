/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What of a message is kept until its end, so that it can be rewritten there:
 * the recipients that were accepted, the header fields that hold addresses,
 * and the ESMTP parameters that belong to sender and recipients; for recipes
 * and vacation the whole header, and the body where some recipe may look at it.
 * Nothing is kept that nobody wants.
 *
 * Lives in the message's arena, but for the body, which intake_end() frees.
 * What a client can make it grow by is bounded; behind the bounds it keeps
 * nothing more and says so, once and for all.
 */
#ifndef MILTER_INTAKE_H
#define MILTER_INTAKE_H

#include "milter/settings.h"
#include "policy/mail_text.h"
#include "policy/message.h"

struct intake_recipient {
	slice address;	  /* as policy/ wants it, "<a@b>" */
	slice parameters; /* "NOTIFY=NEVER ORCPT=...", or empty */
};

struct intake {
	struct arena *arena;
	const struct limits *limits;
	bool keeps_recipients;
	bool keeps_fields;
	bool keeps_header; /* all of it, as text */
	bool keeps_body;
	bool keeps_space; /* values come with the blank behind the colon */
	bool is_too_large; /* the text: it is not kept then */
	bool has_too_many_recipients;
	bool has_too_many_fields;
	slice sender_parameters;
	struct intake_recipient *recipients;
	size_t recipient_count;
	size_t recipient_size;
	size_t recipient_bytes;
	struct header_field *fields;
	size_t field_count;
	size_t field_size;
	size_t field_bytes;
	struct strbuf header; /* lines end in LF; no empty line at its end */
	char *body;	      /* the same; see intake_text() */
	size_t body_len;
	size_t body_size;
	bool body_ends_in_cr; /* which is not in it yet */
	unsigned marks;	      /* fields COPY_MARK_FIELD: not in the header */
	slice mark;	      /* the first one's value */
};

/* What recipes and vacation want; see milter/filter.h. */
struct intake_wishes {
	bool recipients;
	bool header;
	bool body;
};

/* `parameters`: the words behind the address of MAIL, NULL at the end. */
void intake_begin(struct intake *intake, struct arena *arena,
    const struct policy *policy, const struct limits *limits,
    char *const *parameters);
/* Before the first recipient. */
void intake_wish(struct intake *intake, const struct intake_wishes *wishes);
void intake_end(struct intake *intake);
/* False when there are too many, or too many bytes of them: this one is not
 * kept. */
bool intake_add_recipient(
    struct intake *intake, slice address, char *const *parameters);
void intake_add_header(struct intake *intake, slice name, slice value);
void intake_add_body(struct intake *intake, slice chunk);
/* Header, with the empty line at its end, and body, as they were kept. Valid
 * until something is added or the intake ends. */
struct mail_text intake_text(struct intake *intake);

/* What a message with too many fields is answered. */
struct verdict intake_too_large(
    const struct intake *intake, struct arena *arena);

/* The parameters of the recipient that an edit replaces. */
slice intake_parameters_of(const struct intake *intake, slice recipient);
/* The input of rewrite_message(); lists are made in `arena`. */
struct message_input intake_input(
    const struct intake *intake, struct arena *arena, slice sender);

#endif
