/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/recipe_header.h"

#include "policy/header.h"
#include "policy/mail_text.h"

/* A client's text in a variable must not become a second field. */
static void
add_line(struct strbuf *out, slice name, slice value)
{
	strbuf_add(out, name);
	strbuf_add(out, SLICE(": "));
	value = slice_trim(value);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];

		strbuf_add_char(out, c == '\n' || c == '\r' ? ' ' : c);
	}
	strbuf_add_char(out, '\n');
}

static bool
is_field_name(slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] <= ' ' || name.ptr[i] > '~' ||
		    name.ptr[i] == ':')
			return false;
	}
	return name.len > 0;
}

static bool
is_empty_line(slice rest)
{
	return rest.len > 0 && (rest.ptr[0] == '\n' || rest.ptr[0] == '\r');
}

static slice
edit_one(
    struct arena *arena, slice header, const struct recipe_header_edit *edit)
{
	struct strbuf out;
	struct mail_fields fields;
	struct mail_field field;
	bool is_done = edit->kind == RECIPE_REMOVE_HEADER;

	strbuf_init(&out, arena);
	mail_fields_init(&fields, header);
	while (mail_fields_next(&fields, &field)) {
		bool is_it = edit->kind != RECIPE_ADD_HEADER &&
			     field.name.len > 0 &&
			     slice_eq_nocase(field.name, edit->name);

		if (is_it && edit->kind == RECIPE_REMOVE_HEADER)
			continue;
		if (is_it && !is_done) {
			add_line(&out, field.name, edit->value);
			is_done = true;
			continue;
		}
		strbuf_add(&out, field.whole);
	}
	if (out.len > 0 && out.data[out.len - 1] != '\n')
		strbuf_add_char(&out, '\n');
	if (!is_done)
		add_line(&out, edit->name, edit->value);
	strbuf_add(
	    &out, is_empty_line(fields.rest) ? fields.rest : SLICE("\n"));
	return strbuf_slice(&out);
}

slice
recipe_header_edit(
    struct arena *arena, slice header, const struct recipe_header_edit *edits)
{
	for (; edits != NULL; edits = edits->next) {
		if (is_field_name(edits->name))
			header = edit_one(arena, header, edits);
	}
	return header;
}

static const struct edit *
find_change(const struct edit_list *edits, slice name, unsigned index)
{
	for (const struct edit *e = edits->first; e != NULL; e = e->next) {
		if (e->kind == EDIT_CHANGE_HEADER && e->index == index &&
		    slice_eq_nocase(e->name, name))
			return e;
	}
	return NULL;
}

static bool
has_changes(const struct edit_list *edits)
{
	for (const struct edit *e = edits->first; e != NULL; e = e->next) {
		if (e->kind == EDIT_CHANGE_HEADER)
			return true;
	}
	return false;
}

/* How many address fields of each name there were. */
struct counted {
	slice name;
	unsigned count;
	struct counted *next;
};

static unsigned
number_of(struct arena *arena, struct counted **list, slice name)
{
	struct counted *found = *list;

	while (found != NULL && !slice_eq_nocase(found->name, name))
		found = found->next;
	if (found == NULL) {
		found = ARENA_NEW(arena, struct counted);
		found->name = name;
		found->next = *list;
		*list = found;
	}
	return ++found->count;
}

slice
header_apply_changes(struct arena *arena, slice header,
    const struct edit_list *edits, bool keeps_space)
{
	struct counted *counts = NULL;
	struct mail_fields fields;
	struct mail_field field;
	struct strbuf out;

	if (!has_changes(edits))
		return header;
	strbuf_init(&out, arena);
	mail_fields_init(&fields, header);
	while (mail_fields_next(&fields, &field)) {
		const struct edit *edit = NULL;

		if (field.name.len > 0 &&
		    header_kind(field.name) != HEADER_OTHER)
			edit = find_change(edits, field.name,
			    number_of(arena, &counts, field.name));
		if (edit == NULL)
			strbuf_add(&out, field.whole);
		else
			mail_header_add(
			    &out, field.name, edit->text, !keeps_space);
	}
	strbuf_add(
	    &out, is_empty_line(fields.rest) ? fields.rest : SLICE("\n"));
	return strbuf_slice(&out);
}
