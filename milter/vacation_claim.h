/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * May this sender be answered now? The store of the fleet decides, when the
 * spool is about to send; nothing is sent that could not be claimed, so that
 * of all nodes and after any crash one answer goes out, or none.
 *
 * Beside it this process remembers for a few minutes whom it has seen
 * answered, so that a flood from one sender makes neither files in the spool
 * nor questions to the store; and it counts the replies of this minute. Both
 * are one mutable global behind a lock. Any thread.
 */
#ifndef MILTER_VACATION_CLAIM_H
#define MILTER_VACATION_CLAIM_H

#include "maps/store.h"
#include "milter/spool.h"

/* For spool_options. The context is the struct store, NULL: there is none, and
 * nobody is answered. Waits for it. */
enum spool_claim vacation_claim(
    void *context, slice key, unsigned long interval_s);

/* Was it claimed here, or refused, a moment ago? Does not wait. */
bool vacation_is_recent(slice key);
/* True for the first `limit` calls in a minute, 0: for all. */
bool vacation_take_turn(int limit);
/* What is remembered here, after somebody's answers were forgotten in the
 * store. */
void vacation_forget_recent(void);

#endif
