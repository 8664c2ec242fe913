/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generation in force. current_acquire() may be called by any thread; a
 * session does it once, in its first callback, and holds on to it until its
 * close, so that it sees one policy throughout.
 */
#ifndef MILTER_RELOAD_H
#define MILTER_RELOAD_H

#include "base/strbuf.h"
#include "milter/load.h"

/* Takes over the caller's count. The one before it is released. */
void current_publish(struct generation *generation);
/* NULL before the first publication. */
struct generation *current_acquire(void);

/* Loads the configuration anew and publishes it, or changes nothing and says
 * why. One reload at a time: a second caller waits. `report` (may be NULL)
 * gets one line per map and class that says entries before, after, added,
 * removed and changed, then the warnings. */
bool reload(
    const char *config_path, struct strbuf *report, struct error *error);
/* The same with another maker of generations. `before` is in force, or NULL;
 * what `make` gives is put in force. NULL: nothing changes, the error is
 * filled. */
typedef struct generation *reload_make(
    void *context, const struct generation *before, struct error *error);
bool reload_with(reload_make *make, void *context, struct strbuf *report,
    struct error *error);

#endif
