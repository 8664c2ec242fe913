/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/filter_vacation.h"

#include "milter/decode.h"

#include <string.h>

enum { PATIENCE_MS = 4000, NAME_BUCKETS = 256 };

struct counted {
	slice name;
	unsigned count;
	struct counted *next;
};

static unsigned
number_of(struct arena *arena, struct counted **buckets, slice name)
{
	unsigned hash = 2166136261U;
	struct counted **bucket;
	struct counted *found;

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (unsigned char)ascii_lower(name.ptr[i])) *
		       16777619U;
	bucket = &buckets[hash % NAME_BUCKETS];
	for (found = *bucket; found != NULL; found = found->next) {
		if (slice_eq_nocase(found->name, name))
			return ++found->count;
	}
	found = ARENA_NEW(arena, struct counted);
	*found = (struct counted){name, 1, *bucket};
	*bucket = found;
	return 1;
}

static size_t
count_fields(slice header)
{
	struct mail_fields fields;
	struct mail_field field;
	size_t count = 0;

	mail_fields_init(&fields, header);
	while (mail_fields_next(&fields, &field))
		count += field.name.len > 0;
	return count;
}

static void
list_fields(struct arena *arena, slice header, struct vacation_job *job)
{
	struct counted **buckets =
	    ARENA_ARRAY(arena, struct counted *, NAME_BUCKETS);
	struct header_field *list =
	    ARENA_ARRAY(arena, struct header_field, count_fields(header) + 1);
	struct mail_fields fields;
	struct mail_field field;
	size_t count = 0;

	mail_fields_init(&fields, header);
	while (mail_fields_next(&fields, &field)) {
		if (field.name.len > 0)
			list[count++] =
			    (struct header_field){.name = field.name,
				.value = field.value,
				.index = number_of(arena, buckets, field.name)};
	}
	job->fields = list;
	job->field_count = count;
}

/* Empty where the field itself says it: it has no encoded words. */
static slice
decoded_subject(struct arena *arena, slice header)
{
	struct mail_field field;
	slice text;

	if (!mail_field_find(header, SLICE("Subject"), &field) ||
	    field.value.len == 0 ||
	    memmem(field.value.ptr, field.value.len, "=?", 2) == NULL)
		return SLICE("");
	text = decode_header(
	    arena, arena_join(arena, field.whole, SLICE("\n"), SLICE("")));
	return slice_trim(slice_from(text, slice_index(text, ':') + 1));
}

static unsigned
count_given(const struct filter_result *result, slice given)
{
	unsigned count = 0;

	for (size_t i = 0; i < result->count && count < 2; i++)
		count += slice_eq(result->recipients[i].given, given);
	return count;
}

void
filter_vacation(const struct filter_job *job,
    const struct filter_result *result, bool is_submitted,
    struct vacation_job *ret_job, struct vacation_recipient **ret_recipients,
    size_t *ret_count)
{
	const struct decision *d = job->decision;
	struct vacation_recipient *list =
	    ARENA_ARRAY(d->arena, struct vacation_recipient, result->count + 1);
	size_t count = 0;

	*ret_job = (struct vacation_job){.arena = d->arena,
	    .generation = job->generation,
	    .ports = d->ports,
	    .session = d->session,
	    .queue_id = job->queue_id,
	    .is_submitted = is_submitted,
	    .verdict = result->verdict.kind,
	    .deadline = deadline_in(PATIENCE_MS)};
	list_fields(d->arena, job->came.header, ret_job);
	ret_job->subject = decoded_subject(d->arena, job->came.header);
	for (size_t i = 0; i < result->count; i++) {
		const struct filter_recipient *r = &result->recipients[i];

		if (!r->is_local || !r->is_kept)
			continue;
		list[count++] = (struct vacation_recipient){.given = r->given,
		    .becomes = r->recipient,
		    .is_shared =
			!r->is_given && count_given(result, r->given) > 1};
	}
	*ret_recipients = list;
	*ret_count = count;
}
