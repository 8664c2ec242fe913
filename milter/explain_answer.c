/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/explain_answer.h"

#include <jansson.h>
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

/* jansson takes UTF-8 alone, clients say what they like. */
static json_t *
json_text(struct arena *arena, slice text)
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

static json_t *
json_text_or_null(struct arena *arena, slice text)
{
	return text.len == 0 ? json_null() : json_text(arena, text);
}

static void
set_verdict(json_t *object, struct arena *arena, const struct verdict *verdict)
{
	bool is_refusal = verdict_is_refusal(verdict);

	json_object_set_new(
	    object, "verdict", json_string(verdict_word(verdict->kind)));
	json_object_set_new(object, "code",
	    is_refusal ? json_integer(verdict->code) : json_null());
	json_object_set_new(
	    object, "enhanced", json_text_or_null(arena, verdict->enhanced));
	json_object_set_new(
	    object, "text", verdict_is_refusal(verdict)
		? json_text(arena, verdict->text)
		: json_text_or_null(arena, verdict->text));
	json_object_set_new(object, "reply",
	    json_text_or_null(arena, verdict_reply(arena, verdict)));
	json_object_set_new(object, "rule",
	    verdict->rule == NULL ? json_null() : json_string(verdict->rule));
	json_object_set_new(object, "relay", json_boolean(verdict->relay));
}

static json_t *
json_client(struct arena *arena, const struct client *client)
{
	json_t *object = json_object();

	json_object_set_new(
	    object, "address", json_text(arena, client->address));
	json_object_set_new(object, "name", json_text(arena, client->name));
	json_object_set_new(
	    object, "ptr", json_text_or_null(arena, client->ptr));
	json_object_set_new(object, "resolve",
	    json_string(client_resolve_word(client->resolve)));
	return object;
}

static json_t *
json_stage(struct arena *arena, const struct explain_stage *stage)
{
	json_t *object = json_object();

	json_object_set_new(object, "stage", json_string(stage->stage));
	set_verdict(object, arena, &stage->verdict);
	return object;
}

static json_t *
json_recipient(struct arena *arena, const struct explain_stage *stage)
{
	json_t *object = json_object();

	json_object_set_new(
	    object, "address", json_text(arena, stage->recipient));
	set_verdict(object, arena, &stage->verdict);
	return object;
}

/* What a trace line belongs to: "mail", "rcpt <x@y>". */
static slice
stage_title(struct arena *arena, const struct explain_stage *stage)
{
	if (stage->recipient.len == 0)
		return slice_from_cstr(stage->stage);
	return arena_printf(
	    arena, "%s " SLICE_FMT, stage->stage, SLICE_ARG(stage->recipient));
}

static void
append_trace(
    json_t *list, struct arena *arena, const struct explain_stage *stage)
{
	slice title = stage_title(arena, stage);

	for (const struct trace_line *line = stage->trace.first; line != NULL;
	     line = line->next)
		json_array_append_new(
		    list, json_text(arena,
			      arena_printf(arena, SLICE_FMT ": " SLICE_FMT,
				  SLICE_ARG(title), SLICE_ARG(line->text))));
}

static void
add_json(struct strbuf *out, json_t *object)
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
explain_print_json(
    const struct explain_answer *answer, bool with_trace, struct strbuf *out)
{
	struct arena *arena = answer->arena;
	json_t *object = json_stage(arena, answer->decisive);
	json_t *stages = json_array();
	json_t *recipients = json_array();
	json_t *assumed = json_array();
	json_t *trace = json_array();

	for (const struct explain_stage *s = answer->first; s != NULL;
	     s = s->next) {
		if (s->recipient.len > 0)
			json_array_append_new(
			    recipients, json_recipient(arena, s));
		else
			json_array_append_new(stages, json_stage(arena, s));
		append_trace(trace, arena, s);
	}
	for (size_t i = 0; i < answer->assumed_count; i++)
		json_array_append_new(
		    assumed, json_text(arena, answer->assumed[i]));
	json_object_set_new(
	    object, "client", json_client(arena, &answer->session->client));
	json_object_set_new(object, "sender",
	    answer->has_sender ? json_text(arena, answer->session->sender)
			       : json_null());
	json_object_set_new(object, "recipients", recipients);
	json_object_set_new(object, "stages", stages);
	json_object_set_new(object, "assumed", assumed);
	if (with_trace)
		json_object_set(object, "trace", trace);
	json_decref(trace);
	add_json(out, object);
}

/* A terminal gets no controls from a client. */
static void
add_plain(struct strbuf *out, slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < ' ' || c == 0x7f)
			strbuf_printf(out, "\\x%02x", c);
		else
			strbuf_add_char(out, (char)c);
	}
}

static void
add_verdict(
    struct strbuf *out, struct arena *arena, const struct verdict *verdict)
{
	strbuf_add(out, slice_from_cstr(verdict_word(verdict->kind)));
	if (verdict_is_refusal(verdict)) {
		strbuf_add_char(out, ' ');
		add_plain(out, verdict_reply(arena, verdict));
	} else if (verdict->text.len > 0) {
		strbuf_add_char(out, ' ');
		add_plain(out, verdict->text);
	}
	if (verdict->relay)
		strbuf_add(out, SLICE(", may relay"));
	if (verdict->rule != NULL && verdict->kind != VERDICT_CONTINUE)
		strbuf_printf(out, "   (%s)", verdict->rule);
	strbuf_add_char(out, '\n');
}

static size_t
title_width(const struct explain_answer *answer)
{
	size_t width = sizeof("connect") - 1;

	for (const struct explain_stage *s = answer->first; s != NULL;
	     s = s->next) {
		size_t len = stage_title(answer->arena, s).len;

		if (len > width && len <= 48)
			width = len;
	}
	return width;
}

static void
add_title(struct strbuf *out, slice title, size_t width)
{
	size_t start = out->len;

	add_plain(out, title);
	do {
		strbuf_add_char(out, ' ');
	} while (out->len - start < width + 2);
}

void
explain_print_text(
    const struct explain_answer *answer, bool with_trace, struct strbuf *out)
{
	struct arena *arena = answer->arena;
	const struct client *client = &answer->session->client;
	size_t width = title_width(answer);

	add_title(out, SLICE("client"), width);
	add_plain(out, client_relay_text(arena, client));
	strbuf_printf(out, " %s\n", client_resolve_word(client->resolve));
	for (size_t i = 0; i < answer->assumed_count; i++) {
		add_title(out, SLICE("assumed"), width);
		add_plain(out, answer->assumed[i]);
		strbuf_add_char(out, '\n');
	}
	for (const struct explain_stage *s = answer->first; s != NULL;
	     s = s->next) {
		const struct trace_line *line = s->trace.first;

		add_title(out, stage_title(arena, s), width);
		add_verdict(out, arena, &s->verdict);
		for (; with_trace && line != NULL; line = line->next) {
			strbuf_add(out, SLICE("    "));
			add_plain(out, line->text);
			strbuf_add_char(out, '\n');
		}
	}
	strbuf_add_char(out, '\n');
}
