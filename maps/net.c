/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define MAPPED_BITS 96

/* A key taken apart. */
struct written {
	slice tag; /* with its colon; empty: none */
	slice address;
	slice length;
};

static bool
is_letter(char c)
{
	return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '_';
}

static bool
is_hex(char c)
{
	return ascii_is_digit(c) ||
	       (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

/* "192.0.2.0" or "10", but not "a.b". */
static bool
is_like_four(slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_digit(text.ptr[i]) && text.ptr[i] != '.')
			return false;
	return text.len > 0;
}

/* "2001:db8::", "::ffff:192.0.2.0". */
static bool
is_like_six(slice text)
{
	size_t colons = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == ':')
			colons++;
		else if (!is_hex(text.ptr[i]) && text.ptr[i] != '.')
			return false;
	}
	return colons > 1;
}

/* The length of a word with its colon at the start, or 0. */
static size_t
word_length(slice text)
{
	size_t len = 0;

	while (len < text.len && is_letter(text.ptr[len]))
		len++;
	return len > 0 && len < text.len && text.ptr[len] == ':' ? len + 1 : 0;
}

static bool
take_apart(slice key, struct written *ret_written)
{
	size_t slash = slice_last_index(key, '/');
	slice address = slice_first(key, slash);
	size_t tag = 0;

	if (slash >= key.len)
		return false;
	/* "abc:db8::" is an address, and so no tag. */
	if (!is_like_six(address)) {
		tag = word_length(address);
		if (slice_eq_nocase(slice_first(address, tag), SLICE("IPv6:")))
			tag = 0;
	}
	ret_written->tag = slice_first(address, tag);
	ret_written->address = slice_from(address, tag);
	if (slice_has_prefix_nocase(ret_written->address, SLICE("IPv6:")))
		ret_written->address = slice_from(ret_written->address, 5);
	ret_written->length = slice_from(key, slash + 1);
	return is_like_four(ret_written->address) ||
	       is_like_six(ret_written->address);
}

bool
net_address_parse(slice text, struct net_address *ret_address)
{
	struct net_address address = {.is_six = false};
	char buffer[INET6_ADDRSTRLEN];

	if (slice_has_prefix_nocase(text, SLICE("IPv6:")))
		text = slice_from(text, 5);
	if (text.len == 0 || text.len >= sizeof(buffer))
		return false;
	memcpy(buffer, text.ptr, text.len);
	buffer[text.len] = '\0';
	if (strlen(buffer) != text.len)
		return false;
	address.is_six = slice_index(text, ':') < text.len;
	if (inet_pton(address.is_six ? AF_INET6 : AF_INET, buffer,
		address.bytes) != 1)
		return false;
	*ret_address = address;
	return true;
}

unsigned
net_address_bits(const struct net_address *address)
{
	return address->is_six ? 128 : 32;
}

static struct net_address
masked(const struct net_address *address, unsigned length)
{
	struct net_address net = *address;

	for (unsigned i = 0; i < sizeof(net.bytes); i++) {
		unsigned kept = length > 8 * i ? length - 8 * i : 0;

		if (kept < 8)
			net.bytes[i] &= (unsigned char)(0xff00U >> kept);
	}
	return net;
}

/* ::ffff:192.0.2.0/120 is 192.0.2.0/24: its clients have IPv4 addresses. */
static void
unmap(struct net_address *address, unsigned *length)
{
	if (!address->is_six || *length < MAPPED_BITS ||
	    !IN6_IS_ADDR_V4MAPPED((struct in6_addr *)(void *)address->bytes))
		return;
	memmove(address->bytes, address->bytes + 12, 4);
	memset(address->bytes + 4, 0, 12);
	address->is_six = false;
	*length -= MAPPED_BITS;
}

static char *
put_number(char *at, const char *format, unsigned number)
{
	return at + sprintf(at, format, number);
}

/* sendmail's form: groups, as many as the length has. */
static slice
group_key(const struct net_address *net, unsigned length, char *room)
{
	char *at = room;

	if (!net->is_six) {
		for (unsigned i = 0; i < length / 8; i++)
			at = put_number(
			    at, i == 0 ? "%u" : ".%u", net->bytes[i]);
		return (slice){room, (size_t)(at - room)};
	}
	memcpy(at, "ipv6", 4);
	at += 4;
	for (unsigned i = 0; i < length / 16; i++)
		at = put_number(at, ":%x",
		    (unsigned)net->bytes[2 * i] << 8 | net->bytes[2 * i + 1]);
	return (slice){room, (size_t)(at - room)};
}

static bool
ends_with_group(const struct net_address *address, unsigned length)
{
	return length > 0 && length % (address->is_six ? 16 : 8) == 0;
}

slice
net_key(const struct net_address *address, unsigned length, char *room)
{
	struct net_address net = masked(address, length);
	char *at;

	if (ends_with_group(&net, length))
		return group_key(&net, length, room);
	(void)inet_ntop(
	    net.is_six ? AF_INET6 : AF_INET, net.bytes, room, NET_TEXT_MAX);
	at = put_number(room + strlen(room), "/%u", length);
	return (slice){room, (size_t)(at - room)};
}

/* False where it is no number up to the address' width. */
static bool
read_length(slice text, const struct net_address *address, unsigned *ret_length)
{
	unsigned length = 0;

	if (!slice_is_number(text) || text.len > 3)
		return false;
	for (size_t i = 0; i < text.len; i++)
		length = length * 10 + (unsigned)(text.ptr[i] - '0');
	*ret_length = length;
	return length <= net_address_bits(address);
}

const char *
net_make_key(struct arena *arena, slice key, slice *ret_key)
{
	struct written written;
	struct net_address address;
	struct net_address net;
	unsigned length;
	char room[NET_TEXT_MAX];

	*ret_key = key;
	if (!take_apart(key, &written))
		return NULL;
	if (!net_address_parse(written.address, &address))
		return "no address before the \"/\"";
	if (!read_length(written.length, &address, &length))
		return "no prefix length behind the \"/\"";
	net = masked(&address, length);
	if (memcmp(&net.bytes, &address.bytes, sizeof(net.bytes)) != 0)
		return arena_printf(arena,
		    "the address has bits behind its prefix, the net "
		    "is " SLICE_FMT,
		    SLICE_ARG(net_key(&net, length, room)))
		    .ptr;
	unmap(&net, &length);
	*ret_key = arena_join(
	    arena, written.tag, net_key(&net, length, room), SLICE(""));
	return NULL;
}

static void
set_bit(uint64_t *words, unsigned bit)
{
	words[bit / 64] |= (uint64_t)1 << bit % 64;
}

void
net_lengths_add(struct net_lengths *lengths, slice key)
{
	struct written written;
	struct net_address address;
	unsigned length;

	if (slice_last_index(key, '/') >= key.len ||
	    !take_apart(key, &written) ||
	    !net_address_parse(written.address, &address) ||
	    !read_length(written.length, &address, &length))
		return;
	set_bit(address.is_six ? lengths->six : &lengths->four, length);
}

void
net_lengths_join(struct net_lengths *lengths, const struct net_lengths *more)
{
	lengths->four |= more->four;
	for (size_t i = 0; i < 3; i++)
		lengths->six[i] |= more->six[i];
}

bool
net_lengths_are_none(const struct net_lengths *lengths)
{
	return (lengths->four | lengths->six[0] | lengths->six[1] |
		   lengths->six[2]) == 0;
}

bool
net_lengths_has(const struct net_lengths *lengths,
    const struct net_address *address, unsigned length)
{
	const uint64_t *words = address->is_six ? lengths->six : &lengths->four;

	return (words[length / 64] >> length % 64 & 1) != 0;
}
