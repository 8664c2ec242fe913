/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/fate.h"

#include "policy/header_diff.h"
#include "policy/path.h"

#include <string.h>

#define NAME_BUCKETS 1024

/* All deliveries of one text. */
struct member {
	const struct fate *fate;
	const struct fate_delivery *delivery;
	struct member *next;
};

struct group {
	const struct mail_text *text; /* NULL: as it came */
	const struct verdict *quarantine;
	struct member *first;
	struct member **end;
	size_t count;
	struct group *next;
};

struct name {
	slice text;
	struct name *next;
};

struct names {
	bool case_matters;
	struct name *buckets[NAME_BUCKETS];
};

struct plan {
	struct arena *arena;
	const struct fate_input *input;
	struct fate_plan *ret;
	struct group *groups;
	struct group **end;
	struct names staying; /* who has the message itself afterwards */
};

static const struct verdict too_many_texts = {.kind = VERDICT_DEFER,
    .code = 452,
    .enhanced = SLICE_INIT("4.3.1"),
    .text = SLICE_INIT("Too many different copies of one message"),
    .rule = "recipes"};

static bool
is_null_sender(slice sender)
{
	return path_address(sender).len == 0;
}

static struct name **
bucket_of(struct names *names, slice text)
{
	unsigned hash = 2166136261U;

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)ascii_lower(text.ptr[i])) *
		       16777619U;
	return &names->buckets[hash % NAME_BUCKETS];
}

static bool
has_name(struct names *names, slice text)
{
	const struct name *name = *bucket_of(names, text);

	while (name != NULL &&
	       !(names->case_matters ? slice_eq(name->text, text)
				     : slice_eq_nocase(name->text, text)))
		name = name->next;
	return name != NULL;
}

/* False when it is there already. */
static bool
add_name(struct arena *arena, struct names *names, slice text)
{
	struct name **bucket = bucket_of(names, text);
	struct name *name;

	if (has_name(names, text))
		return false;
	name = ARENA_NEW(arena, struct name);
	name->text = text;
	name->next = *bucket;
	*bucket = name;
	return true;
}

/*
 * Refusals.
 */

static const struct fate *
find_verdict(const struct fate_input *input, enum verdict_kind kind)
{
	for (size_t i = 0; i < input->count; i++) {
		if (input->fates[i].verdict.kind == kind)
			return &input->fates[i];
	}
	return NULL;
}

static bool
all_reject(const struct fate_input *input)
{
	for (size_t i = 0; i < input->count; i++) {
		if (input->fates[i].verdict.kind != VERDICT_REJECT)
			return false;
	}
	return input->count > 0;
}

/* One refusal tells of all that a recipient as given stands for. */
static void
add_bounces(struct plan *plan)
{
	struct fate_bounce **end = &plan->ret->bounces;
	struct names *told = ARENA_NEW(plan->arena, struct names);

	if (is_null_sender(plan->input->sender))
		return;
	for (size_t i = 0; i < plan->input->count; i++) {
		const struct fate *fate = &plan->input->fates[i];

		if (fate->verdict.kind != VERDICT_REJECT ||
		    !add_name(plan->arena, told, fate->given))
			continue;
		*end = ARENA_NEW(plan->arena, struct fate_bounce);
		(*end)->recipient = fate->given;
		(*end)->verdict = &fate->verdict;
		end = &(*end)->next;
	}
}

/*
 * Groups.
 */

static bool
is_same_text(const struct mail_text *a, const struct mail_text *b)
{
	return a == b ||
	       (a != NULL && b != NULL && slice_eq(a->header, b->header) &&
		   slice_eq(a->body, b->body));
}

static const struct mail_text *
text_of(const struct plan *plan, const struct fate_delivery *delivery)
{
	return is_same_text(delivery->text, &plan->input->text)
		   ? NULL
		   : delivery->text;
}

static struct group *
group_for(struct plan *plan, const struct mail_text *text, bool is_quarantined)
{
	struct group *group;

	for (group = plan->groups; group != NULL; group = group->next) {
		if ((group->quarantine != NULL) == is_quarantined &&
		    is_same_text(group->text, text))
			return group;
	}
	group = ARENA_NEW(plan->arena, struct group);
	group->text = text;
	group->end = &group->first;
	*plan->end = group;
	plan->end = &group->next;
	return group;
}

static void
add_member(struct plan *plan, struct group *group, const struct fate *fate,
    const struct fate_delivery *delivery)
{
	struct member *member = ARENA_NEW(plan->arena, struct member);

	member->fate = fate;
	member->delivery = delivery;
	*group->end = member;
	group->end = &member->next;
	group->count++;
}

static void
make_groups(struct plan *plan)
{
	for (size_t i = 0; i < plan->input->count; i++) {
		const struct fate *fate = &plan->input->fates[i];
		bool is_quarantined = fate->verdict.kind == VERDICT_QUARANTINE;

		if (fate->verdict.kind == VERDICT_REJECT)
			continue;
		for (const struct fate_delivery *d = fate->deliveries;
		     d != NULL; d = d->next) {
			struct group *group =
			    group_for(plan, text_of(plan, d), is_quarantined);

			if (is_quarantined)
				group->quarantine = &fate->verdict;
			add_member(plan, group, fate, d);
		}
	}
}

/* Larger is better, but a quarantine is best, and then the text as it came. */
static bool
is_better(const struct group *a, const struct group *b)
{
	if ((a->quarantine != NULL) != (b->quarantine != NULL))
		return a->quarantine != NULL;
	if ((a->text == NULL) != (b->text == NULL))
		return a->text == NULL;
	return a->count > b->count;
}

/* The group that the message itself is for, taken out of the list. */
static struct group *
take_main(struct plan *plan)
{
	struct group **best = &plan->groups;
	struct group *found;

	for (struct group **g = &plan->groups; *g != NULL; g = &(*g)->next) {
		if (is_better(*g, *best))
			best = g;
	}
	found = *best;
	if (found != NULL)
		*best = found->next;
	return found;
}

/* What else is to be held is held with it, in the text that it has. */
static void
merge_quarantined(struct plan *plan, struct group *main_group)
{
	struct group **g = &plan->groups;

	if (main_group->quarantine == NULL)
		return;
	while (*g != NULL) {
		if ((*g)->quarantine == NULL) {
			g = &(*g)->next;
			continue;
		}
		*main_group->end = (*g)->first;
		main_group->end = (*g)->end;
		main_group->count += (*g)->count;
		*g = (*g)->next;
	}
}

/*
 * The message itself.
 */

static void
stay(struct plan *plan, const struct fate *fate)
{
	if (!add_name(
		plan->arena, &plan->staying, path_address(fate->recipient)) ||
	    fate->is_given)
		return;
	edit_add(&plan->ret->edits, (struct edit){.kind = EDIT_ADD_RECIPIENT,
					.text = fate->recipient,
					.before = fate->given});
}

static void
send_on(struct plan *plan, const struct member *member)
{
	bool is_new =
	    add_name(plan->arena, &plan->staying, member->delivery->address);

	edit_add(&plan->ret->edits,
	    (struct edit){.kind = EDIT_ADD_RECIPIENT,
		.text = arena_printf(plan->arena, "<" SLICE_FMT ">",
		    SLICE_ARG(member->delivery->address)),
		.before = member->fate->given,
		.is_there = !is_new});
}

/* A recipient whose own mail goes elsewhere stays nevertheless where others'
 * goes to him: to drop him and to add him would be one too many. */
static void
keep_addressed(struct plan *plan, const struct group *main_group)
{
	struct names *addresses = ARENA_NEW(plan->arena, struct names);

	for (const struct member *m = main_group->first; m != NULL;
	     m = m->next) {
		if (!m->delivery->is_own)
			(void)add_name(
			    plan->arena, addresses, m->delivery->address);
	}
	for (size_t i = 0; i < plan->input->count; i++) {
		const struct fate *fate = &plan->input->fates[i];
		slice address = path_address(fate->recipient);

		if (fate->is_given && has_name(addresses, address))
			(void)add_name(plan->arena, &plan->staying, address);
	}
}

/* To the MTA "Bob" may be another recipient than "bob", so each spelling is
 * dropped. */
static void
drop_others(struct plan *plan)
{
	struct names *dropped = ARENA_NEW(plan->arena, struct names);

	dropped->case_matters = true;
	for (size_t i = 0; i < plan->input->count; i++) {
		const struct fate *fate = &plan->input->fates[i];
		slice address = path_address(fate->recipient);

		if (fate->is_given && !has_name(&plan->staying, address) &&
		    add_name(plan->arena, dropped, address))
			edit_add(&plan->ret->edits,
			    (struct edit){.kind = EDIT_DROP_RECIPIENT,
				.text = fate->recipient});
	}
}

static void
edit_recipients(struct plan *plan, const struct group *main_group)
{
	for (const struct member *m = main_group->first; m != NULL;
	     m = m->next) {
		if (m->delivery->is_own)
			stay(plan, m->fate);
	}
	keep_addressed(plan, main_group);
	for (const struct member *m = main_group->first; m != NULL;
	     m = m->next) {
		if (!m->delivery->is_own)
			send_on(plan, m);
	}
	drop_others(plan);
}

static void
edit_text(struct plan *plan, const struct group *main_group)
{
	const struct fate_input *input = plan->input;
	const struct mail_text *text = main_group->text;

	if (text == NULL)
		return;
	if (!slice_eq(text->header, input->text.header)) {
		plan->ret->changes_header = true;
		header_diff(input->came.header, text->header,
		    input->keeps_space, &plan->ret->edits);
	}
	if (!slice_eq(text->body, input->came.body))
		edit_add(&plan->ret->edits,
		    (struct edit){.kind = EDIT_BODY, .text = text->body});
}

/*
 * Copies.
 */

static void
add_copy_recipient(struct arena *arena, struct fate_copy *copy, slice address)
{
	slice *grown;

	if (copy->recipient_count == copy->room) {
		copy->room = copy->room == 0 ? 4 : copy->room * 2;
		grown = ARENA_ARRAY(arena, slice, copy->room);
		if (copy->recipient_count > 0)
			memcpy(grown, copy->recipients,
			    copy->recipient_count * sizeof(*grown));
		copy->recipients = grown;
	}
	copy->recipients[copy->recipient_count++] = address;
}

static struct fate_copy *
make_copy(struct plan *plan, const struct group *group)
{
	struct fate_copy *copy = ARENA_NEW(plan->arena, struct fate_copy);
	struct names *names = ARENA_NEW(plan->arena, struct names);

	copy->text = group->text == NULL ? &plan->input->text : group->text;
	for (const struct member *m = group->first; m != NULL; m = m->next) {
		slice address = m->delivery->is_own
				    ? path_address(m->fate->recipient)
				    : m->delivery->address;

		if (add_name(plan->arena, names, address))
			add_copy_recipient(plan->arena, copy, address);
	}
	return copy;
}

/* False when there are too many bytes of them. */
static bool
make_copies(struct plan *plan)
{
	struct fate_copy **end = &plan->ret->copies;
	size_t bytes = 0;

	for (const struct group *g = plan->groups; g != NULL; g = g->next) {
		*end = make_copy(plan, g);
		bytes += (*end)->text->header.len + (*end)->text->body.len;
		if (bytes > plan->input->bytes_max)
			return false;
		end = &(*end)->next;
	}
	return true;
}

static void
decide_delivery(struct plan *plan)
{
	struct group *main_group;

	make_groups(plan);
	main_group = take_main(plan);
	if (main_group == NULL) {
		plan->ret->verdict = (struct verdict){
		    .kind = VERDICT_DISCARD, .rule = "recipes"};
		return;
	}
	merge_quarantined(plan, main_group);
	if (main_group->quarantine != NULL)
		plan->ret->verdict = *main_group->quarantine;
	if (!make_copies(plan)) {
		plan->ret->verdict = too_many_texts;
		return;
	}
	edit_recipients(plan, main_group);
	edit_text(plan, main_group);
}

void
fate_decide(struct arena *arena, const struct fate_input *input,
    struct fate_plan *ret_plan)
{
	struct plan *plan = ARENA_NEW(arena, struct plan);
	const struct fate *deferred = find_verdict(input, VERDICT_DEFER);

	*ret_plan = (struct fate_plan){.verdict.kind = VERDICT_CONTINUE};
	edit_list_init(&ret_plan->edits, arena);
	plan->arena = arena;
	plan->input = input;
	plan->ret = ret_plan;
	plan->end = &plan->groups;
	if (deferred != NULL) {
		ret_plan->verdict = deferred->verdict;
		return;
	}
	if (all_reject(input)) {
		ret_plan->verdict = input->fates[0].verdict;
		return;
	}
	add_bounces(plan);
	decide_delivery(plan);
	if (verdict_is_refusal(&ret_plan->verdict)) {
		ret_plan->bounces = NULL;
		ret_plan->copies = NULL;
	}
}
