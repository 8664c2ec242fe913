/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a message as far as it is rewritten, filtered and answered: what
 * the policy rewrites, then recipes, then vacation; all of it decided, and
 * what is to be sent on disk, before anything is done. For milter/stage.c
 * alone.
 *
 * A private copy of our own that comes back is known by its mark: it has been
 * through all that and passes as it is. A mark that is not ours has no effect;
 * in either case the field is taken out.
 */
#ifndef MILTER_STAGE_FILTER_H
#define MILTER_STAGE_FILTER_H

#include "milter/stage.h"
#include "policy/decide.h"

/* `so_far`: CONTINUE or QUARANTINE. Sets edits and batch of the answer and
 * returns what becomes of the message. Refusals are in the log. */
struct verdict stage_filter(struct milter_session *session,
    const struct decision *d, const struct macros *macros,
    const struct verdict *so_far, struct answer *answer);

#endif
