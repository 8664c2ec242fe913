/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers of the DNS, kept for their time. Bounded in entries and in bytes;
 * when it is full, what was not asked for longest goes first. Not
 * thread-safe: milter/dns locks around it.
 */
#ifndef MILTER_DNS_CACHE_H
#define MILTER_DNS_CACHE_H

#include "base/deadline.h"
#include "milter/dns_answer.h"

struct dns_cache;

/* 512 bytes an entry are the bound in bytes. Names are keys as they stand:
 * lower case. */
struct dns_cache *dns_cache_new(size_t entries);
void dns_cache_free(struct dns_cache *cache);

/* NULL: not there, or its time is over. Valid until the next call. */
const struct dns_answer *dns_cache_find(
    struct dns_cache *cache, enum dns_type type, slice name, deadline_ms now);
/* Copies. Replaces what was there. */
void dns_cache_add(struct dns_cache *cache, enum dns_type type, slice name,
    const struct dns_answer *answer, deadline_ms now);

size_t dns_cache_entries(const struct dns_cache *cache);
size_t dns_cache_bytes(const struct dns_cache *cache);

/* Seeded by chance; for other tables with such keys. */
size_t dns_cache_hash(
    const struct dns_cache *cache, enum dns_type type, slice name);

#endif
