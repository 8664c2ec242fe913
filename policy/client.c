/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/client.h"

#include "base/strbuf.h"

#include <arpa/inet.h>
#include <string.h>

static const char *const resolve_words[] = {
	[RESOLVE_OK] = "OK",
	[RESOLVE_FORGED] = "FORGED",
	[RESOLVE_FAIL] = "FAIL",
	[RESOLVE_TEMP] = "TEMP",
};

static slice
ipv4_text(struct arena *arena, const unsigned char *b)
{
	return arena_printf(arena, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
}

static slice
ipv6_text(struct arena *arena, const unsigned char *b)
{
	struct strbuf text;

	strbuf_init(&text, arena);
	strbuf_add(&text, SLICE("IPv6"));
	for (size_t i = 0; i < 16; i += 2)
		strbuf_printf(&text, ":%x", (unsigned)(b[i] << 8 | b[i + 1]));
	return strbuf_slice(&text);
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
		*ret_address =
		    ipv4_text(arena, (const unsigned char *)&four.s_addr);
		return true;
	}
	if (inet_pton(AF_INET6, buffer, &six) != 1)
		return false;
	*ret_address = IN6_IS_ADDR_V4MAPPED(&six)
	    ? ipv4_text(arena, six.s6_addr + 12)
	    : ipv6_text(arena, six.s6_addr);
	return true;
}

slice
client_bracketed(struct arena *arena, slice address)
{
	return arena_printf(arena, "[" SLICE_FMT "]", SLICE_ARG(address));
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
