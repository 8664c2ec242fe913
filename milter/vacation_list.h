/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who was answered, as `milterctl vacation` asks: list and forget. For the
 * workers of the control socket: it waits for the store.
 */
#ifndef MILTER_VACATION_LIST_H
#define MILTER_VACATION_LIST_H

#include "base/error.h"
#include "base/strbuf.h"
#include "maps/store.h"

/* A line for each, "user sender seconds", the seconds until he is answered
 * again; with an empty user all. At most some ten thousand lines. */
bool vacation_list_write(struct store *store, slice user, struct strbuf *out,
    struct error *error);
/* Of one sender, or with an empty one all of the user's; how many. Refused
 * when nobody was answered. */
bool vacation_forget(struct store *store, slice user, slice sender,
    unsigned long *ret_count, struct error *error);

#endif
