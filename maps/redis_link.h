/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stream socket to a server of Redis, with TLS around it or without. Nothing
 * blocks but what has a deadline. One thread at a time.
 */
#ifndef MAPS_REDIS_LINK_H
#define MAPS_REDIS_LINK_H

#include "maps/redis.h"
#include "maps/redis_tls.h"

/* Text that is safe to log and to show: printable ASCII, and not long. */
struct redis_problem {
	char text[256];
};
__attribute__((format(printf, 2, 3))) void redis_problem_set(
    struct redis_problem *problem, const char *format, ...);

struct redis_link {
	int fd; /* -1: closed */
	struct redis_tls *tls;
	char server[160]; /* as configured, or as Sentinel said; to show */
};

struct redis_place {
	slice server; /* "unix:/path" or "inet:port@host" */
	const struct redis_ports *ports;
	const struct redis_tls_config *tls; /* NULL: none */
	slice tls_name;			    /* empty: the host */
};

enum redis_trouble redis_link_open(struct redis_link *link,
    const struct redis_place *place, deadline_ms deadline,
    struct redis_problem *problem);
void redis_link_close(struct redis_link *link);

/* Both move what can be moved now. */
enum redis_step redis_link_send(
    struct redis_link *link, slice bytes, size_t *ret_count);
enum redis_step redis_link_receive(
    struct redis_link *link, char *buffer, size_t size, size_t *ret_count);
/* Waits for `events` of poll(2) on the link, or for `wake_fd`, unless it is
 * -1. */
enum redis_wait { REDIS_WAIT_READY, REDIS_WAIT_WOKEN, REDIS_WAIT_OVER };
enum redis_wait redis_link_wait(const struct redis_link *link, short events,
    int wake_fd, deadline_ms deadline);
/* Has the idle link been closed, or has something come that nobody asked
 * for? */
bool redis_link_is_stale(const struct redis_link *link);

#endif
