/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dynamic entries: keys of the access map with a value for a while, as
 * "192.0.2.7 RELAY" for who has just fetched his mail. They are in force from a
 * table in memory (maps/live.h), which the policy asks before the map itself,
 * and kept in the store, if there is one: in this machine's they outlive a
 * restart, in Redis every node has them. Without a store they are gone with the
 * process.
 *
 * An entry's time is measured with the monotonic clock once it is in the
 * table.
 */
#ifndef MILTER_DYNAMIC_H
#define MILTER_DYNAMIC_H

#include "base/error.h"
#include "base/strbuf.h"
#include "milter/service.h"
#include "milter/settings.h"
#include "policy/ports.h"

/* Opens the store (service->store) and the table (service->live) and takes up
 * what is kept. To be called by the user who shall own the files. With Redis it
 * starts a thread that listens to the other nodes (milter/dynamic_fleet.h) and
 * takes up what is kept as soon as Redis answers. */
bool dynamic_start(struct service *service, const struct settings *settings,
    struct error *error);

/* Sets what the policy asks; a NULL table changes nothing. */
void dynamic_set_ports(struct live *live, struct ports *ports);

/* These wait for the store. The error has an exit code: EX_USAGE for what the
 * caller got wrong, 1 for an entry that is not there, EX_TEMPFAIL when the
 * store cannot answer or the table is full; nothing has changed then, as far as
 * the store can tell. `ttl` is "90s", "30m", "12h", "7d". */
bool dynamic_add(struct service *service, slice key, slice value, slice ttl,
    struct error *error);
bool dynamic_delete(struct service *service, slice key, struct error *error);
/* Lines of key, value and seconds, with tabs between, or of objects. */
void dynamic_list(struct service *service, bool as_json, struct strbuf *out);
/* How many are in force. */
size_t dynamic_count(struct service *service);
/* False: there is none. */
bool dynamic_look_up(struct service *service, slice key, struct strbuf *out);

/* Takes the table from the store anew. False: the store cannot answer. */
bool dynamic_resync(struct service *service);
/* One key, which somebody else has changed in the store. */
bool dynamic_refresh(struct service *service, slice key);

#endif
