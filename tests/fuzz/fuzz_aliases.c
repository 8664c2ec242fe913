/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file of aliases, an included file and a virtusertable, and what some
 * recipients lead to by them. The three are apart by lines of "--". What must
 * hold: an end, no more addresses than are allowed, none of them empty or
 * there twice, and a reply to whom there are none.
 */
#include "tests/fuzz/fuzz.h"

#include "maps/alias_text.h"
#include "maps/map_private.h"
#include "maps/text.h"
#include "milter/reload.h"
#include "policy/alias.h"

#include <stdlib.h>

static slice included;

static enum world_answer
read_include(void *context, struct arena *arena, slice path,
    const struct policy *policy, slice *ret_text)
{
	(void)context;
	(void)arena;
	(void)policy;
	if (slice_eq(path, SLICE("/later")))
		return WORLD_TEMPFAIL;
	if (!slice_has_prefix_nocase(path, SLICE("/i")))
		return WORLD_NONE;
	*ret_text = included;
	return WORLD_FOUND;
}

static enum world_answer
find_user(void *context, struct arena *arena, slice name)
{
	(void)context;
	(void)arena;
	return name.len % 3 == 0 ? WORLD_FOUND : WORLD_NONE;
}

static enum world_answer
find_nothing(void *context, struct arena *arena, slice name, slice *ret_found)
{
	(void)context;
	(void)arena;
	(void)name;
	(void)ret_found;
	return WORLD_NONE;
}

static slice
take_part(slice *rest)
{
	slice all = *rest;
	slice line;

	while (slice_next(rest, '\n', &line)) {
		if (slice_eq(line, SLICE("--")))
			return slice_first(all, (size_t)(line.ptr - all.ptr));
	}
	return all;
}

static void
add(struct table_builder *builder, slice key, slice value)
{
	if (!table_builder_add(builder, key, value, 0, 1, NULL))
		abort();
}

static void
add_aliases(const struct decision *d, struct table_builder *builder, slice text)
{
	struct alias_reader reader;
	struct text_entry entry;
	enum text_next next;

	alias_reader_init(&reader, d->arena, text);
	while ((next = alias_reader_next(&reader, &entry)) != TEXT_END &&
	       next != TEXT_BAD) {
		slice key;

		if (next == TEXT_ENTRY &&
		    alias_key(d, entry.key, &key) == NULL)
			add(builder, key, entry.value);
	}
}

static void
add_map(const struct decision *d, struct table_builder *builder, slice text)
{
	struct text_reader reader;
	struct text_entry entry;
	enum text_next next;

	(void)d;
	text_reader_init(&reader, text);
	while ((next = text_reader_next(&reader, &entry)) != TEXT_END &&
	       next != TEXT_BAD) {
		if (next == TEXT_ENTRY)
			add(builder, entry.key, entry.value);
	}
}

static struct table *
make_table(const struct decision *d, slice text,
    void (*fill)(const struct decision *, struct table_builder *, slice))
{
	struct table_builder *builder = table_builder_new(NULL);
	struct table *table;

	if (builder == NULL)
		abort();
	(void)table_builder_add_file(builder, "fuzz");
	fill(d, builder, text);
	table = table_finish(builder, NULL, NULL, NULL);
	if (table == NULL)
		abort();
	return table;
}

static struct map
map_of(const struct map_part *part)
{
	return (struct map){
	    .name = SLICE("fuzz"), .parts = part, .part_count = 1};
}

static void
check_set(const struct expansion *e)
{
	if (e->count == 0 || e->count > EXPANSION_MAX)
		abort();
	for (size_t i = 0; i < e->count; i++) {
		if (e->addresses[i].len == 0)
			abort();
		for (size_t j = 0; j < i; j++) {
			if (slice_eq(e->addresses[i], e->addresses[j]))
				abort();
		}
	}
}

static void
expand(const struct decision *d, const char *recipient)
{
	struct expansion e =
	    expand_recipient(d, slice_from_cstr(recipient));

	switch (e.kind) {
	case EXPANSION_SAME:
	case EXPANSION_SET:
	case EXPANSION_MTA:
		check_set(&e);
		return;
	case EXPANSION_ERROR:
	case EXPANSION_TEMPFAIL:
		break;
	}
	if (e.error.code < 400 || e.error.text.len == 0)
		abort();
}

static void
expand_some(struct decision *d, struct policy *policy)
{
	static const char *const relays[] = {
	    "", "relay.test", "local:bob", "error:5.1.1:550 none"};

	for (size_t i = 0; i < sizeof(relays) / sizeof(*relays); i++) {
		policy->luser_relay = slice_from_cstr(relays[i]);
		policy->redirect = i % 2 == 0;
		expand(d, "<a@local.test>");
		expand(d, "<bob+x@home.test>");
		expand(d, "<c@far.test>");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice rest = {(const char *)data, size};
	struct generation *generation;
	struct arena *arena = arena_new(0);
	struct ports ports = {.find_host = find_nothing,
	    .read_include = read_include,
	    .find_user = find_user};
	struct session session = {.sender = SLICE("<x@y.test>")};
	struct policy policy;
	struct decision d = {.policy = &policy,
	    .ports = &ports,
	    .session = &session,
	    .arena = arena};
	slice text = take_part(&rest);
	struct map_part virtual_part = {.table = NULL};
	struct map_part alias_part = {.table = NULL};
	struct map virtusertable = map_of(&virtual_part);
	struct map aliases = map_of(&alias_part);

	(void)fuzz_service();
	generation = current_acquire();
	policy = *generation->policy;
	included = take_part(&rest);
	virtual_part.table = make_table(&d, rest, add_map);
	policy.virtusertable = &virtusertable;
	alias_part.table = make_table(&d, text, add_aliases);
	policy.aliases = &aliases;
	expand_some(&d, &policy);
	table_release(alias_part.table);
	table_release(virtual_part.table);
	arena_free(arena);
	generation_release(generation);
	return 0;
}
