/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/vacation_private.h"

#include <inttypes.h>

/* LMDB takes keys of 511 bytes. */
enum { PART_MAX = 200 };

static const slice word = SLICE_INIT("vacation/");

static bool
is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != '%' && c != '/';
}

static uint64_t
digest(slice text)
{
	uint64_t d = 0xcbf29ce484222325U;

	for (size_t i = 0; i < text.len; i++)
		d = (d ^ (unsigned char)ascii_lower(text.ptr[i])) *
		    0x100000001b3U;
	return d;
}

static void
add_part(struct strbuf *key, slice part)
{
	struct strbuf out;

	strbuf_init(&out, key->arena);
	for (size_t i = 0; i < part.len && out.len <= PART_MAX; i++) {
		if (is_plain(part.ptr[i]))
			strbuf_add_char(&out, ascii_lower(part.ptr[i]));
		else
			strbuf_printf(
			    &out, "%%%02X", (unsigned char)part.ptr[i]);
	}
	if (out.len > PART_MAX) {
		strbuf_clear(&out);
		strbuf_printf(&out, "#%016" PRIx64, digest(part));
	}
	strbuf_add(key, strbuf_slice(&out));
	strbuf_add_char(key, '/');
}

slice
vacation_key_prefix(struct arena *arena, slice user, slice sender)
{
	struct strbuf key;

	strbuf_init(&key, arena);
	strbuf_add(&key, word);
	if (user.len > 0)
		add_part(&key, user);
	if (user.len > 0 && sender.len > 0)
		add_part(&key, sender);
	return strbuf_slice(&key);
}

/* "<a@b>", "a@B" and "\"a\"@b" are one sender. */
slice
vacation_key(struct arena *arena, slice user, slice sender,
    const struct vacation_template *template)
{
	struct vacation_party party = vacation_party_of(arena, sender);
	slice name = party.domain.len == 0
	    ? party.local
	    : arena_join(arena, party.local, SLICE("@"), party.domain);
	slice prefix = vacation_key_prefix(arena, user, name);

	return arena_printf(arena, SLICE_FMT "%016" PRIx64, SLICE_ARG(prefix),
	    template->digest);
}

static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static slice
plain(struct arena *arena, slice part)
{
	struct strbuf out;

	strbuf_init(&out, arena);
	for (size_t i = 0; i < part.len; i++) {
		int high = i + 2 < part.len ? hex_value(part.ptr[i + 1]) : -1;
		int low = high < 0 ? -1 : hex_value(part.ptr[i + 2]);

		if (part.ptr[i] != '%' || low < 0) {
			strbuf_add_char(&out, part.ptr[i]);
			continue;
		}
		strbuf_add_char(&out, (char)(high * 16 + low));
		i += 2;
	}
	return strbuf_slice(&out);
}

bool
vacation_key_parse(
    struct arena *arena, slice key, slice *ret_user, slice *ret_sender)
{
	slice rest = slice_from(key, word.len);
	slice user;
	slice sender;

	if (!slice_eq(slice_first(key, word.len), word) ||
	    !slice_next(&rest, '/', &user) || !slice_next(&rest, '/', &sender))
		return false;
	*ret_user = plain(arena, user);
	*ret_sender = plain(arena, sender);
	return true;
}
