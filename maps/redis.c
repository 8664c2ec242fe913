/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/redis.h"

#include "maps/redis_private.h"

#include <stdlib.h>
#include <string.h>

enum {
	ASK_ROLE_MS = 1000, /* of a replica, whether it still is one */
	ASK_ALIVE_MS = 5000,
};

struct redis {
	struct redis_client *client;
	struct redis_wire wire;
	bool is_pinned;
	bool is_subscribed;
	bool is_replica;
	deadline_ms ask_role_at;
	deadline_ms heard_at; /* of a subscription */
	bool is_asked;	      /* PING has gone out, nothing came yet */
};

struct redis *
redis_open(struct redis_client *client)
{
	struct redis *redis = xmalloc(sizeof(*redis));

	*redis = (struct redis){.client = client};
	redis_wire_init(&redis->wire);
	return redis;
}

void
redis_close(struct redis *redis)
{
	if (redis == NULL)
		return;
	redis_wire_done(&redis->wire);
	free(redis);
}

struct redis_client *
redis_client_of(const struct redis *redis)
{
	return redis->client;
}

const char *
redis_problem(const struct redis *redis)
{
	return redis->wire.problem.text;
}

void
redis_pin(struct redis *redis, bool pinned)
{
	redis->is_pinned = pinned;
}

/* Every request ends here. */
static enum redis_trouble
end(struct redis *redis, enum redis_trouble trouble)
{
	const struct redis_ports *ports = &redis->client->ports;

	if (redis_trouble_is_fatal(trouble)) {
		redis_wire_reset(&redis->wire);
		redis->is_subscribed = false;
	}
	if (trouble == REDIS_NO_TROUBLE && redis->is_replica &&
	    ports->on_outcome != NULL)
		ports->on_outcome(ports->context, REDIS_READONLY,
		    "the server is a replica", redis->wire.link.server);
	else if (ports->on_outcome != NULL)
		ports->on_outcome(ports->context, trouble,
		    redis->wire.problem.text, redis->wire.link.server);
	return trouble;
}

static enum redis_trouble
end_of_wire(struct redis *redis, enum redis_trouble trouble)
{
	if (trouble != REDIS_NO_TROUBLE)
		redis_client_failed(redis->client, trouble);
	else
		redis_client_well(redis->client);
	return trouble;
}

static enum redis_trouble
wait_for_another(struct redis *redis)
{
	enum redis_trouble trouble =
	    (enum redis_trouble)atomic_load(&redis->client->wire_trouble);

	if (redis->wire.problem.text[0] == '\0')
		redis_problem_set(&redis->wire.problem,
		    "not tried again yet (%s)", redis_trouble_name(trouble));
	return trouble;
}

static enum redis_trouble
log_in(struct redis *redis, deadline_ms deadline)
{
	enum redis_trouble trouble;

	if (redis->is_pinned) {
		redis_problem_set(
		    &redis->wire.problem, "the connection was lost in between");
		return REDIS_CLOSED;
	}
	trouble = redis_login(
	    redis->client, &redis->wire, deadline, &redis->is_replica);
	redis->ask_role_at = deadline_in(ASK_ROLE_MS);
	return trouble;
}

/* A replica may have become the master meanwhile. */
static enum redis_trouble
ask_role(struct redis *redis, deadline_ms deadline)
{
	if (!redis->is_replica || redis->is_pinned ||
	    !deadline_passed(redis->ask_role_at))
		return REDIS_NO_TROUBLE;
	redis->ask_role_at = deadline_in(ASK_ROLE_MS);
	return redis_login_check(
	    redis->client, &redis->wire, deadline, &redis->is_replica);
}

static enum redis_trouble
prepare(struct redis *redis, deadline_ms deadline)
{
	redis->wire.problem.text[0] = '\0';
	if (redis_wire_is_open(&redis->wire) &&
	    (redis_link_is_stale(&redis->wire.link) || redis->is_subscribed))
		redis_wire_reset(&redis->wire);
	redis->is_subscribed = false;
	if (!redis_wire_is_open(&redis->wire))
		return log_in(redis, deadline);
	return ask_role(redis, deadline);
}

/* Behind Sentinel a server that may not be written to, or whose master is away,
 * is the wrong one. */
static bool
is_fatal_here(const struct redis *redis, const struct redis_reply *reply)
{
	bool has_sentinel = redis->client->options.sentinel_count > 0;

	if (reply->trouble == REDIS_DENIED)
		return slice_has_prefix_nocase(reply->text, SLICE("NOAUTH"));
	return has_sentinel && (reply->trouble == REDIS_READONLY ||
				   reply->trouble == REDIS_MASTERDOWN);
}

/* The first error among the replies. */
static enum redis_trouble
judge_replies(struct redis *redis, struct redis_reply *const *replies,
    size_t count, bool *ret_is_fatal)
{
	for (size_t i = 0; i < count; i++) {
		if (replies[i]->trouble == REDIS_NO_TROUBLE)
			continue;
		redis_problem_set(
		    &redis->wire.problem, "%s", replies[i]->text.ptr);
		*ret_is_fatal = is_fatal_here(redis, replies[i]);
		return replies[i]->trouble;
	}
	return REDIS_NO_TROUBLE;
}

static enum redis_trouble
run(struct redis *redis, const struct redis_exchange *exchange,
    struct redis_reply ***ret_replies, bool *ret_is_broken)
{
	enum redis_trouble trouble;
	bool is_fatal = false;

	*ret_is_broken = true;
	if (!redis_client_may_try(redis->client, exchange->deadline))
		return wait_for_another(redis);
	trouble = prepare(redis, exchange->deadline);
	if (trouble == REDIS_NO_TROUBLE)
		trouble =
		    redis_wire_exchange(&redis->wire, exchange, ret_replies);
	if (end_of_wire(redis, trouble) != REDIS_NO_TROUBLE)
		return end(redis, trouble);
	trouble =
	    judge_replies(redis, *ret_replies, exchange->count, &is_fatal);
	*ret_is_broken = is_fatal;
	(void)end(redis, trouble);
	if (is_fatal) {
		redis_client_failed(redis->client, trouble);
		redis_link_close(&redis->wire.link);
	}
	return trouble;
}

enum redis_trouble
redis_pipeline(struct redis *redis, deadline_ms deadline,
    const struct redis_command *commands, size_t count, size_t most_bytes,
    struct redis_reply *const **ret_replies)
{
	struct redis_exchange exchange = {
	    commands, count, deadline, most_bytes, false};
	struct redis_reply **replies;
	bool is_broken;
	enum redis_trouble trouble =
	    run(redis, &exchange, &replies, &is_broken);

	if (trouble != REDIS_NO_TROUBLE && is_broken)
		return trouble;
	*ret_replies = replies;
	return REDIS_NO_TROUBLE;
}

enum redis_trouble
redis_call(struct redis *redis, deadline_ms deadline,
    const struct redis_command *command, const struct redis_reply **ret_reply)
{
	struct redis_exchange exchange = {
	    command, 1, deadline, REDIS_REPLY_BYTES, false};
	struct redis_reply **replies;
	bool is_broken;
	enum redis_trouble trouble =
	    run(redis, &exchange, &replies, &is_broken);

	if (trouble == REDIS_NO_TROUBLE)
		*ret_reply = replies[0];
	return trouble;
}

enum redis_trouble
redis_check(struct redis *redis, deadline_ms deadline)
{
	enum redis_trouble trouble;

	if (!redis_client_may_try(redis->client, deadline))
		return wait_for_another(redis);
	trouble = prepare(redis, deadline);
	if (trouble == REDIS_NO_TROUBLE)
		trouble = redis_login_check(
		    redis->client, &redis->wire, deadline, &redis->is_replica);
	if (redis_wire_is_open(&redis->wire))
		(void)end_of_wire(redis, REDIS_NO_TROUBLE);
	else
		(void)end_of_wire(redis, trouble);
	return end(redis, trouble);
}

/*
 * Subscriptions.
 */

/* One command for each channel, as each has its own reply. */
enum redis_trouble
redis_subscribe(struct redis *redis, deadline_ms deadline,
    const slice *channels, size_t count)
{
	slice words[count][2];
	struct redis_command commands[count];
	struct redis_exchange exchange = {
	    commands, count, deadline, REDIS_REPLY_BYTES, true};
	struct redis_reply **replies;
	bool is_broken;
	enum redis_trouble trouble;

	for (size_t i = 0; i < count; i++) {
		words[i][0] = SLICE("SUBSCRIBE");
		words[i][1] = channels[i];
		commands[i] = (struct redis_command){words[i], 2};
	}
	trouble = run(redis, &exchange, &replies, &is_broken);
	if (trouble != REDIS_NO_TROUBLE)
		return trouble;
	redis->is_subscribed = true;
	redis->heard_at = deadline_now();
	redis->is_asked = false;
	return REDIS_NO_TROUBLE;
}

static enum redis_trouble
ask_alive(struct redis *redis)
{
	size_t count;
	slice ping = SLICE("*1\r\n$4\r\nPING\r\n");
	enum redis_step step = redis_link_send(&redis->wire.link, ping, &count);

	redis->is_asked = true;
	if (step == REDIS_STEP_DONE && count == ping.len)
		return REDIS_NO_TROUBLE;
	redis_problem_set(&redis->wire.problem, "PING cannot be sent");
	return REDIS_CLOSED;
}

static bool
is_message(const struct redis_reply *reply, struct redis_message *ret)
{
	if (reply->kind != REDIS_KIND_ARRAY || reply->count != 3 ||
	    !slice_eq(reply->items[0]->text, SLICE("message")))
		return false;
	*ret = (struct redis_message){
	    reply->items[1]->text, reply->items[2]->text};
	return true;
}

static deadline_ms
next_look(const struct redis *redis, deadline_ms deadline)
{
	deadline_ms look = redis->heard_at + ASK_ALIVE_MS;

	if (redis->is_asked)
		look += redis->client->options.timeout_ms;
	return look < deadline ? look : deadline;
}

/* Nothing has come by the time that was waited for. */
static enum redis_trouble
look_after(struct redis *redis)
{
	if (deadline_now() < redis->heard_at + ASK_ALIVE_MS)
		return REDIS_NO_TROUBLE;
	if (!redis->is_asked)
		return ask_alive(redis);
	if (deadline_now() < next_look(redis, deadline_in(ASK_ALIVE_MS)))
		return REDIS_NO_TROUBLE;
	redis_problem_set(&redis->wire.problem, "no answer to PING");
	return REDIS_TIMED_OUT;
}

/* One wait, until something came, the next look, or `wake_fd`. */
static enum redis_trouble
wait_once(struct redis *redis, deadline_ms deadline, int wake_fd,
    struct redis_message *ret_message, bool *ret_woken)
{
	deadline_ms until = next_look(redis, deadline);
	struct redis_reply *reply;
	enum redis_trouble trouble;

	if (!redis_resp_is_amid(redis->wire.resp))
		redis_resp_expect(redis->wire.resp, REDIS_REPLY_BYTES);
	trouble = redis_wire_wait(&redis->wire, until, wake_fd, &reply);
	if (trouble != REDIS_NO_TROUBLE)
		return trouble;
	if (reply == NULL) {
		*ret_woken = !deadline_passed(until);
		return *ret_woken ? REDIS_NO_TROUBLE : look_after(redis);
	}
	redis->heard_at = deadline_now();
	redis->is_asked = false;
	if (reply->kind == REDIS_KIND_ERROR) {
		redis_problem_set(&redis->wire.problem, "%s", reply->text.ptr);
		return reply->trouble;
	}
	(void)is_message(reply, ret_message);
	return REDIS_NO_TROUBLE;
}

enum redis_trouble
redis_wait_message(struct redis *redis, deadline_ms deadline, int wake_fd,
    struct redis_message *ret_message)
{
	enum redis_trouble trouble = REDIS_NO_TROUBLE;
	bool is_woken = false;

	*ret_message = (struct redis_message){{NULL, 0}, {NULL, 0}};
	redis->wire.problem.text[0] = '\0';
	if (!redis->is_subscribed) {
		redis_problem_set(
		    &redis->wire.problem, "nothing is subscribed");
		return REDIS_CLOSED;
	}
	while (trouble == REDIS_NO_TROUBLE && !is_woken &&
	       ret_message->channel.len == 0 && !deadline_passed(deadline))
		trouble =
		    wait_once(redis, deadline, wake_fd, ret_message, &is_woken);
	if (trouble == REDIS_NO_TROUBLE)
		return trouble;
	redis_client_failed(redis->client, trouble);
	redis_wire_reset(&redis->wire);
	return end(redis, trouble);
}
