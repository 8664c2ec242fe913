/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names and addresses: /etc/hosts first, then DNS by c-ares. One thread owns
 * the c-ares channel; callers hand it a question and wait on a condition
 * variable until the answer or their deadline, whichever is first. Answers
 * are kept in a bounded cache for their TTL (negative ones too, failures for a
 * few seconds). Any thread may ask. A late answer goes to the cache, never to
 * a caller that has left.
 *
 * Names are checked to be legal host names; a PTR answer that is none counts
 * as RESOLVE_FAIL, as in sendmail.
 */
#ifndef MILTER_RESOLVER_H
#define MILTER_RESOLVER_H

#include "base/arena.h"
#include "base/error.h"
#include "milter/deadline.h"
#include "policy/client.h"
#include "policy/ports.h"

struct resolver;

struct resolver_options {
	slice server;	      /* "address:port"; empty: /etc/resolv.conf */
	const char *hosts;    /* NULL: /etc/hosts */
	unsigned timeout_ms;  /* one question, all tries; 0: 2000 */
	size_t cache_entries; /* 0: 65536 */
};

/* Starts the thread. */
struct resolver *resolver_new(
    const struct resolver_options *options, struct error *error);
/* Only when nobody asks any more. */
void resolver_free(struct resolver *resolver);

/* Sets client->ptr and client->resolve (and name) from client->address:
 * forward-confirmed reverse DNS. Loopback and /etc/hosts need no DNS. */
void resolver_find_client(struct resolver *resolver, struct arena *arena,
    deadline_ms deadline, struct client *client);

/* The ports' three questions with the session's budget in `deadline`: what a
 * struct ports' context must point to. */
struct resolver_session {
	struct resolver *resolver;
	deadline_ms deadline;
};
/* Fills the functions and the context. */
void resolver_ports(struct resolver_session *session, struct ports *ret_ports);

struct resolver_stats {
	unsigned long questions;
	unsigned long cache_hits;
	unsigned long timeouts;
	unsigned long failures;
};
struct resolver_stats resolver_get_stats(struct resolver *resolver);

#endif
