/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/access_entry.h"

#include "policy/access.h"
#include "policy/client.h"

enum { KEY_MAX = 512, VALUE_MAX = 1000 };

static const slice tags[] = {
    SLICE_INIT("connect:"),
    SLICE_INIT("from:"),
    SLICE_INIT("to:"),
    SLICE_INIT("spam:"),
};

static size_t
tag_length(slice key)
{
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		if (slice_has_prefix_nocase(key, tags[i]))
			return tags[i].len;
	}
	return 0;
}

static bool
has_blanks_or_controls(slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f)
			return true;
	}
	return false;
}

static bool
has(slice text, char c)
{
	return slice_index(text, c) < text.len;
}

/* What stands behind the tag and is no whole address. */
static const char *
judge_rest(slice rest)
{
	slice ipv6 = SLICE("ipv6:");

	if (rest.len == 0)
		return "the key is empty";
	if (has(rest, '@'))
		return NULL;
	if (has(rest, '/'))
		return "nets with \"/\" are for files; a key is \"192.0.2\" or "
		       "\"IPv6:2001:db8\"";
	if (rest.len > 1 && rest.ptr[rest.len - 1] == '.')
		return "no key ends with a dot";
	if (slice_has_prefix_nocase(rest, ipv6)) {
		rest = slice_from(rest, ipv6.len);
		for (size_t i = 0; i + 1 < rest.len; i++) {
			if (rest.ptr[i] == ':' && rest.ptr[i + 1] == ':')
				return "the net needs its groups in full, "
				       "without \"::\"";
		}
		return rest.len == 0 ? "the key is empty" : NULL;
	}
	if (has(rest, ':') && rest.ptr[0] != '[')
		return "no such tag; there are Connect:, From:, To: and Spam:";
	return NULL;
}

const char *
access_entry_key(struct arena *arena, slice text, slice *ret_key)
{
	size_t tag = tag_length(text);
	slice rest = slice_from(text, tag);
	const char *problem;
	slice address;

	if (text.len > KEY_MAX)
		return "the key is too long";
	if (has_blanks_or_controls(text))
		return "a key has no blanks and no control characters";
	if (client_address_canonical(arena, rest, &address)) {
		rest = address;
	} else {
		problem = judge_rest(rest);
		if (problem != NULL)
			return problem;
	}
	*ret_key = arena_copy_lower(
	    arena, arena_join(arena, slice_first(text, tag), rest, SLICE("")));
	return NULL;
}

static bool
is_reply(slice text)
{
	return text.len >= 5 && (text.ptr[0] == '4' || text.ptr[0] == '5') &&
	       ascii_is_digit(text.ptr[1]) && ascii_is_digit(text.ptr[2]) &&
	       text.ptr[3] == ' ';
}

const char *
access_entry_value(struct arena *arena, slice text)
{
	slice error = SLICE("ERROR:");

	if (text.len == 0)
		return "the value is empty";
	if (text.len > VALUE_MAX)
		return "the value is too long";
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
			return "a value has no control characters";
	}
	if (access_parse(arena, text).kind != ACCESS_TEXT || is_reply(text) ||
	    (slice_has_prefix_nocase(text, error) && text.len > error.len))
		return NULL;
	return "the value is none of OK, RELAY, REJECT, DISCARD, SKIP, FRIEND, "
	       "HATER, QUARANTINE:why, ERROR:..., \"550 text\"";
}
