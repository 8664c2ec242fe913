/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nets as keys: "192.0.2.128/25", "2001:db8::/32", also behind one word and a
 * colon ("Connect:192.0.2.128/25") and behind "IPv6:". sendmail's own way of
 * writing nets, "192.0.2" and "IPv6:2001:db8", ends where a group ends.
 *
 * In a table a net has one form alone. Where it ends with a group that is
 * sendmail's, so that the two ways of writing it are one key; elsewhere the
 * address as inet_ntop(3) writes it, "/" and the length.
 */
#ifndef MAPS_NET_H
#define MAPS_NET_H

#include "base/arena.h"

#include <stdint.h>

/* "xxxx:" eight times, and the length. */
#define NET_TEXT_MAX 64
#define NET_LENGTHS (128 + 1)

/* The one form of a key that is a net; any other key is itself. What is wrong
 * with a key that looks like a net, in the arena, else NULL. */
const char *net_make_key(struct arena *arena, slice key, slice *ret_key);

/* The lengths of the nets in a table that are not in sendmail's form. */
struct net_lengths {
	uint64_t four;
	uint64_t six[3];
};

/* `key` as net_make_key() makes it; others add nothing. */
void net_lengths_add(struct net_lengths *lengths, slice key);
void net_lengths_join(
    struct net_lengths *lengths, const struct net_lengths *more);

bool net_lengths_are_none(const struct net_lengths *lengths);

struct net_address {
	unsigned char bytes[16];
	bool is_six;
};

/* "192.0.2.1", "2001:db8::1" or "IPv6:2001:db8:..."; false when it is none. */
bool net_address_parse(slice text, struct net_address *ret_address);
unsigned net_address_bits(const struct net_address *address);
bool net_lengths_has(const struct net_lengths *lengths,
    const struct net_address *address, unsigned length);
/* The key of the net of this length that the address is in, in the caller's
 * room of NET_TEXT_MAX bytes. */
slice net_key(const struct net_address *address, unsigned length, char *room);

#endif
