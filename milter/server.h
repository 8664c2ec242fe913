/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small server for stream sockets: requests in, replies out, one after the
 * other on each connection. The policy service, the socketmap service and the
 * control socket are each one of it.
 *
 * One thread per server waits for all its connections; whole requests go to
 * worker threads, started as they are needed and no more than workers_max, so
 * that a request that waits for DNS stops nobody else. Everything a client
 * can make grow or last is bounded by its struct server_kind.
 *
 * server_open() is for one thread, before privileges are dropped and before
 * the process forks; nothing is served until server_run_all(). The answer
 * functions run on many threads at once.
 */
#ifndef MILTER_SERVER_H
#define MILTER_SERVER_H

#include "base/strbuf.h"
#include "milter/service.h"
#include "milter/socket.h"

/* FRAME_BAD: the connection ends. */
enum frame_result { FRAME_PARTIAL, FRAME_WHOLE, FRAME_BAD };

struct server_kind {
	const char *name; /* for the log: "policy service" */
	size_t request_max;
	unsigned clients_max;
	unsigned workers_max;
	unsigned idle_ms;    /* between requests */
	unsigned request_ms; /* from a request's first byte to its last */
	unsigned reply_ms;   /* for the client to take the reply */
	bool is_one_shot;    /* one request a connection */
	slice excuse;	     /* sent when a request is bad or too long */

	/* May this client ask at all? NULL: whoever can connect may. */
	bool (*admit)(struct service *service, int fd);
	/* Is there a whole request at the front of `input`? `at_end`: the
	 * client will send no more. *ret_len: how much of it is the request;
	 * while it is not whole, how long it says it will be, or 0. */
	enum frame_result (*frame)(slice input, bool at_end, size_t *ret_len);
	/* False: no reply, the connection ends. */
	bool (*answer)(struct service *service, struct arena *arena,
	    slice request, struct strbuf *reply);
};

/* Listens at `address`; an empty one leaves the door shut and is no error.
 * `service` and the address must outlive the server; `kind` is copied. */
bool server_open(const struct server_kind *kind, struct service *service,
    slice address, const struct socket_owner *owner, struct error *error);

/* Starts the threads of all open servers. A server whose thread cannot be
 * started is closed with a line in the log. */
void server_run_all(void);
/* Takes no more requests, lets those under way finish for a few seconds,
 * closes everything and ends the threads. */
void server_stop_all(void);
/* For answers that take long. Any thread. */
bool server_is_stopping(void);

#endif
