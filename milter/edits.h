/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carries out the edits of a message, at its end, once nothing else can
 * refuse it. Header changes first, then headers removed, from the highest
 * number down (Postfix counts anew after each, sendmail does not), then new
 * ones, then the sender, then recipients added, then recipients dropped, so
 * that the message never stands without one, then the body.
 *
 * ESMTP parameters go over to the new addresses: RET and ENVID with the sender
 * (and BODY to sendmail, which forgets the old ones), NOTIFY and ORCPT with
 * each recipient.
 */
#ifndef MILTER_EDITS_H
#define MILTER_EDITS_H

#include "milter/intake.h"
#include "milter/session.h"

#include <libmilter/mfapi.h>

/* False when the MTA takes one of them not: the message must be deferred. */
bool edits_apply(SMFICTX *ctx, struct arena *scratch,
    const struct milter_session *session, const struct edit_list *edits);

#endif
