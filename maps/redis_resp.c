/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only file that knows hiredis, 0.14 and 1.x, and of it only the codec.
 *
 * The library calls back for every element that it has read, in order; an
 * array is called for before its elements. What these functions refuse by NULL
 * ends the reading with an error. Types of RESP3 are refused: they were not
 * asked for.
 */
#include "maps/redis_resp.h"

#include "maps/redis_private.h"

#include <hiredis/hiredis.h>
#include <stdint.h>
#include <string.h>

/* The least that an element takes on the wire, as in ":0\r\n". */
enum { LEAST_ELEMENT = 4 };

struct redis_resp {
	redisReader *reader;
	struct arena *arena;
	size_t may_come; /* bytes */
	size_t elements; /* promised by arrays, not yet here */
	const char *refused;
};

static struct redis_reply *
add_reply(const redisReadTask *task, enum redis_kind kind)
{
	struct redis_resp *resp = task->privdata;
	struct redis_reply *reply = ARENA_NEW(resp->arena, struct redis_reply);
	struct redis_reply *parent =
	    task->parent == NULL ? NULL : task->parent->obj;

	reply->kind = kind;
	if (parent != NULL) {
		parent->items[task->idx] = reply;
		resp->elements--;
	}
	return reply;
}

static void *
refuse(const redisReadTask *task, const char *why)
{
	((struct redis_resp *)task->privdata)->refused = why;
	return NULL;
}

static void *
create_string(const redisReadTask *task, char *text, size_t len)
{
	struct redis_resp *resp = task->privdata;
	struct redis_reply *reply;

	if (task->type != REDIS_REPLY_STRING &&
	    task->type != REDIS_REPLY_STATUS && task->type != REDIS_REPLY_ERROR)
		return refuse(task, "a type that was not asked for");
	reply =
	    add_reply(task, task->type == REDIS_REPLY_ERROR ? REDIS_KIND_ERROR
							    : REDIS_KIND_TEXT);
	reply->text = arena_copy(resp->arena, (slice){text, len});
	if (reply->kind == REDIS_KIND_ERROR)
		reply->trouble = redis_trouble_from_reply(reply->text);
	return reply;
}

static void *
make_array(const redisReadTask *task, size_t count)
{
	struct redis_resp *resp = task->privdata;
	struct redis_reply *reply;

	if (task->type != REDIS_REPLY_ARRAY)
		return refuse(task, "a type that was not asked for");
	if (count > resp->may_come / LEAST_ELEMENT ||
	    resp->elements + count > resp->may_come / LEAST_ELEMENT)
		return refuse(task, "an array of more than may come");
	resp->elements += count;
	reply = add_reply(task, REDIS_KIND_ARRAY);
	reply->count = count;
	reply->items = ARENA_ARRAY(resp->arena, struct redis_reply *, count);
	return reply;
}

static void *
create_integer(const redisReadTask *task, long long number)
{
	struct redis_reply *reply = add_reply(task, REDIS_KIND_NUMBER);

	reply->number = number;
	return reply;
}

static void *
create_nil(const redisReadTask *task)
{
	return add_reply(task, REDIS_KIND_NIL);
}

static void
free_nothing(void *reply)
{
	(void)reply;
}

#if HIREDIS_MAJOR >= 1
static void *
create_array(const redisReadTask *task, size_t count)
{
	return make_array(task, count);
}

static void *
create_double(const redisReadTask *task, double number, char *text, size_t len)
{
	(void)number;
	(void)text;
	(void)len;
	return refuse(task, "a type that was not asked for");
}

static void *
create_bool(const redisReadTask *task, int truth)
{
	(void)truth;
	return refuse(task, "a type that was not asked for");
}
#else
static void *
create_array(const redisReadTask *task, int count)
{
	return make_array(task, count < 0 ? SIZE_MAX : (size_t)count);
}
#endif

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_nothing,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
};

static void
start_reader(struct redis_resp *resp)
{
	resp->reader = redisReaderCreateWithFunctions(&functions);
	if (resp->reader == NULL)
		(void)xmalloc(SIZE_MAX); /* says so, and aborts */
	resp->reader->privdata = resp;
	resp->refused = NULL;
	resp->elements = 0;
}

struct redis_resp *
redis_resp_new(void)
{
	struct redis_resp *resp = xmalloc(sizeof(*resp));

	*resp = (struct redis_resp){.arena = arena_new(0)};
	start_reader(resp);
	return resp;
}

void
redis_resp_free(struct redis_resp *resp)
{
	if (resp == NULL)
		return;
	redisReaderFree(resp->reader);
	arena_free(resp->arena);
	free(resp);
}

void
redis_resp_restart(struct redis_resp *resp)
{
	redisReaderFree(resp->reader);
	start_reader(resp);
}

void
redis_resp_expect(struct redis_resp *resp, size_t most_bytes)
{
	arena_reset(resp->arena);
	resp->may_come = most_bytes;
}

bool
redis_resp_feed(struct redis_resp *resp, const char *bytes, size_t count)
{
	if (count > resp->may_come) {
		resp->refused = "more than may come";
		return false;
	}
	resp->may_come -= count;
	return redisReaderFeed(resp->reader, bytes, count) == REDIS_OK;
}

/* What is promised may lie in the reader's buffer already: the bound of arrays
 * counts that too. */
bool
redis_resp_next(struct redis_resp *resp, struct redis_reply **ret_reply)
{
	size_t buffered = resp->reader->len - resp->reader->pos;
	void *reply = NULL;
	bool read;

	resp->may_come += buffered;
	read = redisReaderGetReply(resp->reader, &reply) == REDIS_OK;
	resp->may_come -= buffered;
	if (read)
		*ret_reply = reply;
	return read;
}

bool
redis_resp_is_amid(const struct redis_resp *resp)
{
	return resp->reader->reply != NULL;
}

bool
redis_resp_has_more(const struct redis_resp *resp)
{
	return resp->reader->ridx >= 0 || resp->reader->pos < resp->reader->len;
}

const char *
redis_resp_problem(const struct redis_resp *resp)
{
	return resp->refused != NULL ? resp->refused : resp->reader->errstr;
}

struct arena *
redis_resp_arena(struct redis_resp *resp)
{
	return resp->arena;
}

void
redis_resp_format(const struct redis_command *command, struct strbuf *out)
{
	const char *words[command->count];
	size_t lengths[command->count];
	char *text;
	int len;

	for (size_t i = 0; i < command->count; i++) {
		words[i] =
		    command->words[i].len == 0 ? "" : command->words[i].ptr;
		lengths[i] = command->words[i].len;
	}
	len =
	    redisFormatCommandArgv(&text, (int)command->count, words, lengths);
	if (len < 0)
		(void)xmalloc(SIZE_MAX);
	strbuf_add(out, (slice){text, (size_t)len});
	redisFreeCommand(text);
}
