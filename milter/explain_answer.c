/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/explain_answer.h"

#include "milter/explain_recipes.h"
#include "milter/explain_text.h"
#include "milter/explain_vacation.h"

static json_t *
json_client(struct arena *arena, const struct client *client)
{
	json_t *object = json_object();

	json_object_set_new(
	    object, "address", explain_json_text(arena, client->address));
	json_object_set_new(
	    object, "name", explain_json_text(arena, client->name));
	json_object_set_new(
	    object, "ptr", explain_json_text_or_null(arena, client->ptr));
	json_object_set_new(object, "resolve",
	    json_string(client_resolve_word(client->resolve)));
	return object;
}

static json_t *
json_stage(struct arena *arena, const struct explain_stage *stage)
{
	json_t *object = json_object();

	json_object_set_new(object, "stage", json_string(stage->stage));
	explain_json_verdict(object, arena, &stage->verdict);
	return object;
}

static json_t *
json_recipient(
    const struct explain_answer *answer, const struct explain_stage *stage)
{
	struct arena *arena = answer->arena;
	bool has_become =
	    answer->message != NULL && !verdict_is_refusal(&stage->verdict);
	json_t *object = json_object();

	json_object_set_new(
	    object, "address", explain_json_text(arena, stage->recipient));
	explain_json_verdict(object, arena, &stage->verdict);
	json_object_set_new(object, "becomes",
	    has_become ? explain_message_json_becomes(
			     answer->message, stage->recipient)
		       : json_null());
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
		    list, explain_json_text(arena,
			      arena_printf(arena, SLICE_FMT ": " SLICE_FMT,
				  SLICE_ARG(title), SLICE_ARG(line->text))));
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
			    recipients, json_recipient(answer, s));
		else
			json_array_append_new(stages, json_stage(arena, s));
		append_trace(trace, arena, s);
	}
	for (size_t i = 0; i < answer->assumed_count; i++)
		json_array_append_new(
		    assumed, explain_json_text(arena, answer->assumed[i]));
	json_object_set_new(
	    object, "client", json_client(arena, &answer->session->client));
	json_object_set_new(object, "sender",
	    answer->has_sender
		? explain_json_text(arena, answer->session->sender)
		: json_null());
	json_object_set_new(object, "recipients", recipients);
	explain_message_json(object, answer->message);
	explain_recipes_json(object, arena, answer->recipes);
	explain_vacation_json(object, arena, answer->vacation);
	json_object_set_new(object, "stages", stages);
	json_object_set_new(object, "assumed", assumed);
	if (with_trace)
		json_object_set(object, "trace", trace);
	json_decref(trace);
	explain_add_json(out, object);
}

static void
add_verdict(
    struct strbuf *out, struct arena *arena, const struct verdict *verdict)
{
	strbuf_add(out, slice_from_cstr(verdict_word(verdict->kind)));
	if (verdict_is_refusal(verdict)) {
		strbuf_add_char(out, ' ');
		explain_add_plain(out, verdict_reply(arena, verdict));
	} else if (verdict->text.len > 0) {
		strbuf_add_char(out, ' ');
		explain_add_plain(out, verdict->text);
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

void
explain_print_text(
    const struct explain_answer *answer, bool with_trace, struct strbuf *out)
{
	struct arena *arena = answer->arena;
	const struct client *client = &answer->session->client;
	size_t width = title_width(answer);

	explain_add_title(out, SLICE("client"), width);
	explain_add_plain(out, client_relay_text(arena, client));
	strbuf_printf(out, " %s\n", client_resolve_word(client->resolve));
	for (size_t i = 0; i < answer->assumed_count; i++) {
		explain_add_title(out, SLICE("assumed"), width);
		explain_add_plain(out, answer->assumed[i]);
		strbuf_add_char(out, '\n');
	}
	for (const struct explain_stage *s = answer->first; s != NULL;
	     s = s->next) {
		const struct trace_line *line = s->trace.first;

		explain_add_title(out, stage_title(arena, s), width);
		add_verdict(out, arena, &s->verdict);
		for (; with_trace && line != NULL; line = line->next) {
			strbuf_add(out, SLICE("    "));
			explain_add_plain(out, line->text);
			strbuf_add_char(out, '\n');
		}
	}
	explain_recipes_text(out, answer->recipes, width);
	explain_message_text(out, answer->message, width);
	explain_vacation_text(out, answer->vacation, width);
	strbuf_add_char(out, '\n');
}
