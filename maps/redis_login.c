/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From no connection to one that may be used: ask Sentinel where the master
 * is, connect, say HELLO with name and password, choose the database, and look
 * at what the server says of itself. HELLO is understood while a server loads
 * and by replicas without their master, so it tells these from a wrong
 * password.
 */
#include "maps/redis_private.h"

#include <string.h>

static enum redis_trouble
fail(struct redis_wire *wire, enum redis_trouble trouble, const char *why)
{
	redis_problem_set(&wire->problem, "%s", why);
	return trouble;
}

static enum redis_trouble
fail_by_reply(struct redis_wire *wire, const struct redis_reply *reply)
{
	const char *text = reply->text.ptr;

	if (reply->trouble == REDIS_OTHER &&
	    slice_has_prefix_nocase(reply->text, SLICE("ERR unknown command")))
		text = "the server does not know HELLO: Redis 6 or later is "
		       "needed";
	return fail(wire, reply->trouble, text);
}

static enum redis_trouble
open_link(struct redis_client *client, struct redis_wire *wire, slice server,
    deadline_ms deadline)
{
	struct redis_place place = {
	    .server = server,
	    .ports = &client->ports,
	    .tls = client->tls,
	    .tls_name = client->options.tls_server_name,
	};

	redis_wire_reset(wire);
	return redis_link_open(&wire->link, &place, deadline, &wire->problem);
}

/* An array of two, the address and the port; nil where the sentinel knows no
 * such master. */
static enum redis_trouble
read_master(const struct redis_client *client, struct redis_wire *wire,
    const struct redis_reply *reply, struct arena *arena, slice *ret_server)
{
	if (reply->kind == REDIS_KIND_NIL) {
		redis_problem_set(&wire->problem,
		    "the sentinel knows no master \"" SLICE_FMT "\"",
		    SLICE_ARG(client->options.master));
		return REDIS_NO_MASTER;
	}
	if (reply->kind == REDIS_KIND_ERROR)
		return fail_by_reply(wire, reply);
	if (reply->kind != REDIS_KIND_ARRAY || reply->count != 2)
		return fail(
		    wire, REDIS_GARBAGE, "not the answer of a sentinel");
	*ret_server = arena_printf(arena, "inet:" SLICE_FMT "@" SLICE_FMT,
	    SLICE_ARG(slice_first(reply->items[1]->text, 5)),
	    SLICE_ARG(slice_first(reply->items[0]->text, 253)));
	return REDIS_NO_TROUBLE;
}

static enum redis_trouble
ask_sentinel(struct redis_client *client, struct redis_wire *wire, slice server,
    deadline_ms deadline, struct arena *arena, slice *ret_server)
{
	slice password = client->sentinel_password;
	struct redis_command commands[] = {
	    {REDIS_WORDS(SLICE("AUTH"), password)},
	    {REDIS_WORDS(SLICE("SENTINEL"), SLICE("GET-MASTER-ADDR-BY-NAME"),
		client->options.master)},
	};
	size_t first = password.len > 0 ? 0 : 1;
	struct redis_exchange exchange = {
	    commands + first, 2 - first, deadline, REDIS_REPLY_BYTES, false};
	struct redis_reply **replies;
	enum redis_trouble trouble = open_link(client, wire, server, deadline);

	if (trouble == REDIS_NO_TROUBLE)
		trouble = redis_wire_exchange(wire, &exchange, &replies);
	if (trouble != REDIS_NO_TROUBLE)
		return trouble;
	if (replies[0]->kind == REDIS_KIND_ERROR)
		return fail_by_reply(wire, replies[0]);
	return read_master(
	    client, wire, replies[exchange.count - 1], arena, ret_server);
}

/* The one that answered last time first; each has half of what time is left,
 * the last one all of it. */
static enum redis_trouble
find_master(struct redis_client *client, struct redis_wire *wire,
    deadline_ms deadline, struct arena *arena, slice *ret_server)
{
	size_t count = client->options.sentinel_count;
	size_t first = atomic_load(&client->sentinel);
	enum redis_trouble trouble = REDIS_NO_MASTER;

	for (size_t i = 0; i < count; i++) {
		size_t which = (first + i) % count;
		deadline_ms now = deadline_now();
		deadline_ms share = (deadline - now) / (i + 1 < count ? 2 : 1);

		trouble =
		    ask_sentinel(client, wire, client->options.sentinels[which],
			now + share, arena, ret_server);
		if (trouble == REDIS_NO_TROUBLE) {
			atomic_store(&client->sentinel, which);
			return trouble;
		}
	}
	atomic_store(&client->sentinel, (first + 1) % count);
	return trouble;
}

static slice
value_of(const struct redis_reply *hello, slice name)
{
	for (size_t i = 0; i + 1 < hello->count; i += 2) {
		if (slice_eq(hello->items[i]->text, name))
			return hello->items[i + 1]->text;
	}
	return SLICE("");
}

static enum redis_trouble
judge_hello(const struct redis_client *client, struct redis_wire *wire,
    const struct redis_reply *hello, bool *ret_is_replica)
{
	slice mode = value_of(hello, SLICE("mode"));

	if (hello->kind == REDIS_KIND_ERROR)
		return fail_by_reply(wire, hello);
	if (hello->kind != REDIS_KIND_ARRAY || mode.len == 0)
		return fail(wire, REDIS_GARBAGE, "not an answer to HELLO");
	if (slice_eq(mode, SLICE("cluster")))
		return fail(wire, REDIS_CLUSTER,
		    "this server is part of a Redis Cluster, which milterd "
		    "does not use");
	if (slice_eq(mode, SLICE("sentinel")))
		return fail(wire, REDIS_NO_MASTER,
		    "this server is a Sentinel: it belongs into "
		    "redis.sentinels");
	*ret_is_replica =
	    !slice_eq(value_of(hello, SLICE("role")), SLICE("master"));
	if (*ret_is_replica && client->options.sentinel_count > 0)
		return fail(wire, REDIS_NO_MASTER,
		    "Sentinel's master says that it is a replica");
	return REDIS_NO_TROUBLE;
}

static enum redis_trouble
say_hello(struct redis_client *client, struct redis_wire *wire,
    deadline_ms deadline, bool *ret_is_replica)
{
	const struct redis_options *options = &client->options;
	slice user = options->user.len > 0 ? options->user : SLICE("default");
	struct redis_command commands[] = {
	    {REDIS_WORDS(SLICE("HELLO"), SLICE("2"), SLICE("AUTH"), user,
		client->password)},
	    {REDIS_WORDS(SLICE("SELECT"), client->database)},
	};
	struct redis_exchange exchange = {commands,
	    options->database == 0 ? 1 : 2, deadline, REDIS_REPLY_BYTES, false};
	struct redis_reply **replies;
	enum redis_trouble trouble;

	if (options->user.len == 0 && client->password.len == 0)
		commands[0].count = 2;
	trouble = redis_wire_exchange(wire, &exchange, &replies);
	if (trouble == REDIS_NO_TROUBLE)
		trouble = judge_hello(client, wire, replies[0], ret_is_replica);
	if (trouble == REDIS_NO_TROUBLE && exchange.count == 2 &&
	    replies[1]->kind == REDIS_KIND_ERROR)
		trouble = fail_by_reply(wire, replies[1]);
	return trouble;
}

enum redis_trouble
redis_login(struct redis_client *client, struct redis_wire *wire,
    deadline_ms deadline, bool *ret_is_replica)
{
	struct arena *arena = arena_new(0);
	slice server = client->options.server;
	enum redis_trouble trouble = REDIS_NO_TROUBLE;

	if (client->options.sentinel_count > 0)
		trouble = find_master(client, wire, deadline, arena, &server);
	if (trouble == REDIS_NO_TROUBLE)
		trouble = open_link(client, wire, server, deadline);
	if (trouble == REDIS_NO_TROUBLE)
		trouble = say_hello(client, wire, deadline, ret_is_replica);
	if (trouble != REDIS_NO_TROUBLE)
		redis_wire_reset(wire);
	arena_free(arena);
	return trouble;
}

/* Sentinel may have chosen another master that this one has not heard of. A
 * sentinel that does not answer is no reason to leave a master that does. */
static enum redis_trouble
check_with_sentinel(
    struct redis_client *client, struct redis_wire *wire, deadline_ms deadline)
{
	struct arena *arena = arena_new(0);
	struct redis_wire other;
	enum redis_trouble trouble = REDIS_NO_TROUBLE;
	slice server;

	redis_wire_init(&other);
	if (find_master(client, &other, deadline, arena, &server) ==
		REDIS_NO_TROUBLE &&
	    !slice_eq(server, slice_from_cstr(wire->link.server)))
		trouble = fail(
		    wire, REDIS_NO_MASTER, "Sentinel has another master now");
	redis_wire_done(&other);
	arena_free(arena);
	return trouble;
}

enum redis_trouble
redis_login_check(struct redis_client *client, struct redis_wire *wire,
    deadline_ms deadline, bool *ret_is_replica)
{
	struct redis_command commands[] = {
	    {REDIS_WORDS(SLICE("HELLO"), SLICE("2"))},
	    {REDIS_WORDS(SLICE("PING"))},
	};
	struct redis_exchange exchange = {
	    commands, 2, deadline, REDIS_REPLY_BYTES, false};
	struct redis_reply **replies;
	enum redis_trouble trouble =
	    redis_wire_exchange(wire, &exchange, &replies);

	if (trouble == REDIS_NO_TROUBLE)
		trouble = judge_hello(client, wire, replies[0], ret_is_replica);
	if (trouble == REDIS_NO_TROUBLE && client->options.sentinel_count > 0)
		trouble = check_with_sentinel(client, wire, deadline);
	if (trouble != REDIS_NO_TROUBLE)
		redis_wire_reset(wire);
	else if (replies[1]->kind == REDIS_KIND_ERROR)
		trouble = fail_by_reply(wire, replies[1]);
	return trouble;
}
