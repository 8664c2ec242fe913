/* SPDX-License-Identifier: BSD-2-Clause */
/* What a server of Redis may say: to HELLO, to commands, and as messages,
 * through a socket that ends behind it. The first byte bounds the replies. */
#include "maps/redis_private.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEEPEST = 9 };

static void
look_at(const struct redis_reply *reply, int depth)
{
	if (reply == NULL || depth > DEEPEST)
		abort();
	if (reply->text.len > 0 && reply->text.ptr[reply->text.len] != '\0')
		abort();
	if ((reply->kind == REDIS_KIND_ERROR) !=
	    (reply->trouble != REDIS_NO_TROUBLE))
		abort();
	for (size_t i = 0; i < reply->count; i++)
		look_at(reply->items[i], depth + 1);
}

static bool
connect_to(struct redis_wire *wire, const uint8_t *data, size_t size)
{
	int ends[2];
	bool sent;

	redis_wire_reset(wire);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
		abort();
	wire->link.fd = ends[0];
	sent = write(ends[1], data, size) == (ssize_t)size;
	(void)shutdown(ends[1], SHUT_WR);
	/* The other end lives as long as the link's, to take what is sent. */
	(void)dup2(ends[1], 900);
	(void)close(ends[1]);
	return sent;
}

static void
converse(struct redis_wire *wire, size_t most)
{
	slice word = {"x", 1};
	struct redis_command commands[3] = {{&word, 1}, {&word, 1}, {&word, 1}};
	struct redis_exchange exchange = {
	    commands, 3, deadline_in(1000), most, true};
	struct redis_reply **replies;
	struct redis_reply *reply;

	if (redis_wire_exchange(wire, &exchange, &replies) != REDIS_NO_TROUBLE)
		return;
	for (size_t i = 0; i < exchange.count; i++)
		look_at(replies[i], 0);
	while (redis_wire_wait(wire, deadline_in(1000), -1, &reply) ==
		   REDIS_NO_TROUBLE &&
	       reply != NULL)
		look_at(reply, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct redis_client client;
	struct redis_wire wire;
	bool is_replica;

	if (size == 0)
		return 0;
	redis_wire_init(&wire);
	if (connect_to(&wire, data + 1, size - 1))
		converse(&wire, (size_t)data[0] * 64);
	if (connect_to(&wire, data + 1, size - 1))
		(void)redis_login_check(
		    &client, &wire, deadline_in(1000), &is_replica);
	redis_wire_done(&wire);
	return 0;
}
