/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/explain_message.h"

#include "milter/explain_text.h"

bool
explain_message_matters(const struct policy *policy)
{
	return policy_rewrites_headers(policy) ||
	       policy_rewrites_sender(policy) ||
	       policy_rewrites_recipients(policy);
}

void
explain_message_begin(struct explain_message *message, const struct decision *d,
    const struct limits *limits)
{
	*message = (struct explain_message){
	    .arena = d->arena,
	    .sender = d->session->sender,
	};
	intake_begin(&message->intake, d->arena, d->policy, limits, NULL);
}

void
explain_message_add_recipient(struct explain_message *message, slice recipient)
{
	(void)intake_add_recipient(&message->intake, recipient, NULL);
}

static slice
unescape(struct arena *arena, slice escaped)
{
	struct strbuf text;

	strbuf_init(&text, arena);
	for (size_t i = 0; i < escaped.len; i++) {
		char c = escaped.ptr[i];
		char next = i + 1 < escaped.len ? escaped.ptr[i + 1] : '\0';

		if (c == '\\' && (next == 'n' || next == '\\')) {
			c = next == 'n' ? '\n' : '\\';
			i++;
		}
		strbuf_add_char(&text, c);
	}
	return strbuf_slice(&text);
}

/* The first field of *rest, folding included, without its last line end. */
static slice
next_field(slice *rest)
{
	size_t end = 0;
	slice field;

	do {
		end += slice_index(slice_from(*rest, end), '\n') + 1;
	} while (end < rest->len &&
		 (rest->ptr[end] == ' ' || rest->ptr[end] == '\t'));
	field = slice_first(*rest, end - 1);
	*rest = slice_from(*rest, end);
	return field;
}

static void
add_field(struct explain_message *message, slice field)
{
	size_t colon = slice_index(field, ':');
	slice value = slice_from(field, colon + 1);

	if (colon == field.len)
		return;
	/* One blank belongs to the colon. */
	if (value.len > 0 && value.ptr[0] == ' ')
		value = slice_from(value, 1);
	intake_add_header(
	    &message->intake, slice_trim(slice_first(field, colon)), value);
}

void
explain_message_add_header(struct explain_message *message, slice escaped)
{
	slice rest = unescape(message->arena, escaped);

	while (rest.len > 0 && rest.ptr[0] != '\n')
		add_field(message, next_field(&rest));
	intake_add_body(&message->intake, slice_from(rest, 1));
}

struct verdict
explain_message_rewrite(
    struct explain_message *message, const struct decision *d)
{
	struct message_input input;

	if (message->intake.has_too_many_fields)
		return intake_too_large(&message->intake, d->arena);
	input = intake_input(&message->intake, message->arena, message->sender);
	message->result = rewrite_message(d, &input);
	return message->result.verdict;
}

static bool
is_dropped(const struct explain_message *message, slice recipient)
{
	for (const struct edit *e = message->result.edits.first; e != NULL;
	     e = e->next) {
		if (e->kind == EDIT_DROP_RECIPIENT &&
		    slice_eq(e->text, recipient))
			return true;
	}
	return false;
}

static bool
is_added_for(const struct edit *e, slice recipient)
{
	return e->kind == EDIT_ADD_RECIPIENT && slice_eq(e->before, recipient);
}

json_t *
explain_message_json_becomes(
    const struct explain_message *message, slice recipient)
{
	json_t *list = json_array();

	for (const struct edit *e = message->result.edits.first; e != NULL;
	     e = e->next) {
		if (is_added_for(e, recipient))
			json_array_append_new(
			    list, explain_json_text(message->arena, e->text));
	}
	if (!is_dropped(message, recipient))
		json_array_append_new(
		    list, explain_json_text(message->arena, recipient));
	return list;
}

static bool
has_before(enum edit_kind kind)
{
	return kind == EDIT_CHANGE_HEADER || kind == EDIT_REMOVE_HEADER;
}

static bool
is_of_header(enum edit_kind kind)
{
	return has_before(kind) || kind == EDIT_ADD_HEADER ||
	       kind == EDIT_INSERT_HEADER;
}

static json_t *
json_header(struct arena *arena, const struct edit *e)
{
	json_t *object = json_object();

	json_object_set_new(object, "name", explain_json_text(arena, e->name));
	json_object_set_new(object, "index", json_integer(e->index));
	json_object_set_new(object, "before",
	    has_before(e->kind) ? explain_json_text(arena, e->before)
				: json_null());
	json_object_set_new(object, "after",
	    e->kind == EDIT_REMOVE_HEADER ? json_null()
					  : explain_json_text(arena, e->text));
	return object;
}

static json_t *
json_broken(const struct explain_message *message)
{
	json_t *list = json_array();

	for (const struct message_problem *p = message->result.problems;
	     p != NULL; p = p->next) {
		json_t *object = json_object();

		json_object_set_new(
		    object, "name", explain_json_text(message->arena, p->name));
		json_object_set_new(object, "problem", json_string(p->problem));
		json_array_append_new(list, object);
	}
	return list;
}

void
explain_message_json(json_t *object, const struct explain_message *message)
{
	json_t *headers = json_array();
	slice sender;

	json_object_set_new(object, "headers", headers);
	if (message == NULL) {
		json_object_set_new(object, "sender_becomes", json_null());
		json_object_set_new(object, "broken_headers", json_array());
		return;
	}
	sender = message->sender;
	for (const struct edit *e = message->result.edits.first; e != NULL;
	     e = e->next) {
		if (e->kind == EDIT_SENDER)
			sender = e->text;
		if (is_of_header(e->kind))
			json_array_append_new(
			    headers, json_header(message->arena, e));
	}
	json_object_set_new(object, "sender_becomes",
	    explain_json_text(message->arena, sender));
	json_object_set_new(object, "broken_headers", json_broken(message));
}

/* Folding is shown as it is, in a column of its own. */
static void
add_folded(struct strbuf *out, slice text, size_t width)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\n')
			strbuf_printf(out, "\n%*s", (int)width + 2, "");
		else if (text.ptr[i] == '\t')
			strbuf_add_char(out, '\t');
		else
			explain_add_plain(
			    out, slice_first(slice_from(text, i), 1));
	}
	strbuf_add_char(out, '\n');
}

static void
add_header(struct strbuf *out, const char *title, const struct edit *e,
    slice value, size_t width)
{
	explain_add_title(out, slice_from_cstr(title), width);
	explain_add_plain(out, e->name);
	strbuf_add(out, SLICE(": "));
	add_folded(out, value, width);
}

/* Nothing for one that is left alone. */
static void
add_recipient(struct strbuf *out, const struct explain_message *message,
    slice recipient, size_t width)
{
	bool is_first = true;

	for (const struct edit *e = message->result.edits.first; e != NULL;
	     e = e->next) {
		if (!is_added_for(e, recipient))
			continue;
		if (is_first) {
			explain_add_title(out, SLICE("recipient"), width);
			explain_add_plain(out, recipient);
		}
		strbuf_add(out, is_first ? SLICE(" becomes ") : SLICE(", "));
		explain_add_plain(out, e->text);
		is_first = false;
	}
	if (!is_first && !is_dropped(message, recipient)) {
		strbuf_add(out, SLICE(", "));
		explain_add_plain(out, recipient);
	}
	if (!is_first)
		strbuf_add_char(out, '\n');
}

static void
add_edit(struct strbuf *out, const struct edit *e, size_t width)
{
	switch (e->kind) {
	case EDIT_SENDER:
		explain_add_title(out, SLICE("sender"), width);
		explain_add_plain(out, e->before);
		strbuf_add(out, SLICE(" becomes "));
		explain_add_plain(out, e->text);
		strbuf_add_char(out, '\n');
		return;
	case EDIT_ADD_RECIPIENT:
	case EDIT_DROP_RECIPIENT:
		return;
	case EDIT_CHANGE_HEADER:
		add_header(out, "header", e, e->before, width);
		add_header(out, "becomes", e, e->text, width);
		return;
	case EDIT_REMOVE_HEADER:
		add_header(out, "removed", e, e->before, width);
		return;
	case EDIT_ADD_HEADER:
	case EDIT_INSERT_HEADER:
		add_header(out, "added", e, e->text, width);
		return;
	case EDIT_BODY:
		explain_add_title(out, SLICE("body"), width);
		strbuf_printf(out, "becomes %zu bytes\n", e->text.len);
		return;
	}
}

void
explain_message_text(
    struct strbuf *out, const struct explain_message *message, size_t width)
{
	if (message == NULL)
		return;
	for (size_t i = 0; i < message->intake.recipient_count; i++)
		add_recipient(
		    out, message, message->intake.recipients[i].address, width);
	for (const struct edit *e = message->result.edits.first; e != NULL;
	     e = e->next)
		add_edit(out, e, width);
	for (const struct message_problem *p = message->result.problems;
	     p != NULL; p = p->next) {
		explain_add_title(out, SLICE("broken"), width);
		explain_add_plain(out, p->name);
		strbuf_printf(out, ": %s; left as it is\n", p->problem);
	}
}
