/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/explain_rewrite.h"

#include "milter/explain_text.h"
#include "policy/access.h"
#include "policy/alias.h"
#include "policy/path.h"
#include "policy/rewrite.h"

static const struct role_word {
	slice name;
	enum rewrite_role role;
} role_words[] = {
    {SLICE_INIT("header-sender"), REWRITE_HEADER_SENDER},
    {SLICE_INIT("header-recipient"), REWRITE_HEADER_RECIPIENT},
    {SLICE_INIT("envelope-sender"), REWRITE_ENVELOPE_SENDER},
    {SLICE_INIT("envelope-recipient"), REWRITE_ENVELOPE_RECIPIENT},
};

struct rewritten {
	slice as;
	struct rewrite how;
	slice question; /* without the brackets around it */
	struct verdict verdict;
	slice *results;
	size_t count;
	slice owner; /* the sender of what goes to a list, or empty */
	bool is_changed;
	bool is_left_to_mta;
};

static bool
read_role(slice name, enum rewrite_role *ret_role, struct error *error)
{
	for (size_t i = 0; i < sizeof(role_words) / sizeof(*role_words); i++) {
		if (slice_eq(name, role_words[i].name)) {
			*ret_role = role_words[i].role;
			return true;
		}
	}
	return error_set(error,
	    "as is one of header-sender, header-recipient, envelope-sender, "
	    "envelope-recipient, not '" SLICE_FMT "'",
	    SLICE_ARG(name));
}

static bool
read_local(slice value, bool *ret_is_local, struct error *error)
{
	bool is_yes = slice_eq(value, SLICE("yes"));

	if (!is_yes && value.len > 0 && !slice_eq(value, SLICE("no")))
		return error_set(error,
		    "local is yes or no, not '" SLICE_FMT "'",
		    SLICE_ARG(value));
	*ret_is_local = is_yes;
	return true;
}

static bool
read_question(
    const struct attributes *a, struct rewritten *r, struct error *error)
{
	r->as = attribute_is_given(a->as) ? a->as : SLICE("header-sender");
	r->question = path_address(a->rewrite);
	return read_role(r->as, &r->how.role, error) &&
	       read_local(a->local, &r->how.is_local_mail, error);
}

static void
set_result(const struct decision *d, struct rewritten *r, slice result)
{
	r->results = ARENA_NEW(d->arena, slice);
	*r->results = result;
	r->count = 1;
}

static void
ask_recipient(const struct decision *d, slice path, struct rewritten *r)
{
	struct expansion e = expand_recipient(d, path);

	switch (e.kind) {
	case EXPANSION_SAME:
	case EXPANSION_MTA:
		set_result(d, r, r->question);
		r->is_left_to_mta = e.kind == EXPANSION_MTA;
		break;
	case EXPANSION_SET:
		r->results = e.addresses;
		r->count = e.count;
		r->is_changed = true;
		break;
	case EXPANSION_ERROR:
	case EXPANSION_TEMPFAIL:
		r->verdict = e.error;
		break;
	}
	r->owner = e.owner;
}

static void
ask_address(const struct decision *d, struct rewritten *r)
{
	bool failed;
	slice new;

	r->is_changed = rewrite_changes(d, &r->how, r->question, &new, &failed);
	if (failed)
		r->verdict = access_tempfail("rewrite");
	else
		set_result(d, r, new);
}

static json_t *
json_list(struct arena *arena, const slice *list, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, explain_json_text(arena, list[i]));
	return array;
}

static json_t *
json_trace(struct arena *arena, const struct trace *trace)
{
	json_t *array = json_array();

	for (const struct trace_line *line = trace->first; line != NULL;
	     line = line->next)
		json_array_append_new(
		    array, explain_json_text(arena, line->text));
	return array;
}

static void
print_json(const struct decision *d, const struct rewritten *r, slice question,
    struct strbuf *out)
{
	struct arena *arena = d->arena;
	json_t *object = json_object();

	json_object_set_new(
	    object, "rewrite", explain_json_text(arena, question));
	json_object_set_new(object, "as", explain_json_text(arena, r->as));
	json_object_set_new(
	    object, "local", json_boolean(r->how.is_local_mail));
	json_object_set_new(
	    object, "result", json_list(arena, r->results, r->count));
	json_object_set_new(object, "changed", json_boolean(r->is_changed));
	if (r->how.role == REWRITE_ENVELOPE_RECIPIENT) {
		json_object_set_new(
		    object, "left_to_mta", json_boolean(r->is_left_to_mta));
		json_object_set_new(object, "owner",
		    explain_json_text_or_null(arena, r->owner));
	}
	explain_json_verdict(object, arena, &r->verdict);
	if (d->trace != NULL)
		json_object_set_new(
		    object, "trace", json_trace(arena, d->trace));
	explain_add_json(out, object);
}

static void
print_text(
    const struct decision *d, const struct rewritten *r, struct strbuf *out)
{
	const struct trace_line *line =
	    d->trace == NULL ? NULL : d->trace->first;
	struct verdict bare = r->verdict;

	bare.about = SLICE("");
	if (verdict_is_refusal(&r->verdict)) {
		strbuf_add(out, SLICE("error "));
		explain_add_plain(out, verdict_reply(d->arena, &bare));
	}
	for (size_t i = 0; i < r->count; i++) {
		if (i > 0)
			strbuf_add(out, SLICE(", "));
		explain_add_plain(out, r->results[i]);
	}
	strbuf_add_char(out, '\n');
	for (; line != NULL; line = line->next) {
		strbuf_add(out, SLICE("    "));
		explain_add_plain(out, line->text);
		strbuf_add_char(out, '\n');
	}
}

bool
explain_rewrite(const struct decision *d, const struct attributes *a,
    bool as_json, struct strbuf *out, struct error *error)
{
	struct rewritten r = {.count = 0};

	if (!read_question(a, &r, error))
		return false;
	if (r.how.role == REWRITE_ENVELOPE_RECIPIENT)
		ask_recipient(d, attribute_path(d->arena, a->rewrite), &r);
	else
		ask_address(d, &r);
	if (as_json)
		print_json(d, &r, a->rewrite, out);
	else
		print_text(d, &r, out);
	return true;
}
