/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket, what milterctl(8) talks to. It is a unix socket; root,
 * milterd's own user and, where socket_mode lets the socket's group write, its
 * members may ask.
 *
 * A client sends one line, and after "explain" the sessions until it half-
 * closes the connection. The answer is text, one line "ok" or
 * "error EXIT TEXT" behind it, where EXIT is what milterctl is to exit with;
 * then the connection is closed.
 *
 *	reload [force]		reads configuration and maps anew, and in a
 *				fleet publishes them; what changed
 *	nodes text|json		the fleet, see milter/replica.h
 *	status text|json	what is served and has been done
 *	stats text|json		what has been done since the start
 *	lookup MAP KEY		value, tab, file:line; nothing: not found
 *	access add TTL KEY VALUE
 *				a dynamic entry of the access map
 *	access del KEY
 *	access list text|json	key, tab, value, tab, seconds left
 *	explain text|json plain|trace LINE
 *				then blocks of name=value lines, as
 *				milter/explain.h takes them; LINE numbers the
 *				first of them
 */
#ifndef MILTER_CONTROL_H
#define MILTER_CONTROL_H

#include "milter/service.h"
#include "milter/settings.h"

/* Opens the door that `control_socket` names; an empty one is no error. To be
 * called before privileges are dropped; server_run_all() starts it. */
bool control_start(struct service *service, const struct settings *settings,
    struct error *error);

#endif
