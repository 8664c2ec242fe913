/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocol of Redis (RESP2), by hiredis: commands to bytes, bytes to
 * replies. Replies are made in an arena of the reader's own, which is emptied
 * on demand. What a server can make it take is bounded by the bytes that it
 * sends: an array is believed only as far as its elements could still come.
 * One thread at a time.
 */
#ifndef MAPS_REDIS_RESP_H
#define MAPS_REDIS_RESP_H

#include "base/strbuf.h"
#include "maps/redis.h"

struct redis_resp;

struct redis_resp *redis_resp_new(void);
void redis_resp_free(struct redis_resp *resp);
/* Forgets everything: for a new connection. */
void redis_resp_restart(struct redis_resp *resp);
/* Frees the replies given so far, and lets `most_bytes` more come. Not while
 * part of a reply is there. */
void redis_resp_expect(struct redis_resp *resp, size_t most_bytes);

/* False: more than may come. */
bool redis_resp_feed(struct redis_resp *resp, const char *bytes, size_t count);
/* False: not the protocol; redis_resp_problem() says why. *ret_reply is NULL
 * while more is needed. */
bool redis_resp_next(struct redis_resp *resp, struct redis_reply **ret_reply);
/* Is a reply begun and not yet whole? */
bool redis_resp_is_amid(const struct redis_resp *resp);
/* Has anything come that is not yet part of a whole reply? */
bool redis_resp_has_more(const struct redis_resp *resp);
const char *redis_resp_problem(const struct redis_resp *resp);
/* For the replies' time. */
struct arena *redis_resp_arena(struct redis_resp *resp);

void redis_resp_format(const struct redis_command *command, struct strbuf *out);

#endif
