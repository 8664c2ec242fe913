/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole message: what of it is to be rewritten. Called once, at the end of
 * message, when sender, recipients and address headers are known.
 */
#ifndef POLICY_MESSAGE_H
#define POLICY_MESSAGE_H

#include "policy/decide.h"
#include "policy/edit.h"

/* A header field that holds addresses (policy/header.h tells by its name). */
struct header_field {
	slice name;
	slice value;	/* as the MTA gave it, line breaks included */
	unsigned index; /* of the instances of this name, from 1 */
};

struct message_input {
	slice sender;		 /* as typed */
	const slice *recipients; /* accepted ones, as typed */
	size_t recipient_count;
	const struct header_field *fields;
	size_t field_count;
};

/* A field that was left alone because it is broken, for the log. */
struct message_problem {
	slice name;
	const char *problem;
	struct message_problem *next;
};

struct message_result {
	struct edit_list edits;
	struct message_problem *problems;
	/* A refusal or a deferral, if some map or recipient asked for one. */
	struct verdict verdict;
};

struct message_result rewrite_message(
    const struct decision *d, const struct message_input *input);

/* Does the policy rewrite anything at all of this kind? What it does not is
 * not asked of the MTA. */
bool policy_rewrites_headers(const struct policy *policy);
bool policy_rewrites_sender(const struct policy *policy);
bool policy_rewrites_recipients(const struct policy *policy);

#endif
