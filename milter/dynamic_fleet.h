/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dynamic entries of a fleet. Redis has them all; a node that changes one says
 * its key on a channel, and every node fetches it from there. One thread of
 * each node listens, on a connection of its own. After any break, and every few
 * minutes all the same, it takes the whole table anew.
 *
 * While Redis is away the table stays as it is: entries end at their time.
 */
#ifndef MILTER_DYNAMIC_FLEET_H
#define MILTER_DYNAMIC_FLEET_H

#include "base/error.h"
#include "milter/service.h"

bool dynamic_fleet_start(struct service *service, struct error *error);
/* One caller at a time. Waits for Redis as long as any request may; what it
 * cannot say the others find out later. */
void dynamic_fleet_announce(struct service *service, slice key);

#endif
