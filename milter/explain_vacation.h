/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What explain tells of vacation: for each recipient who has a message,
 * whether he would answer, and why not. Nothing is sent, claimed or logged;
 * whether the sender was answered already is not asked.
 */
#ifndef MILTER_EXPLAIN_VACATION_H
#define MILTER_EXPLAIN_VACATION_H

#include "milter/explain_message.h"
#include "milter/vacation.h"

/* NULL where nobody is on vacation, or no header was given. */
const struct vacation_plan *explain_vacation(
    const struct explain_message *message, const struct decision *d,
    const struct generation *generation, enum verdict_kind verdict);

/* The member "vacation", where there is something to tell. */
void explain_vacation_json(
    json_t *object, struct arena *arena, const struct vacation_plan *plan);
/* A line for each. */
void explain_vacation_text(
    struct strbuf *out, const struct vacation_plan *plan, size_t width);

#endif
