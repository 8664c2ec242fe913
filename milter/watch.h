/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cure for a starving worker pool.
 *
 * libmilter built with its worker pool (Debian's is) wakes idle workers for
 * sessions that have something to say, but starts new ones only when it finds
 * none idle at that instant. Sessions that become ready in one batch thus
 * queue behind a few workers, and when those wait for DNS, behind their
 * waiting. A new connection makes it start a worker; that worker then takes
 * what is queued. So while at least two callbacks have been waiting for longer
 * than 50 ms, a thread connects to milterd's own socket and hangs up, every
 * 20 ms. libmilter built without the pool does not need it and is not hurt.
 *
 * Only calls that may wait are watched; callbacks that work from memory pay
 * nothing. The thread sleeps while nobody waits. Any thread may enter and
 * leave.
 */
#ifndef MILTER_WATCH_H
#define MILTER_WATCH_H

#include "base/error.h"
#include "base/slice.h"
#include "base/deadline.h"

/* One call that may wait; lives on the caller's stack. */
struct watch_call {
	struct watch_call *older;
	struct watch_call *newer;
	deadline_ms since;
};

/* `socket`: where the milter listens, "unix:/path" or "inet:port@host". */
bool watch_start(slice socket, struct error *error);
void watch_stop(void);
void watch_enter(struct watch_call *call);
void watch_leave(struct watch_call *call);

#endif
