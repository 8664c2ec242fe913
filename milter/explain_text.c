/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/explain_text.h"

#include <stdlib.h>

/* U+FFFD, for what is no UTF-8. */
#define REPLACEMENT SLICE("\xef\xbf\xbd")

static size_t
utf8_length(slice s)
{
	unsigned char c = (unsigned char)s.ptr[0];
	size_t len = c < 0x80		     ? 1
		     : c >= 0xc2 && c < 0xe0 ? 2
		     : c >= 0xe0 && c < 0xf0 ? 3
		     : c >= 0xf0 && c < 0xf5 ? 4
					     : 0;

	if (len > s.len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if (((unsigned char)s.ptr[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

json_t *
explain_json_text(struct arena *arena, slice text)
{
	json_t *json = json_stringn(text.len == 0 ? "" : text.ptr, text.len);
	struct strbuf mended;

	if (json != NULL)
		return json;
	strbuf_init(&mended, arena);
	while (text.len > 0) {
		size_t len = utf8_length(text);
		json_t *one = len == 0 ? NULL : json_stringn(text.ptr, len);

		/* Surrogates and overlong forms are left to jansson. */
		strbuf_add(&mended,
		    one == NULL ? REPLACEMENT : slice_first(text, len));
		text = slice_from(text, one == NULL ? 1 : len);
		json_decref(one);
	}
	return json_stringn_nocheck(mended.data, mended.len);
}

json_t *
explain_json_text_or_null(struct arena *arena, slice text)
{
	return text.len == 0 ? json_null() : explain_json_text(arena, text);
}

void
explain_json_verdict(
    json_t *object, struct arena *arena, const struct verdict *verdict)
{
	bool is_refusal = verdict_is_refusal(verdict);

	json_object_set_new(
	    object, "verdict", json_string(verdict_word(verdict->kind)));
	json_object_set_new(object, "code",
	    is_refusal ? json_integer(verdict->code) : json_null());
	json_object_set_new(object, "enhanced",
	    explain_json_text_or_null(arena, verdict->enhanced));
	json_object_set_new(object, "text",
	    verdict_is_refusal(verdict)
		? explain_json_text(arena, verdict->text)
		: explain_json_text_or_null(arena, verdict->text));
	json_object_set_new(object, "reply",
	    explain_json_text_or_null(arena, verdict_reply(arena, verdict)));
	json_object_set_new(object, "rule",
	    verdict->rule == NULL ? json_null() : json_string(verdict->rule));
	json_object_set_new(object, "relay", json_boolean(verdict->relay));
}

void
explain_add_json(struct strbuf *out, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	if (text != NULL) {
		strbuf_add(out, slice_from_cstr(text));
		strbuf_add_char(out, '\n');
	}
	free(text);
	json_decref(object);
}

void
explain_add_plain(struct strbuf *out, slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < ' ' || c == 0x7f)
			strbuf_printf(out, "\\x%02x", c);
		else
			strbuf_add_char(out, (char)c);
	}
}

void
explain_add_title(struct strbuf *out, slice title, size_t width)
{
	size_t start = out->len;

	explain_add_plain(out, title);
	do {
		strbuf_add_char(out, ' ');
	} while (out->len - start < width + 2);
}
