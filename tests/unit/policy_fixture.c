/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/policy_fixture.h"

#include "policy/alias.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
is_one_of(slice name, const char *const *names)
{
	for (; *names != NULL; names++) {
		if (slice_eq_nocase(name, slice_from_cstr(*names)))
			return true;
	}
	return false;
}

static enum world_answer
find_host(void *context, struct arena *arena, slice name, slice *ret_canonical)
{
	static const char *const known[] = {
	    "good.test", "mx.good.test", "client.good.test", NULL};
	struct fixture *f = context;

	f->questions++;
	if (slice_eq_nocase(name, SLICE("alias.test")))
		name = SLICE("good.test");
	if (slice_eq_nocase(name, SLICE("servfail.test")))
		return WORLD_TEMPFAIL;
	if (!is_one_of(name, known))
		return WORLD_NONE;
	*ret_canonical = arena_copy_lower(arena, name);
	return WORLD_FOUND;
}

static enum world_answer
find_mx(void *context, struct arena *arena, slice domain,
    struct name_list *ret_hosts)
{
	struct fixture *f = context;

	f->questions++;
	if (slice_eq_nocase(domain, SLICE("servfail.test")))
		return WORLD_TEMPFAIL;
	if (!slice_eq_nocase(domain, SLICE("served.test")))
		return WORLD_NONE;
	ret_hosts->names = ARENA_ARRAY(arena, slice, 2);
	ret_hosts->names[0] = SLICE("mx.good.test");
	ret_hosts->names[1] = SLICE("mx.home.test");
	ret_hosts->count = 2;
	return WORLD_FOUND;
}

static enum world_answer
find_address(void *context, struct arena *arena, slice name,
    slice *ret_address)
{
	struct fixture *f = context;

	(void)arena;
	f->questions++;
	if (slice_eq_nocase(name, SLICE("3.2.0.192.bl.test")))
		return WORLD_TEMPFAIL;
	if (!slice_eq_nocase(name, SLICE("2.2.0.192.bl.test")))
		return WORLD_NONE;
	*ret_address = SLICE("127.0.0.2");
	return WORLD_FOUND;
}

const struct class *
fixture_class(struct fixture *f, const char *name, const char *const *words)
{
	slice items[32];
	size_t count = 0;
	struct snapshot_source source = {.allow_unsafe_files = true};
	struct error error;
	struct class *set;

	while (words[count] != NULL && count < 32) {
		items[count] = slice_from_cstr(words[count]);
		count++;
	}
	set = snapshot_add_class(f->snapshot, slice_from_cstr(name), items,
	    count, &source, &error);
	ck_assert_ptr_nonnull(set);
	return set;
}

void
fixture_local(struct fixture *f, const char *const *words)
{
	f->policy.local = fixture_class(f, "local_domain", words);
}

void
fixture_relay(struct fixture *f, const char *const *words)
{
	f->policy.relay = fixture_class(f, "relay_domain", words);
}

/* A file of this text; it is there until it is unlinked. */
static void
write_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static const struct map *
load_map(struct fixture *f, const char *name, const char *type, const char *text)
{
	const struct map *map;
	struct snapshot_source source = {.allow_unsafe_files = true,
	    .has_nets = strcmp(name, "access") == 0};
	char path[] = "/tmp/milterd-test-access-XXXXXX";
	char item[64];
	struct error error;
	slice items[1];

	write_file(path, text);
	(void)snprintf(item, sizeof(item), "%s%s", type, path);
	items[0] = slice_from_cstr(item);
	map = snapshot_add_map(f->snapshot, slice_from_cstr(name), items, 1,
	    &source, &error);
	(void)unlink(path);
	ck_assert_msg(map != NULL, "%u: %s", error.line, error.text);
	return map;
}

const struct map *
fixture_map(struct fixture *f, const char *name, const char *text)
{
	return load_map(f, name, "", text);
}

const struct map *
fixture_patterns(struct fixture *f, const char *name, const char *text)
{
	return load_map(f, name, "pcre:", text);
}

static const char *
make_key(void *context, struct arena *arena, slice name, slice *ret_key)
{
	struct decision d = *(struct decision *)context;

	d.arena = arena;
	return alias_key(&d, name, ret_key);
}

void
fixture_aliases(struct fixture *f, const char *text)
{
	struct snapshot_source source = {.allow_unsafe_files = true};
	struct snapshot_keys keys = {make_key, &f->decision};
	char path[] = "/tmp/milterd-test-aliases-XXXXXX";
	struct error error;
	slice paths[1];

	write_file(path, text);
	paths[0] = slice_from_cstr(path);
	f->policy.aliases = snapshot_add_aliases(f->snapshot,
	    SLICE("aliases"), paths, 1, &keys, &source, &error);
	(void)unlink(path);
	ck_assert_ptr_nonnull(f->policy.aliases);
}

void
fixture_access(struct fixture *f, const char *text)
{
	f->policy.access = fixture_map(f, "access", text);
}

void
fixture_client(struct fixture *f, const char *address, const char *name,
    enum client_resolve resolve)
{
	struct client *client = &f->session.client;

	ck_assert(client_address_canonical(
	    f->arena, slice_from_cstr(address), &client->address));
	client->ptr = slice_from_cstr(name);
	client->resolve = resolve;
	client_set_name(f->arena, client);
}

void
fixture_init(struct fixture *f)
{
	static const char *const local[] = {
	    "mx.home.test", "mx", "localhost", "[127.0.0.1]", NULL};

	memset(f, 0, sizeof(*f));
	f->snapshot = snapshot_new();
	f->arena = snapshot_arena(f->snapshot);
	f->policy.hostname = SLICE("mx.home.test");
	fixture_local(f, local);
	f->ports = (struct ports){.context = f,
	    .find_host = find_host,
	    .find_mx = find_mx,
	    .find_address = find_address};
	fixture_client(f, "192.0.2.99", "", RESOLVE_FAIL);
	f->session.sender = SLICE("<a@good.test>");
	trace_init(&f->trace, f->arena);
	f->decision = (struct decision){.policy = &f->policy,
	    .ports = &f->ports,
	    .session = &f->session,
	    .arena = f->arena,
	    .trace = &f->trace};
}

void
fixture_done(struct fixture *f)
{
	snapshot_release(f->snapshot);
}

const char *
fixture_line(struct fixture *f, struct verdict verdict)
{
	slice reply = verdict_reply(f->arena, &verdict);

	if (verdict.kind == VERDICT_QUARANTINE)
		reply = verdict.text;
	return arena_printf(f->arena, "%s%s" SLICE_FMT "%s",
	    verdict_word(verdict.kind), reply.len > 0 ? " " : "",
	    SLICE_ARG(reply), verdict.relay ? " relay" : "")
	    .ptr;
}
