/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is at the other end of the connection.
 *
 * `address` is written as sendmail writes ${client_addr}: dotted IPv4, or
 * "IPv6:" and eight groups without "::" ("IPv6:2001:db8:0:0:0:0:0:1"), lower
 * case. `name` counts only where reverse and forward DNS agree; otherwise it
 * is the address in brackets, as in ${client_name}: "[192.0.2.1]",
 * "[IPv6:2001:...]". `ptr` is what the reverse lookup gave (${client_ptr}),
 * empty when it gave nothing; it is for the log, and for use_client_ptr.
 */
#ifndef POLICY_CLIENT_H
#define POLICY_CLIENT_H

#include "base/arena.h"

struct in_addr;
struct in6_addr;

enum client_resolve {
	RESOLVE_OK,	/* reverse and forward agree */
	RESOLVE_FORGED, /* they do not: "may be forged" */
	RESOLVE_FAIL,	/* no reverse name */
	RESOLVE_TEMP,	/* the reverse lookup failed for now */
};

struct client {
	slice address;
	slice name;
	slice ptr;
	enum client_resolve resolve;
};

/* Any textual IPv4 or IPv6 address, with or without "IPv6:", to the form
 * above (an IPv4-mapped IPv6 address becomes IPv4). False when it is none. */
bool client_address_canonical(
    struct arena *arena, slice text, slice *ret_address);
slice client_ip4_text(struct arena *arena, const struct in_addr *address);
slice client_ip6_text(struct arena *arena, const struct in6_addr *address);
/* "[address]". */
slice client_bracketed(struct arena *arena, slice address);
/* Fills `name` from `address`, `ptr` and `resolve`. */
void client_set_name(struct arena *arena, struct client *client);
/* "OK", "FORGED", "FAIL", "TEMP", any case; false for another word. */
bool client_resolve_parse(slice word, enum client_resolve *ret_resolve);
const char *client_resolve_word(enum client_resolve resolve);
/* The relay= of a log line: "name [address]", " (may be forged)" behind it
 * when the names disagree; "[address]" alone without a name. */
slice client_relay_text(struct arena *arena, const struct client *client);

#endif
