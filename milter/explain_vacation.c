/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/explain_vacation.h"

#include "milter/explain_text.h"
#include "policy/mail_text.h"

enum { PATIENCE_MS = 2000, FIELDS_MAX = 1000 };

static void
list_fields(const struct explain_message *message, struct vacation_job *job)
{
	struct header_field *list =
	    ARENA_ARRAY(message->arena, struct header_field, FIELDS_MAX);
	struct mail_fields fields;
	struct mail_field field;

	mail_fields_init(&fields, strbuf_slice(&message->intake.header));
	while (job->field_count < FIELDS_MAX &&
	    mail_fields_next(&fields, &field))
		list[job->field_count++] = (struct header_field){
		    .name = field.name, .value = field.value};
	job->fields = list;
}

/* What edits put in the recipient's place, or himself. */
static size_t
count_becomes(const struct explain_message *message, slice given,
    struct vacation_recipient *list)
{
	bool is_dropped = false;
	size_t count = 0;

	for (const struct edit *e = message->result.edits.first; e != NULL;
	     e = e->next) {
		if (e->kind == EDIT_DROP_RECIPIENT && slice_eq(e->text, given))
			is_dropped = true;
		if (e->kind != EDIT_ADD_RECIPIENT || !slice_eq(e->before, given))
			continue;
		if (list != NULL)
			list[count] = (struct vacation_recipient){
			    .given = given, .becomes = e->text};
		count++;
	}
	if (!is_dropped) {
		if (list != NULL)
			list[count] = (struct vacation_recipient){
			    .given = given, .becomes = given};
		count++;
	}
	for (size_t i = 0; i < count && list != NULL; i++)
		list[i].is_shared =
		    count > 1 && !slice_eq(list[i].becomes, given);
	return count;
}

static struct vacation_recipient *
list_recipients(const struct explain_message *message, size_t *ret_count)
{
	const struct intake *intake = &message->intake;
	struct vacation_recipient *list;
	size_t count = 0;

	for (size_t i = 0; i < intake->recipient_count; i++)
		count += count_becomes(
		    message, intake->recipients[i].address, NULL);
	list = ARENA_ARRAY(
	    message->arena, struct vacation_recipient, count + 1);
	count = 0;
	for (size_t i = 0; i < intake->recipient_count; i++)
		count += count_becomes(message, intake->recipients[i].address,
		    list + count);
	*ret_count = count;
	return list;
}

const struct vacation_plan *
explain_vacation(const struct explain_message *message,
    const struct decision *d, const struct generation *generation,
    enum verdict_kind verdict)
{
	struct vacation_job job = {.arena = message->arena,
	    .generation = generation,
	    .ports = d->ports,
	    .session = d->session,
	    .verdict = verdict,
	    .deadline = deadline_in(PATIENCE_MS)};
	struct vacation_recipient *recipients;
	size_t count;

	if (!vacation_is_on(generation) || message->intake.header.len == 0)
		return NULL;
	list_fields(message, &job);
	recipients = list_recipients(message, &count);
	return vacation_plan(&job, recipients, count);
}

void
explain_vacation_json(
    json_t *object, struct arena *arena, const struct vacation_plan *plan)
{
	json_t *list;

	if (plan == NULL)
		return;
	list = json_array();
	for (; plan != NULL; plan = plan->next) {
		json_t *one = json_object();

		json_object_set_new(
		    one, "user", explain_json_text(arena, plan->user));
		json_object_set_new(
		    one, "file", explain_json_text(arena, plan->path));
		json_object_set_new(one, "reply", json_boolean(plan->is_answered));
		json_object_set_new(one, "reason", json_string(plan->word));
		json_object_set_new(
		    one, "detail", explain_json_text(arena, plan->detail));
		json_array_append_new(list, one);
	}
	json_object_set_new(object, "vacation", list);
}

void
explain_vacation_text(
    struct strbuf *out, const struct vacation_plan *plan, size_t width)
{
	for (; plan != NULL; plan = plan->next) {
		explain_add_title(out, SLICE("vacation"), width);
		explain_add_plain(out, plan->user);
		if (plan->is_answered)
			strbuf_add(out, SLICE(" answers"));
		else
			strbuf_printf(out, " does not answer: %s", plan->word);
		if (plan->detail.len > 0) {
			strbuf_add(out, SLICE(" ("));
			explain_add_plain(out, plan->detail);
			strbuf_add_char(out, ')');
		}
		if (!plan->is_trouble) {
			strbuf_add(out, SLICE("; "));
			explain_add_plain(out, plan->path);
		}
		strbuf_add_char(out, '\n');
	}
}
