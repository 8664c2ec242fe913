/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `milterctl rewrite`: what becomes of one address, in one place of a message.
 * Senders and header addresses are answered as `sendmail -bt` answers "/try"
 * for an SMTP mailer, recipients of the envelope with all that they stand for
 * in the end.
 */
#ifndef MILTER_EXPLAIN_REWRITE_H
#define MILTER_EXPLAIN_REWRITE_H

#include "base/error.h"
#include "base/strbuf.h"
#include "milter/attributes.h"
#include "policy/decide.h"

/* Adds one line to `out`, and behind it, indented, the trace if the decision
 * has one; with `as_json` that is part of the line. False when the attributes
 * ask for nothing there is. */
bool explain_rewrite(const struct decision *decision,
    const struct attributes *attributes, bool as_json, struct strbuf *out,
    struct error *error);

#endif
