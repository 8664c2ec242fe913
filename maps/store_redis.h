/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store of a fleet: maps/store.h in Redis. An entry is a string with an
 * expiry under the client's prefix and "s:"; expiry is the server's, by its
 * clock. A call takes a connection that nobody else has, or opens one, and
 * waits as long as the client's timeout says; with Redis in trouble most calls
 * end at once (maps/redis.h). A list takes that long for every thousand keys
 * of the database, whosever they are.
 *
 * After STORE_UNAVAILABLE a claim may have been made all the same, when its
 * answer was lost: it is then taken by nobody until its time is over.
 */
#ifndef MAPS_STORE_REDIS_H
#define MAPS_STORE_REDIS_H

#include "maps/redis.h"
#include "maps/store.h"

/* The client stays the caller's, and outlives the store. */
struct store *store_redis_open(struct redis_client *client);

#endif
