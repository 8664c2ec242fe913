/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the parts of the client of Redis:
 *
 *   redis_client   options, passwords, when to try again
 *   redis          one connection and its requests
 *   redis_login    to connect: Sentinel, HELLO, who is the master
 *   redis_wire     bytes out, replies in, one deadline
 *   redis_link     a socket, perhaps with TLS (redis_tls) around it
 *   redis_resp     the protocol, by hiredis
 *   redis_trouble  what kind of trouble it is, and text that is safe to log
 */
#ifndef MAPS_REDIS_PRIVATE_H
#define MAPS_REDIS_PRIVATE_H

#include "maps/redis.h"
#include "maps/redis_link.h"
#include "maps/redis_resp.h"

#include <stdatomic.h>

struct redis_client {
	struct arena *arena;
	struct redis_options options;
	struct redis_ports ports;
	slice database; /* as text */
	slice password;
	slice sentinel_password;
	struct redis_tls_config *tls; /* NULL: no TLS */
	atomic_llong retry_at;	      /* 0: nothing is wrong */
	atomic_uint failures;	      /* one after the other */
	atomic_llong failed_at;
	atomic_int wire_trouble; /* the last of them */
	atomic_size_t sentinel;	 /* the first to ask */
};

/* May a request be made now? When the pause after a failure is over, one may,
 * until `deadline`, before the others. */
bool redis_client_may_try(struct redis_client *client, deadline_ms deadline);
void redis_client_failed(
    struct redis_client *client, enum redis_trouble trouble);
void redis_client_well(struct redis_client *client);

/* Is the connection of no more use after this? */
bool redis_trouble_is_fatal(enum redis_trouble trouble);
/* From the text of an error reply. */
enum redis_trouble redis_trouble_from_reply(slice text);

/* A conversation: a link and the replies that come in on it. */
struct redis_wire {
	struct redis_link link;
	struct redis_resp *resp;
	struct redis_problem problem;
};

void redis_wire_init(struct redis_wire *wire);
/* The link is closed and replies half read are forgotten. */
void redis_wire_reset(struct redis_wire *wire);
void redis_wire_done(struct redis_wire *wire);
bool redis_wire_is_open(const struct redis_wire *wire);

/* Sends the commands and gives a reply for each, within `most_bytes`; only
 * troubles of the wire are told. Replies live until the next exchange. */
struct redis_exchange {
	const struct redis_command *commands;
	size_t count;
	deadline_ms deadline;
	size_t most_bytes;
	bool more_may_come; /* behind them: messages */
};
enum redis_trouble redis_wire_exchange(struct redis_wire *wire,
    const struct redis_exchange *exchange, struct redis_reply ***ret_replies);
/* Waits for one reply that nothing was sent for; *ret_reply is NULL when the
 * deadline came first, or `wake_fd`. */
enum redis_trouble redis_wire_wait(struct redis_wire *wire,
    deadline_ms deadline, int wake_fd, struct redis_reply **ret_reply);

/* Connects the wire to the server to use, and logs in. */
enum redis_trouble redis_login(struct redis_client *client,
    struct redis_wire *wire, deadline_ms deadline, bool *ret_is_replica);
/* Asks the server once more who it is, and the sentinels whether they mean
 * it. */
enum redis_trouble redis_login_check(struct redis_client *client,
    struct redis_wire *wire, deadline_ms deadline, bool *ret_is_replica);

#endif
