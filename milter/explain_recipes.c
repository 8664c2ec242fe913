/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/explain_recipes.h"

#include "milter/explain_text.h"

enum { PATIENCE_MS = 2000 };

bool
explain_recipes_matter(const struct generation *generation)
{
	return generation->filters.recipe_count > 0 ||
	       generation->settings->user_recipes.len > 0;
}

static void
trace_notes(const struct decision *d, const struct filter_recipient *r)
{
	for (const struct recipe_note *n = r->notes; n != NULL; n = n->next)
		trace_add(d->trace,
		    "recipes of " SLICE_FMT ": %s:%u: " SLICE_FMT,
		    SLICE_ARG(r->recipient), n->file == NULL ? "" : n->file,
		    n->line, SLICE_ARG(n->text));
}

const struct filter_result *
explain_recipes(struct explain_message *message, const struct decision *d,
    const struct generation *generation, const struct verdict *so_far)
{
	struct arena *arena = message->arena;
	struct message_input *input = ARENA_NEW(arena, struct message_input);
	struct filter_result *result = ARENA_NEW(arena, struct filter_result);
	struct filter_job job = {.generation = generation,
	    .decision = d,
	    .input = input,
	    .rewriting = &message->result,
	    .came = intake_text(&message->intake),
	    .so_far = *so_far,
	    .deadline = deadline_in(PATIENCE_MS),
	    .is_dry = true};

	if (!explain_recipes_matter(generation))
		return NULL;
	*input = intake_input(&message->intake, arena, message->sender);
	filter_decide(&job, result);
	for (size_t i = 0; i < result->count; i++)
		trace_notes(d, &result->recipients[i]);
	/* What was read for this is not needed to tell of it, but for the
	 * names of files in the notes, which are told by now. */
	filter_end(result);
	if (!verdict_is_refusal(&result->verdict))
		message->result.edits = result->edits;
	return result;
}

static bool
is_told(const struct filter_recipient *r)
{
	return r->what.len > 0 || r->verdict.kind != VERDICT_CONTINUE;
}

static json_t *
json_copies(struct arena *arena, const struct filter_result *result)
{
	json_t *list = json_array();

	for (const struct fate_copy *c = result->copies; c != NULL;
	     c = c->next) {
		json_t *names = json_array();

		for (size_t i = 0; i < c->recipient_count; i++)
			json_array_append_new(
			    names, explain_json_text(arena, c->recipients[i]));
		json_array_append_new(list, names);
	}
	return list;
}

void
explain_recipes_json(
    json_t *object, struct arena *arena, const struct filter_result *result)
{
	json_t *list;

	if (result == NULL)
		return;
	list = json_array();
	for (size_t i = 0; i < result->count; i++) {
		const struct filter_recipient *r = &result->recipients[i];
		json_t *one = json_object();

		json_object_set_new(
		    one, "recipient", explain_json_text(arena, r->recipient));
		json_object_set_new(
		    one, "does", explain_json_text_or_null(arena, r->what));
		explain_json_verdict(one, arena, &r->verdict);
		json_array_append_new(list, one);
	}
	json_object_set_new(object, "recipes", list);
	json_object_set_new(object, "copies", json_copies(arena, result));
}

static void
add_copy(struct strbuf *out, const struct fate_copy *copy, size_t width)
{
	explain_add_title(out, SLICE("copy"), width);
	for (size_t i = 0; i < copy->recipient_count; i++) {
		if (i > 0)
			strbuf_add(out, SLICE(", "));
		explain_add_plain(out, copy->recipients[i]);
	}
	strbuf_add_char(out, '\n');
}

void
explain_recipes_text(
    struct strbuf *out, const struct filter_result *result, size_t width)
{
	if (result == NULL)
		return;
	for (size_t i = 0; i < result->count; i++) {
		const struct filter_recipient *r = &result->recipients[i];

		if (!is_told(r))
			continue;
		explain_add_title(out, SLICE("recipes"), width);
		explain_add_plain(out, r->recipient);
		if (r->what.len > 0) {
			strbuf_add(out, SLICE(" "));
			explain_add_plain(out, r->what);
		}
		if (r->verdict.kind != VERDICT_CONTINUE)
			strbuf_printf(out, " %s " SLICE_FMT,
			    verdict_word(r->verdict.kind),
			    SLICE_ARG(r->verdict.text));
		strbuf_add_char(out, '\n');
	}
	for (const struct fate_copy *c = result->copies; c != NULL; c = c->next)
		add_copy(out, c, width);
}
