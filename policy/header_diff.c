/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/header_diff.h"

#include "policy/mail_text.h"

#define NAME_BUCKETS 1024
enum { LOOK_AHEAD = 64 };

struct field {
	slice value;
	unsigned index; /* of those of its name, from 1 */
	struct field *next;
};

/* All old fields of one name, and those of them not yet met in the new
 * header. */
struct field_name {
	slice name;
	struct field *rest;
	struct field **end;
	unsigned count;
	struct field_name *next;
};

struct diff {
	struct arena *arena;
	bool keeps_space;
	struct field_name *buckets[NAME_BUCKETS];
	bool has_met_old;
	struct edit_list changed;
	struct edit *removed; /* the last first */
	struct edit *inserted;
	struct edit_list added;
};

static struct field_name *
name_of(struct diff *diff, slice name)
{
	unsigned hash = 2166136261U;
	struct field_name **bucket;
	struct field_name *found;

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (unsigned char)ascii_lower(name.ptr[i])) *
		       16777619U;
	bucket = &diff->buckets[hash % NAME_BUCKETS];
	for (found = *bucket; found != NULL; found = found->next) {
		if (slice_eq_nocase(found->name, name))
			return found;
	}
	found = ARENA_NEW(diff->arena, struct field_name);
	found->name = name;
	found->end = &found->rest;
	found->next = *bucket;
	*bucket = found;
	return found;
}

static void
take_old(struct diff *diff, slice header)
{
	struct mail_fields fields;
	struct mail_field line;

	mail_fields_init(&fields, header);
	while (mail_fields_next(&fields, &line)) {
		struct field_name *name;
		struct field *field;

		if (line.name.len == 0)
			continue;
		name = name_of(diff, line.name);
		field = ARENA_NEW(diff->arena, struct field);
		field->value = line.value;
		field->index = ++name->count;
		*name->end = field;
		name->end = &field->next;
	}
}

static slice
value_for_mta(const struct diff *diff, slice value)
{
	return !diff->keeps_space && value.len > 0 && value.ptr[0] == ' '
		   ? slice_from(value, 1)
		   : value;
}

/* To an MTA a field without value is one to be removed, and those behind it
 * would be counted otherwise: a blank keeps it. */
static slice
value_that_stays(const struct diff *diff, slice value)
{
	value = value_for_mta(diff, value);
	return value.len == 0 ? SLICE(" ") : value;
}

static struct edit *
prepend(struct diff *diff, struct edit *list, struct edit edit)
{
	struct edit *kept = ARENA_NEW(diff->arena, struct edit);

	*kept = edit;
	kept->next = list;
	return kept;
}

static void
remove_first(struct diff *diff, struct field_name *name)
{
	const struct field *field = name->rest;

	diff->removed = prepend(diff, diff->removed,
	    (struct edit){.kind = EDIT_REMOVE_HEADER,
		.name = name->name,
		.index = field->index,
		.before = value_for_mta(diff, field->value)});
	name->rest = field->next;
}

/* Those before an old field that is still there have gone. */
static bool
skip_to_same(struct diff *diff, struct field_name *name, slice value)
{
	const struct field *same = name->rest;

	for (int i = 0; i < LOOK_AHEAD && same != NULL; i++) {
		if (slice_eq(same->value, value))
			break;
		same = same->next;
	}
	if (same == NULL || !slice_eq(same->value, value))
		return false;
	while (name->rest != same)
		remove_first(diff, name);
	return true;
}

static void
add_new(struct diff *diff, slice name, slice value)
{
	struct edit edit = {
	    .kind = diff->has_met_old ? EDIT_ADD_HEADER : EDIT_INSERT_HEADER,
	    .name = name,
	    .text = value_for_mta(diff, value)};

	if (diff->has_met_old)
		edit_add(&diff->added, edit);
	else
		diff->inserted = prepend(diff, diff->inserted, edit);
}

static void
meet_new(struct diff *diff, const struct mail_field *line)
{
	struct field_name *name = name_of(diff, line->name);
	struct field *old;

	(void)skip_to_same(diff, name, line->value);
	old = name->rest;
	if (old == NULL) {
		add_new(diff, line->name, line->value);
		return;
	}
	diff->has_met_old = true;
	name->rest = old->next;
	if (!slice_eq(old->value, line->value))
		edit_add(&diff->changed,
		    (struct edit){.kind = EDIT_CHANGE_HEADER,
			.name = name->name,
			.index = old->index,
			.text = value_that_stays(diff, line->value),
			.before = value_for_mta(diff, old->value)});
}

static void
append(struct edit_list *edits, const struct edit *list)
{
	for (; list != NULL; list = list->next)
		edit_add(edits, *list);
}

static void
remove_rest(struct diff *diff)
{
	for (size_t i = 0; i < NAME_BUCKETS; i++) {
		for (struct field_name *name = diff->buckets[i]; name != NULL;
		     name = name->next) {
			while (name->rest != NULL)
				remove_first(diff, name);
		}
	}
}

void
header_diff(
    slice before, slice after, bool keeps_space, struct edit_list *edits)
{
	struct diff *diff = ARENA_NEW(edits->arena, struct diff);
	struct mail_fields fields;
	struct mail_field line;

	diff->arena = edits->arena;
	diff->keeps_space = keeps_space;
	edit_list_init(&diff->changed, edits->arena);
	edit_list_init(&diff->added, edits->arena);
	take_old(diff, before);
	mail_fields_init(&fields, after);
	while (mail_fields_next(&fields, &line)) {
		if (line.name.len > 0)
			meet_new(diff, &line);
	}
	remove_rest(diff);
	append(edits, diff->changed.first);
	append(edits, diff->removed);
	append(edits, diff->added.first);
	append(edits, diff->inserted);
}
