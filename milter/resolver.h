/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names and addresses as sendmail finds them: /etc/hosts first (milter/hosts),
 * then DNS (milter/dns, which has the thread, the cache and the deadlines).
 * Any thread may ask, and none waits longer than its deadline.
 *
 * No search domain is tried: a name without dot is looked for in /etc/hosts
 * alone. Names come out in lower case.
 */
#ifndef MILTER_RESOLVER_H
#define MILTER_RESOLVER_H

#include "base/arena.h"
#include "base/error.h"
#include "base/deadline.h"
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

/*
 * Sets client->ptr and client->resolve (and name) from client->address:
 * forward-confirmed reverse DNS. Of several pointers the first one counts.
 *   RESOLVE_FAIL    no pointer, or what it gives is no host name
 *   RESOLVE_TEMP    the reverse lookup failed, or a lookup, forward ones as
 *                   well, was not answered in time
 *   RESOLVE_FORGED  the forward lookup gives other addresses, none, or, as
 *                   in sendmail, a server's failure (SERVFAIL, REFUSED)
 */
void resolver_find_client(struct resolver *resolver, struct arena *arena,
    deadline_ms deadline, struct client *client);

/* Up to `most` addresses of a host, as text as in policy/client.h: those of
 * /etc/hosts, else of the DNS, IPv4 first. 0: none, or no answer in time. */
size_t resolver_find_addresses(struct resolver *resolver, struct arena *arena,
    deadline_ms deadline, slice host, slice *ret, size_t most);

/* The ports' three questions with the session's budget in `deadline`: what a
 * struct ports' context must point to. */
struct resolver_session {
	struct resolver *resolver;
	deadline_ms deadline;
};
/* Fills the functions and the context. */
void resolver_ports(struct resolver_session *session, struct ports *ret_ports);

struct resolver_stats {
	unsigned long questions; /* sent to servers */
	unsigned long cache_hits;
	unsigned long timeouts; /* who asked left without an answer */
	unsigned long failures; /* sent, and not answered usefully */
};
struct resolver_stats resolver_get_stats(struct resolver *resolver);

#endif
