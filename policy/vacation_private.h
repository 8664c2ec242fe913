/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the rooms of vacation: vacation.c decides, vacation_party.c knows
 * who somebody is, vacation_field.c what a header says, vacation_reply.c
 * writes.
 */
#ifndef POLICY_VACATION_PRIVATE_H
#define POLICY_VACATION_PRIVATE_H

#include "base/strbuf.h"
#include "policy/vacation.h"

/* One address, in lower case, without quotes, comments and blanks. */
struct vacation_party {
	slice local;
	slice domain; /* empty: none */
};

struct vacation_party vacation_party_of(struct arena *arena, slice address);
/* Is that the user himself, with any detail? */
bool vacation_is_owner(
    const struct vacation_question *question, struct vacation_party party);
/* Does the user or the administrator exclude him? */
bool vacation_is_excluded(
    const struct vacation_question *question, struct vacation_party party);
/* Is it the name of a program rather than of a person? */
bool vacation_is_program(slice local);
/* The sender as an address that a reply can be sent to, without angle
 * brackets; false where there is none, and then empty for the null sender. */
bool vacation_reply_address(slice sender, slice *ret_address);

/* Does anything in the header speak against an answer, or nothing for it? */
enum vacation_reason vacation_judge_header(struct arena *arena,
    const struct vacation_question *question, slice *ret_detail);

const struct header_field *vacation_find_field(
    const struct vacation_mail *mail, slice name);

slice vacation_key(struct arena *arena, slice user, slice sender,
    const struct vacation_template *template);

/* Fills header and body; answer->to is set. */
void vacation_compose(struct arena *arena,
    const struct vacation_question *question, struct vacation_answer *answer);

#endif
