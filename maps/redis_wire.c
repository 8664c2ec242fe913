/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes go out and replies come in at the same time: a server that answers
 * the first commands while the last ones are still on their way would wait for
 * its answers to be read, and we for it. Whatever moves, the deadline is
 * looked at, so that neither a drip nor a flood outlives it.
 */
#include "maps/redis_private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { CHUNK = 64 * 1024 };

void
redis_wire_init(struct redis_wire *wire)
{
	*wire =
	    (struct redis_wire){.link = {.fd = -1}, .resp = redis_resp_new()};
}

void
redis_wire_reset(struct redis_wire *wire)
{
	redis_link_close(&wire->link);
	redis_resp_restart(wire->resp);
}

void
redis_wire_done(struct redis_wire *wire)
{
	redis_link_close(&wire->link);
	redis_resp_free(wire->resp);
}

bool
redis_wire_is_open(const struct redis_wire *wire)
{
	return wire->link.fd >= 0;
}

static enum redis_trouble
fail(struct redis_wire *wire, enum redis_trouble trouble, const char *why)
{
	redis_problem_set(&wire->problem, "%s", why);
	return trouble;
}

static enum redis_trouble
fail_by_step(struct redis_wire *wire, enum redis_step step)
{
	int error = errno;
	char why[200];

	if (step == REDIS_STEP_CLOSED)
		return fail(
		    wire, REDIS_CLOSED, "the server closed the connection");
	if (wire->link.tls == NULL)
		return fail(wire, REDIS_CLOSED, strerror(error));
	redis_tls_problem(wire->link.tls, why, sizeof(why));
	redis_problem_set(&wire->problem, "TLS: %s", why);
	return REDIS_BAD_TLS;
}

static bool
is_waiting(enum redis_step step, short *events)
{
	if (step == REDIS_STEP_WANTS_READ)
		*events |= POLLIN;
	else if (step == REDIS_STEP_WANTS_WRITE)
		*events |= POLLOUT;
	else
		return false;
	return true;
}

/* A server that has closed its side may have said why before. */
static enum redis_trouble
send_some(struct redis_wire *wire, slice *out, short *events)
{
	size_t count = 0;
	enum redis_step step = redis_link_send(&wire->link, *out, &count);

	if (step == REDIS_STEP_DONE)
		*out = slice_from(*out, count);
	else if (step == REDIS_STEP_CLOSED)
		*out = SLICE("");
	else if (!is_waiting(step, events))
		return fail_by_step(wire, step);
	return REDIS_NO_TROUBLE;
}

static enum redis_trouble
receive_some(struct redis_wire *wire, bool *ret_came, short *events)
{
	char chunk[CHUNK];
	size_t count = 0;
	enum redis_step step =
	    redis_link_receive(&wire->link, chunk, sizeof(chunk), &count);

	*ret_came = false;
	if (is_waiting(step, events))
		return REDIS_NO_TROUBLE;
	if (step != REDIS_STEP_DONE)
		return fail_by_step(wire, step);
	*ret_came = true;
	if (!redis_resp_feed(wire->resp, chunk, count))
		return fail(
		    wire, REDIS_GARBAGE, "the reply is larger than it may be");
	return REDIS_NO_TROUBLE;
}

static enum redis_trouble
next_reply(struct redis_wire *wire, struct redis_reply **ret_reply)
{
	if (redis_resp_next(wire->resp, ret_reply))
		return REDIS_NO_TROUBLE;
	redis_problem_set(&wire->problem, "not a reply of Redis: %s",
	    redis_resp_problem(wire->resp));
	return REDIS_GARBAGE;
}

/* An error may come before everything was sent, and without being asked for:
 * "max number of clients reached". */
static enum redis_trouble
take_replies(struct redis_wire *wire, const struct redis_exchange *exchange,
    struct redis_reply **replies, size_t *got)
{
	while (*got < exchange->count) {
		enum redis_trouble trouble = next_reply(wire, &replies[*got]);

		if (trouble != REDIS_NO_TROUBLE)
			return trouble;
		if (replies[*got] == NULL)
			return REDIS_NO_TROUBLE;
		trouble = replies[*got]->trouble;
		if (redis_trouble_is_fatal(trouble))
			return fail(wire, trouble, replies[*got]->text.ptr);
		(*got)++;
	}
	if (!exchange->more_may_come && redis_resp_has_more(wire->resp))
		return fail(wire, REDIS_GARBAGE,
		    "more replies came than were asked for");
	return REDIS_NO_TROUBLE;
}

static enum redis_trouble
step(struct redis_wire *wire, slice *out, deadline_ms deadline)
{
	short events = 0;
	bool came;
	enum redis_trouble trouble = REDIS_NO_TROUBLE;

	if (out->len > 0)
		trouble = send_some(wire, out, &events);
	if (trouble == REDIS_NO_TROUBLE)
		trouble = receive_some(wire, &came, &events);
	if (trouble != REDIS_NO_TROUBLE || came)
		return trouble;
	if (out->len > 0)
		events |= POLLOUT;
	if (redis_link_wait(&wire->link, events, -1, deadline) ==
	    REDIS_WAIT_OVER)
		return fail(wire, REDIS_TIMED_OUT, "no answer in time");
	return REDIS_NO_TROUBLE;
}

enum redis_trouble
redis_wire_exchange(struct redis_wire *wire,
    const struct redis_exchange *exchange, struct redis_reply ***ret_replies)
{
	struct arena *arena = redis_resp_arena(wire->resp);
	struct redis_reply **replies;
	struct strbuf request;
	slice out;
	size_t got = 0;

	redis_resp_expect(wire->resp, exchange->most_bytes);
	replies = ARENA_ARRAY(arena, struct redis_reply *, exchange->count);
	strbuf_init(&request, arena);
	for (size_t i = 0; i < exchange->count; i++)
		redis_resp_format(&exchange->commands[i], &request);
	out = strbuf_slice(&request);
	while (got < exchange->count) {
		enum redis_trouble trouble =
		    step(wire, &out, exchange->deadline);

		if (trouble == REDIS_NO_TROUBLE)
			trouble = take_replies(wire, exchange, replies, &got);
		if (trouble == REDIS_NO_TROUBLE && got < exchange->count &&
		    deadline_passed(exchange->deadline))
			trouble = fail(
			    wire, REDIS_TIMED_OUT, "no full answer in time");
		if (trouble != REDIS_NO_TROUBLE)
			return trouble;
	}
	*ret_replies = replies;
	return REDIS_NO_TROUBLE;
}

enum redis_trouble
redis_wire_wait(struct redis_wire *wire, deadline_ms deadline, int wake_fd,
    struct redis_reply **ret_reply)
{
	for (;;) {
		short events = 0;
		bool came;
		enum redis_wait waited;
		enum redis_trouble trouble = next_reply(wire, ret_reply);

		if (trouble != REDIS_NO_TROUBLE || *ret_reply != NULL)
			return trouble;
		trouble = receive_some(wire, &came, &events);
		if (trouble != REDIS_NO_TROUBLE)
			return trouble;
		if (came)
			continue;
		waited =
		    redis_link_wait(&wire->link, events, wake_fd, deadline);
		if (waited != REDIS_WAIT_READY)
			return REDIS_NO_TROUBLE;
	}
}
