/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From what each recipient's recipes say to what is to be done with the one
 * message: its edits, the private copies, the bounces, the verdict.
 *
 * - Who keeps the message as it is needs nothing. What all who remain want
 *   changed alike is an edit of the message. Where texts differ the message
 *   itself goes on in one of them, and the others are private copies: it stays
 *   as it came where anybody wants it so, else it is the text that most have.
 * - A quarantine holds what the MTA has, so the message itself is then for
 *   those who asked for it, and the others get copies.
 * - One recipient's deferral defers all of it, before anything was done.
 * - A refusal by all of them refuses the message. Of some: each of those is
 *   dropped, and a bounce tells the sender, unless he is "<>".
 * - Nobody left: the message is discarded.
 */
#ifndef POLICY_FATE_H
#define POLICY_FATE_H

#include "policy/edit.h"
#include "policy/mail_text.h"
#include "policy/verdict.h"

/* One thing that is to become of a recipient's mail. */
struct fate_delivery {
	bool is_own;		      /* to himself, under the address he has */
	slice address;		      /* else to this one, "a@b" */
	const struct mail_text *text; /* NULL: as it came */
	struct fate_delivery *next;
};

struct fate {
	slice recipient; /* "<a@b>": in the envelope, or to be added to it */
	slice given;	 /* as the client gave it; may be the same */
	bool is_given;	 /* he stands in the envelope himself */
	/* None: his mail is dropped (or a program has it). */
	struct fate_delivery *deliveries;
	struct verdict verdict; /* REJECT, DEFER, QUARANTINE or CONTINUE */
};

struct fate_input {
	const struct fate *fates;
	size_t count;
	slice sender;	       /* "<a@b>": as it is to be */
	struct mail_text came; /* as the MTA has it */
	struct mail_text text; /* what "as it came" means to recipes: may have
				* its addresses rewritten */
	bool keeps_space;      /* see header_diff() */
	size_t bytes_max;      /* of all copies' texts together */
};

struct fate_copy {
	slice *recipients; /* "a@b" */
	size_t recipient_count;
	size_t room;
	const struct mail_text *text;
	struct fate_copy *next;
};

struct fate_bounce {
	slice recipient; /* as given */
	const struct verdict *verdict;
	struct fate_bounce *next;
};

struct fate_plan {
	struct verdict verdict;
	struct edit_list edits; /* recipients, header and body */
	bool changes_header;	/* then `edits` has all changes of the header,
				 * those    from `came` to `text` too */
	struct fate_copy *copies;
	struct fate_bounce *bounces;
};

/* Everything in the arena, or borrowed from the input, which must last as long
 * as the plan. */
void fate_decide(struct arena *arena, const struct fate_input *input,
    struct fate_plan *ret_plan);

#endif
