/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The milter door: libmilter's callbacks. Each of them is intake (session.h),
 * decide (stage.h), apply (apply.h), and gives exactly one answer; where it
 * cannot come to one it is TEMPFAIL.
 */
#ifndef MILTER_CALLBACKS_H
#define MILTER_CALLBACKS_H

#include "milter/service.h"
#include "milter/socket.h"

/* Opens the milter socket of the settings, before privileges are dropped, and
 * sees to its owner and mode. `service` must outlive the process. */
bool callbacks_open(struct service *service, slice address,
    const struct socket_owner *owner, struct error *error);
/* Serves until a signal stops libmilter (true) or it fails. To be called in a
 * thread of its own: libmilter blocks HUP, TERM and INT in it and in all
 * threads that it starts, and waits for them in one of those, whereas a thread
 * that does not block them (main) is offered them first. */
bool callbacks_run(void);
/* As libmilter writes it: "unix:/path", "inet:port@host", "inet6:port@host".
 * For watch_start(); valid after callbacks_open(). */
slice callbacks_address(void);

#endif
