/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses of listening sockets: "unix:/path", "inet:port@host" (libmilter's
 * order) or "inet:host:port" (Postfix's). Host is an address, bracketed or not
 * for IPv6, or a name; "*" and nothing are all addresses.
 *
 * Called at start, by one thread, before privileges are dropped.
 */
#ifndef MILTER_SOCKET_H
#define MILTER_SOCKET_H

#include "base/error.h"
#include "milter/settings.h"

/* Of a unix socket. */
struct socket_owner {
	uid_t user;  /* (uid_t)-1: left as it is */
	gid_t group; /* (gid_t)-1: a setgid directory's, else user_group */
	gid_t user_group; /* the user's own, or (gid_t)-1 */
	mode_t mode;
};

/* `user`, `group` and `socket_mode` of the settings. Where no group is set the
 * sockets get the user's own, but not in a setgid directory, which gives them
 * its group. */
bool socket_owner_from_settings(const struct settings *settings,
    struct socket_owner *ret_owner, struct error *error);

/* A descriptor that listens, close-on-exec and not blocking, or -1. Nobody
 * can connect to a unix socket before it has its owner and mode. */
int socket_listen(
    slice address, const struct socket_owner *owner, struct error *error);
/* Makes way for bind(2): removes a unix socket that nobody answers at. False
 * when somebody does, or when the path is something else. Nothing to do for
 * inet. socket_listen() does it too. */
bool socket_remove_stale(slice address, struct error *error);
/* For a unix socket that somebody else (libmilter) has opened. */
bool socket_set_owner(
    slice address, const struct socket_owner *owner, struct error *error);
/* Removes a unix socket's name, if it can. */
void socket_unlink(slice address);
bool socket_is_unix(slice address);

#endif
