/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gate before libmilter's listening socket. When the process runs out of
 * descriptors, libmilter calls accept(2) again and again without a pause; and
 * there is no way to tell it to take no more connections but to finish those
 * it has. While the gate is shut, the listening socket's descriptor stands for
 * another socket, at which nobody can ever knock. Connections wait in the
 * real one's backlog, and none is lost.
 *
 * A thread looks once a second how many descriptors are left and whether a
 * thread can be started (threads.h), shuts the gate before there are none, says
 * so every ten seconds, and opens it when there are enough again.
 */
#ifndef MILTER_GATE_H
#define MILTER_GATE_H

#include "base/error.h"

/* The descriptor libmilter will get for its socket, if nobody opens one in
 * between. To be asked before the socket is opened, and handed to
 * gate_start(). */
int gate_next_descriptor(void);
/* `limit`: the limit of open files. Without a gate (no socket of its own can
 * be made) milterd works too; then this is false and says why. */
bool gate_start(int listening, unsigned long limit, struct error *error);
/* One of the threads in reserve is at work: at once, until there is another.
 */
void gate_shut_for_threads(void);
/* For good: new connections wait until the process ends. */
void gate_shut_for_good(void);
/* Ends the thread; the gate stays as it is. */
void gate_stop(void);

#endif
