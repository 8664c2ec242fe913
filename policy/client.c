/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/client.h"

#include <arpa/inet.h>
#include <string.h>

static const char *const resolve_words[] = {
	[RESOLVE_OK] = "OK",
	[RESOLVE_FORGED] = "FORGED",
	[RESOLVE_FAIL] = "FAIL",
	[RESOLVE_TEMP] = "TEMP",
};

static char *
put_decimal(char *at, unsigned number)
{
	if (number >= 100)
		*at++ = (char)('0' + number / 100);
	if (number >= 10)
		*at++ = (char)('0' + number / 10 % 10);
	*at++ = (char)('0' + number % 10);
	return at;
}

static char *
put_hex(char *at, unsigned number)
{
	for (unsigned shift = 16; shift > 0; shift -= 4) {
		if (shift == 4 || number >> (shift - 4) != 0)
			*at++ = "0123456789abcdef"[number >> (shift - 4) & 15];
	}
	return at;
}

/* Put together by hand: every session has such a text. */
slice
client_ip4_text(struct arena *arena, const struct in_addr *address)
{
	const unsigned char *bytes = (const unsigned char *)&address->s_addr;
	char text[INET_ADDRSTRLEN];
	char *at = text;

	for (size_t i = 0; i < 4; i++) {
		if (i > 0)
			*at++ = '.';
		at = put_decimal(at, bytes[i]);
	}
	return arena_copy(arena, (slice){text, (size_t)(at - text)});
}

slice
client_ip6_text(struct arena *arena, const struct in6_addr *address)
{
	const unsigned char *bytes = address->s6_addr;
	char text[sizeof("IPv6") + 8 * sizeof(":ffff")] = "IPv6";
	char *at = text + 4;
	struct in_addr mapped;

	if (IN6_IS_ADDR_V4MAPPED(address)) {
		memcpy(&mapped.s_addr, bytes + 12, sizeof(mapped.s_addr));
		return client_ip4_text(arena, &mapped);
	}
	for (size_t i = 0; i < 16; i += 2) {
		*at++ = ':';
		at = put_hex(at, (unsigned)(bytes[i] << 8 | bytes[i + 1]));
	}
	return arena_copy(arena, (slice){text, (size_t)(at - text)});
}

bool
client_address_canonical(struct arena *arena, slice text, slice *ret_address)
{
	char buffer[INET6_ADDRSTRLEN];
	struct in6_addr six;
	struct in_addr four;

	if (slice_has_prefix_nocase(text, SLICE("IPv6:")))
		text = slice_from(text, 5);
	if (text.len == 0 || text.len >= sizeof(buffer))
		return false;
	memcpy(buffer, text.ptr, text.len);
	buffer[text.len] = '\0';
	if (inet_pton(AF_INET, buffer, &four) == 1) {
		*ret_address = client_ip4_text(arena, &four);
		return true;
	}
	if (inet_pton(AF_INET6, buffer, &six) != 1)
		return false;
	*ret_address = client_ip6_text(arena, &six);
	return true;
}

slice
client_bracketed(struct arena *arena, slice address)
{
	return arena_join(arena, SLICE("["), address, SLICE("]"));
}

void
client_set_name(struct arena *arena, struct client *client)
{
	if (client->resolve == RESOLVE_OK && client->ptr.len > 0)
		client->name = client->ptr;
	else
		client->name = client_bracketed(arena, client->address);
}

bool
client_resolve_parse(slice word, enum client_resolve *ret_resolve)
{
	for (size_t i = 0; i < sizeof(resolve_words) / sizeof(*resolve_words);
	     i++) {
		if (slice_eq_nocase(word, slice_from_cstr(resolve_words[i]))) {
			*ret_resolve = (enum client_resolve)i;
			return true;
		}
	}
	return false;
}

const char *
client_resolve_word(enum client_resolve resolve)
{
	return resolve_words[resolve];
}

slice
client_relay_text(struct arena *arena, const struct client *client)
{
	slice name = client->resolve == RESOLVE_OK ? client->name : client->ptr;

	if (name.len == 0 || name.ptr[0] == '[')
		return client_bracketed(arena, client->address);
	return arena_printf(arena, SLICE_FMT " [" SLICE_FMT "]%s",
	    SLICE_ARG(name), SLICE_ARG(client->address),
	    client->resolve == RESOLVE_FORGED ? " (may be forged)" : "");
}
