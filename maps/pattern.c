/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/pattern.h"

#include "maps/pattern_text.h"
#include "maps/regex.h"
#include "maps/table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct rule {
	enum pattern_kind kind;
	bool is_negated;
	struct regex *regex; /* NULL: "endif" */
	slice value;	     /* whole, where there are no pieces */
	struct pattern_piece *pieces;
	size_t piece_count;
	size_t groups; /* the highest that the value names, and one */
	size_t next;   /* "if": the rule behind its "endif" */
	struct map_origin origin; /* of the one file */
	uint64_t digest;
};

struct pattern_list {
	atomic_size_t holders;
	struct arena *arena;
	const char *path;
	slice text;
	struct rule *rules;
	size_t count;
	size_t room;
	size_t values; /* rules that are neither "if" nor "endif" */
	size_t bytes;  /* of compiled patterns */
	size_t groups; /* the most that a pattern has */
};

struct building {
	struct pattern_list *list;
	const struct pattern_source *source;
	struct error *error;
	size_t *open; /* the "if"s not yet closed */
	size_t depth;
	size_t open_room;
};

static bool
refuse(struct building *building, unsigned line, const char *problem)
{
	(void)error_at(
	    building->error, building->source->path, line, "%s", problem);
	if (building->error != NULL)
		building->error->exit_code = EX_DATAERR;
	return false;
}

static struct rule *
new_rule(struct pattern_list *list)
{
	if (list->count == list->room) {
		list->room = list->room == 0 ? 16 : 2 * list->room;
		list->rules =
		    xrealloc(list->rules, list->room * sizeof(*list->rules));
	}
	list->rules[list->count] = (struct rule){.regex = NULL};
	return &list->rules[list->count++];
}

static bool
compile(struct building *building, const struct pattern_rule *read,
    struct rule *rule)
{
	struct regex_error problem;
	unsigned flags = read->flags;

	/* So that a key which is no UTF-8 is no error. */
	if (slice_has_prefix_nocase(read->pattern, SLICE("(*UTF)")))
		flags |= REGEX_UTF;
	rule->regex = regex_compile(read->pattern, flags, &problem);
	if (rule->regex != NULL) {
		building->list->bytes += regex_bytes(rule->regex);
		if (regex_groups(rule->regex) > building->list->groups)
			building->list->groups = regex_groups(rule->regex);
		return true;
	}
	(void)error_at(building->error, building->source->path, read->line,
	    "at offset %zu of the pattern: %s", problem.offset, problem.text);
	if (building->error != NULL)
		building->error->exit_code = EX_DATAERR;
	return false;
}

static size_t
count_pieces(slice value, const char **problem)
{
	struct pattern_piece piece;
	size_t count = 0;

	*problem = NULL;
	while (pattern_value_next(&value, &piece, problem))
		count++;
	return count;
}

static void
take_pieces(struct pattern_list *list, slice value, struct rule *rule)
{
	const char *problem;
	struct pattern_piece piece;

	rule->pieces = ARENA_ARRAY(
	    list->arena, struct pattern_piece, count_pieces(value, &problem));
	while (pattern_value_next(&value, &piece, &problem)) {
		if (piece.text.len > 0)
			piece.text = arena_copy(list->arena, piece.text);
		if (piece.group >= rule->groups && piece.group > 0)
			rule->groups = piece.group + 1;
		rule->pieces[rule->piece_count++] = piece;
	}
}

static slice
join(const struct rule *rule, const slice *groups, struct arena *arena)
{
	size_t len = 0;
	char *text;

	for (size_t i = 0; i < rule->piece_count; i++)
		len += rule->pieces[i].group == 0
			   ? rule->pieces[i].text.len
			   : groups[rule->pieces[i].group].len;
	text = arena_alloc(arena, len + 1);
	len = 0;
	for (size_t i = 0; i < rule->piece_count; i++) {
		slice part = rule->pieces[i].group == 0
				 ? rule->pieces[i].text
				 : groups[rule->pieces[i].group];

		if (part.len > 0)
			memcpy(text + len, part.ptr, part.len);
		len += part.len;
	}
	return (slice){text, len};
}

static bool
take_value(struct building *building, const struct pattern_rule *read,
    struct rule *rule)
{
	const char *problem;

	(void)count_pieces(read->value, &problem);
	if (problem != NULL)
		return refuse(building, read->line, problem);
	take_pieces(building->list, read->value, rule);
	if (rule->groups > 0 && read->is_negated)
		return refuse(building, read->line,
		    "a pattern that must not match has no \"$\" groups");
	if (rule->groups > regex_groups(rule->regex) + 1)
		return refuse(building, read->line,
		    "the pattern has no group of such a number");
	if (rule->groups == 0) {
		rule->value = join(rule, NULL, building->list->arena);
		rule->pieces = NULL;
	}
	building->list->values++;
	return true;
}

static void
open_if(struct building *building, size_t index)
{
	if (building->depth == building->open_room) {
		building->open_room =
		    building->open_room == 0 ? 16 : 2 * building->open_room;
		building->open = xrealloc(building->open,
		    building->open_room * sizeof(*building->open));
	}
	building->open[building->depth++] = index;
}

/* What tells one rule from another. */
static uint64_t
rule_digest(const struct pattern_rule *read, struct arena *arena)
{
	slice key = arena_printf(arena, "%d%d%x/" SLICE_FMT, read->kind,
	    read->is_negated, read->flags, SLICE_ARG(read->pattern));

	return shard_entry_digest(key, read->value);
}

static bool
add_rule(struct building *building, const struct pattern_rule *read,
    struct arena *scratch)
{
	struct pattern_list *list = building->list;
	struct rule *rule;

	if (list->count >= PATTERN_RULES_MAX)
		return refuse(
		    building, read->line, "more than 100000 patterns");
	rule = new_rule(list);
	rule->kind = read->kind;
	rule->is_negated = read->is_negated;
	rule->origin.line = read->line;
	rule->digest = rule_digest(read, scratch);
	switch (read->kind) {
	case PATTERN_VALUE:
		return compile(building, read, rule) &&
		       take_value(building, read, rule);
	case PATTERN_IF:
		open_if(building, list->count - 1);
		return compile(building, read, rule);
	case PATTERN_ENDIF:
		break;
	}
	list->rules[building->open[--building->depth]].next = list->count;
	return true;
}

static bool
build(struct building *building, struct arena *scratch)
{
	const struct pattern_source *source = building->source;
	struct pattern_reader reader;
	struct pattern_rule read;
	enum text_next next;

	pattern_reader_init(&reader, scratch, source->text);
	while ((next = pattern_reader_next(&reader, &read)) == TEXT_ENTRY) {
		if (reader.problem != NULL && source->warn != NULL)
			source->warn(source->context, source->path, reader.line,
			    reader.problem);
		if (!add_rule(building, &read, scratch))
			return false;
	}
	return next == TEXT_END ||
	       refuse(building, reader.line, reader.problem);
}

struct pattern_list *
pattern_list_new(const struct pattern_source *source, struct error *error)
{
	struct pattern_list *list = xmalloc(sizeof(*list));
	struct building building = {
	    .list = list, .source = source, .error = error};
	struct arena *scratch = arena_new(0);
	bool done;

	*list = (struct pattern_list){.arena = arena_new(0)};
	atomic_init(&list->holders, 1);
	list->path = arena_cstr(list->arena, slice_from_cstr(source->path));
	list->text = arena_copy(list->arena, source->text);
	done = build(&building, scratch);
	arena_free(scratch);
	free(building.open);
	if (done)
		return list;
	pattern_list_release(list);
	return NULL;
}

struct pattern_list *
pattern_list_acquire(struct pattern_list *list)
{
	(void)atomic_fetch_add_explicit(
	    &list->holders, 1, memory_order_relaxed);
	return list;
}

void
pattern_list_release(struct pattern_list *list)
{
	if (list == NULL || atomic_fetch_sub_explicit(
				&list->holders, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < list->count; i++)
		regex_free(list->rules[i].regex);
	free(list->rules);
	arena_free(list->arena);
	free(list);
}

/* One key on its way through a list. */
struct question {
	slice key;
	slice groups[PATTERN_GROUP_MAX + 1];
	struct regex_room *memory;
	const char *limit;
};

static enum regex_result
match(const struct rule *rule, struct question *question)
{
	struct regex_subject subject = {.text = question->key};
	struct regex_match found = {.groups = question->groups,
	    .room = rule->groups,
	    .memory = question->memory};
	enum regex_result result = regex_match(rule->regex, &subject, &found);

	if (result == REGEX_LIMIT)
		question->limit = found.limit;
	if (result == REGEX_LIMIT || !rule->is_negated)
		return result;
	return result == REGEX_MATCH ? REGEX_NO_MATCH : REGEX_MATCH;
}

static enum map_result
answer(const struct pattern_list *list, const struct rule *rule,
    const slice *groups, struct arena *arena, struct map_hit *ret_hit)
{
	slice value =
	    rule->groups == 0 ? rule->value : join(rule, groups, arena);

	if (value.len == 0)
		return MAP_MISSING;
	*ret_hit = (struct map_hit){
	    .value = value, .origin = &rule->origin, .files = &list->path};
	return MAP_FOUND;
}

static enum map_result
ask(const struct pattern_list *list, struct question *question,
    struct arena *arena, struct map_hit *ret_hit)
{
	size_t at = 0;

	while (at < list->count) {
		const struct rule *rule = &list->rules[at++];

		if (rule->kind == PATTERN_ENDIF)
			continue;
		switch (match(rule, question)) {
		case REGEX_MATCH:
			if (rule->kind == PATTERN_VALUE)
				return answer(list, rule, question->groups,
				    arena, ret_hit);
			break;
		case REGEX_NO_MATCH:
			if (rule->kind == PATTERN_IF)
				at = rule->next;
			break;
		case REGEX_LIMIT:
			*ret_hit = (struct map_hit){
			    .value = slice_from_cstr(question->limit),
			    .origin = &rule->origin,
			    .files = &list->path};
			return MAP_TEMPFAIL;
		}
	}
	return MAP_MISSING;
}

enum map_result
pattern_list_find(const struct pattern_list *list, slice key,
    struct arena *arena, struct map_hit *ret_hit)
{
	struct question question; /* the groups need no clearing */
	enum map_result result;

	question.key = key;
	question.memory = regex_room_new(list->groups);
	question.limit = NULL;
	result = ask(list, &question, arena, ret_hit);
	regex_room_free(question.memory);
	return result;
}

size_t
pattern_list_count(const struct pattern_list *list)
{
	return list->values;
}

size_t
pattern_list_bytes(const struct pattern_list *list)
{
	return list->bytes + list->room * sizeof(*list->rules) +
	       arena_size(list->arena);
}

uint64_t
pattern_list_digest(const struct pattern_list *list)
{
	uint64_t digest = 0;

	for (size_t i = 0; i < list->count; i++)
		digest = (digest ^ list->rules[i].digest) * 0xff51afd7ed558ccdU;
	return digest ^ (digest >> 33);
}

static int
compare_digests(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of the rules with a value, sorted; to be freed. */
static uint64_t *
digests_of(const struct pattern_list *list)
{
	uint64_t *digests = xmalloc((list->values + 1) * sizeof(*digests));
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		if (list->rules[i].kind == PATTERN_VALUE)
			digests[count++] = list->rules[i].digest;
	qsort(digests, count, sizeof(*digests), compare_digests);
	return digests;
}

size_t
pattern_list_missing(
    const struct pattern_list *list, const struct pattern_list *other)
{
	uint64_t *mine;
	uint64_t *theirs;
	size_t missing = 0;
	size_t at = 0;

	if (list == NULL || other == NULL)
		return list == NULL ? 0 : list->values;
	mine = digests_of(list);
	theirs = digests_of(other);
	for (size_t i = 0; i < list->values; i++) {
		while (at < other->values && theirs[at] < mine[i])
			at++;
		if (at < other->values && theirs[at] == mine[i])
			at++;
		else
			missing++;
	}
	free(theirs);
	free(mine);
	return missing;
}

const char *
pattern_list_path(const struct pattern_list *list)
{
	return list->path;
}

slice
pattern_list_text(const struct pattern_list *list)
{
	return list->text;
}
