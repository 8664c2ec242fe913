/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recipients of a message, all together: who stays, who is added, who is
 * dropped. Nobody is to have the message twice because he was named twice, and
 * nobody not at all because he was both added and dropped: to an MTA "user" and
 * "user@local" may be one recipient (sendmail drops both) or two (Postfix
 * delivers to both).
 */
#ifndef POLICY_AUDIENCE_H
#define POLICY_AUDIENCE_H

#include "policy/message.h"

enum { AUDIENCE_MAX = 10 * 10000 };

/* Adds to result->edits, or sets result->verdict. *ret_owner is the sender that
 * lists want, empty for none. */
void audience_edit(const struct decision *d, const struct message_input *input,
    struct message_result *result, slice *ret_owner);

#endif
