/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carries out an answer: the only place that tells libmilter anything about
 * a client or its mail. A text that libmilter or an MTA would refuse is made
 * fit; where that fails too, the MTA's own text is used and a line logged.
 */
#ifndef MILTER_APPLY_H
#define MILTER_APPLY_H

#include "milter/stage.h"

#include <libmilter/mfapi.h>

/* Returns what the callback is to return. A quarantine is possible only at
 * the end of the message; where it fails, the message is deferred. */
sfsistat apply_answer(
    SMFICTX *ctx, struct arena *scratch, const struct answer *answer);

/* The text as an SMTP reply can carry it: no controls, no 8-bit bytes, cut to
 * `most` bytes, and '%' doubled, since the MTAs take a single one for a
 * format. */
slice apply_clean_text(struct arena *arena, slice text, size_t most);

#endif
