/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only mutable global of this file is `watch`: a process has one
 * libmilter. Its lock is a leaf: nothing is called while it is held.
 */
#include "milter/watch.h"

#include "base/deadline.h"
#include "milter/threads.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SLOW_MS = 50, KICK_MS = 20 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool running;
	bool stopping;
	bool asleep; /* without a time to wake up at */
	struct watch_call *oldest;
	struct watch_call *newest;

	struct sockaddr_storage address;
	socklen_t address_len;
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

void
watch_enter(struct watch_call *call)
{
	call->since = deadline_now();
	call->newer = NULL;
	(void)pthread_mutex_lock(&watch.lock);
	call->older = watch.newest;
	if (watch.newest == NULL)
		watch.oldest = call;
	else
		watch.newest->newer = call;
	watch.newest = call;
	if (watch.asleep && watch.oldest != watch.newest)
		(void)pthread_cond_signal(&watch.wake);
	(void)pthread_mutex_unlock(&watch.lock);
}

void
watch_leave(struct watch_call *call)
{
	(void)pthread_mutex_lock(&watch.lock);
	if (call->older == NULL)
		watch.oldest = call->newer;
	else
		call->older->newer = call->newer;
	if (call->newer == NULL)
		watch.newest = call->older;
	else
		call->newer->older = call->older;
	(void)pthread_mutex_unlock(&watch.lock);
}

/* One connection to the milter's socket, closed at once. */
static void
kick(void)
{
	int fd = socket(watch.address.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	(void)connect(
	    fd, (const struct sockaddr *)&watch.address, watch.address_len);
	(void)close(fd);
}

static void
sleep_until(deadline_ms wake)
{
	struct timespec at = deadline_timespec(wake);

	(void)pthread_cond_timedwait(&watch.wake, &watch.lock, &at);
}

static void *
run(void *unused)
{
	deadline_ms next_kick = 0;

	(void)unused;
	(void)pthread_mutex_lock(&watch.lock);
	while (!watch.stopping) {
		struct watch_call *second =
		    watch.oldest == NULL ? NULL : watch.oldest->newer;
		deadline_ms due = second == NULL ? 0 : second->since + SLOW_MS;

		watch.asleep = second == NULL;
		if (second == NULL) {
			(void)pthread_cond_wait(&watch.wake, &watch.lock);
			continue;
		}
		if (due < next_kick)
			due = next_kick;
		if (deadline_now() < due) {
			sleep_until(due);
			continue;
		}
		(void)pthread_mutex_unlock(&watch.lock);
		kick();
		next_kick = deadline_now() + KICK_MS;
		(void)pthread_mutex_lock(&watch.lock);
	}
	(void)pthread_mutex_unlock(&watch.lock);
	return NULL;
}

static bool
set_unix_address(slice path, struct error *error)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	if (path.len == 0 || path.len >= sizeof(un.sun_path))
		return error_set(error,
		    "socket: \"" SLICE_FMT "\" is no path "
		    "for a socket",
		    SLICE_ARG(path));
	memcpy(un.sun_path, path.ptr, path.len);
	memcpy(&watch.address, &un, sizeof(un));
	watch.address_len = sizeof(un);
	return true;
}

/* The address to connect to a socket that is bound to any of them. */
static const char *
host_to_kick(slice host, int family, char *buffer, size_t size)
{
	if (host.len > 1 && host.ptr[0] == '[')
		host = (slice){host.ptr + 1, host.len - 2};
	if (host.len == 0 || slice_eq(host, SLICE("0.0.0.0")) ||
	    slice_eq(host, SLICE("::")))
		return family == AF_INET6 ? "::1" : "127.0.0.1";
	(void)snprintf(buffer, size, SLICE_FMT, SLICE_ARG(host));
	return buffer;
}

static bool
set_inet_address(slice where, int family, struct error *error)
{
	struct addrinfo hints = {
	    .ai_family = family, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char host[256];
	char port[32];
	size_t at = slice_index(where, '@');
	int problem;

	(void)snprintf(
	    port, sizeof(port), SLICE_FMT, SLICE_ARG(slice_first(where, at)));
	problem = getaddrinfo(
	    host_to_kick(slice_from(where, at + 1), family, host, sizeof(host)),
	    port, &hints, &found);
	if (problem != 0)
		return error_set(error, "socket: " SLICE_FMT ": %s",
		    SLICE_ARG(where), gai_strerror(problem));
	memcpy(&watch.address, found->ai_addr, found->ai_addrlen);
	watch.address_len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static bool
set_address(slice socket, struct error *error)
{
	size_t colon = slice_index(socket, ':');
	slice kind = slice_first(socket, colon);
	slice where = slice_from(socket, colon + 1);

	if (slice_eq_nocase(kind, SLICE("inet")))
		return set_inet_address(where, AF_INET, error);
	if (slice_eq_nocase(kind, SLICE("inet6")))
		return set_inet_address(where, AF_INET6, error);
	return set_unix_address(colon == socket.len ? socket : where, error);
}

bool
watch_start(slice socket, struct error *error)
{
	if (!set_address(socket, error))
		return false;
	threads_init_condition(&watch.wake);
	watch.stopping = false;
	watch.running = threads_start(&watch.thread, run, NULL, error);
	return watch.running;
}

void
watch_stop(void)
{
	if (!watch.running)
		return;
	(void)pthread_mutex_lock(&watch.lock);
	watch.stopping = true;
	(void)pthread_cond_signal(&watch.wake);
	(void)pthread_mutex_unlock(&watch.lock);
	(void)pthread_join(watch.thread, NULL);
	watch.running = false;
}
