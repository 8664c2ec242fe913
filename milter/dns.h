/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to the DNS, by c-ares. A c-ares channel is not thread-safe, so one
 * thread owns it; any thread may ask and waits on a condition variable until
 * the answer or its deadline, whichever is first. The same question asked
 * twice at a time is sent once. Answers are kept: for their TTL (at most an
 * hour), failures for 5 s. An answer that comes too late for who asked still
 * goes to the cache. While no server answers at all, waits are cut short.
 */
#ifndef MILTER_DNS_H
#define MILTER_DNS_H

#include "base/error.h"
#include "base/deadline.h"
#include "milter/dns_answer.h"

struct dns;

struct dns_options {
	slice server;	     /* "address:port"; empty: /etc/resolv.conf */
	unsigned timeout_ms; /* one question, all tries */
	size_t cache_entries;
};

enum { DNS_FAILURE_TTL_S = 5, DNS_QUESTIONS_MAX = 4096 };

/* Starts the thread. */
struct dns *dns_new(const struct dns_options *options, struct error *error);
/* Ends it. Only when nobody asks any more. */
void dns_free(struct dns *dns);

/* Answers DNS_SILENT at the deadline, after timeout_ms, and when
 * DNS_QUESTIONS_MAX questions wait already. A name that cannot be a name in
 * the DNS has DNS_NO_NAME. No search domain is tried. */
const struct dns_answer *dns_ask(struct dns *dns, struct arena *arena,
    enum dns_type type, slice name, deadline_ms deadline);

struct dns_stats {
	unsigned long questions; /* sent to servers */
	unsigned long cache_hits;
	unsigned long timeouts; /* who asked left without an answer */
	unsigned long failures; /* sent, and not answered usefully */
};
struct dns_stats dns_get_stats(struct dns *dns);

#endif
