/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libmilter may be about to accept on the descriptor at the moment it is
 * exchanged; the other socket does not block, so that it gets EAGAIN and
 * polls anew. It listens at a name that is removed before anybody can know
 * it.
 *
 * The only mutable global of this file is `gate`.
 */
#include "milter/gate.h"

#include "base/deadline.h"
#include "milter/log.h"
#include "milter/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

enum {
	LOOK_MS = 1000,
	LOOK_SHUT_MS = 100,
	TELL_MS = 10000,
	RESERVE_MIN = 32,
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool running;
	bool stopping;
	bool is_shut;
	bool for_good;
	bool lacks_threads; /* and so is shut */
	int listening; /* libmilter's descriptor */
	int real;      /* its socket */
	int mute;      /* the one nobody can reach */
	unsigned long limit;
	unsigned long reserve;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .listening = -1};

int
gate_next_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)close(fd);
	return fd;
}

static bool
is_listening(int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	return fd >= 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 &&
	       yes != 0;
}

static int
listen_unseen(void)
{
	char directory[] = "/tmp/milterd.XXXXXX";
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd;

	if (mkdtemp(directory) == NULL)
		return -1;
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/gate", directory);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    (bind(fd, (const struct sockaddr *)&un, sizeof(un)) != 0 ||
		listen(fd, 1) != 0)) {
		(void)close(fd);
		fd = -1;
	}
	(void)unlink(un.sun_path);
	(void)rmdir(directory);
	return fd;
}

static void
set_shut(bool shut)
{
	if (gate.is_shut == shut)
		return;
	if (dup3(shut ? gate.mute : gate.real, gate.listening, O_CLOEXEC) >= 0)
		gate.is_shut = shut;
}

/* Descriptors are given lowest first: the number of the next one tells how
 * many are in use, within what was closed out of turn. */
static unsigned long
descriptors_left(void)
{
	int next = gate_next_descriptor();

	return next < 0 || (unsigned long)next >= gate.limit
		   ? 0
		   : gate.limit - (unsigned long)next;
}

static void
tell_open(void)
{
	log_line(LOG_NOTICE, "%s again: new connections are taken",
	    gate.lacks_threads ? "threads can be started"
			       : "descriptors are free");
}

static void
tell_shut(unsigned long left)
{
	if (gate.lacks_threads)
		log_line(LOG_ERR,
		    "no thread can be started: new connections have to wait");
	else
		log_line(LOG_ERR,
		    "only %lu of %lu descriptors are left: "
		    "new connections have to wait",
		    left, gate.limit);
}

static void
look(int *ms_to_next_line)
{
	unsigned long left = descriptors_left();
	bool has_thread = threads_fill_reserve();

	if (!gate.is_shut && (left < gate.reserve || !has_thread)) {
		gate.lacks_threads = !has_thread;
		set_shut(true);
	} else if (gate.is_shut && !gate.for_good && has_thread &&
		   left > 2 * gate.reserve) {
		set_shut(false);
		tell_open();
		*ms_to_next_line = 0;
	}
	if (!gate.is_shut || gate.for_good)
		return;
	if (*ms_to_next_line <= 0) {
		tell_shut(left);
		*ms_to_next_line = TELL_MS;
	}
	*ms_to_next_line -= LOOK_SHUT_MS;
}

static void *
run(void *unused)
{
	int ms_to_next_line = 0;

	(void)unused;
	(void)pthread_mutex_lock(&gate.lock);
	while (!gate.stopping) {
		struct timespec at = deadline_timespec(
		    deadline_in(gate.is_shut ? LOOK_SHUT_MS : LOOK_MS));

		(void)pthread_cond_timedwait(&gate.wake, &gate.lock, &at);
		if (!gate.stopping)
			look(&ms_to_next_line);
	}
	(void)pthread_mutex_unlock(&gate.lock);
	return NULL;
}

bool
gate_start(int listening, unsigned long limit, struct error *error)
{
	if (!is_listening(listening))
		return error_set(
		    error, "libmilter's socket is not where it is expected");
	gate.mute = listen_unseen();
	gate.real = fcntl(listening, F_DUPFD_CLOEXEC, 0);
	if (gate.mute < 0 || gate.real < 0)
		return error_set(
		    error, "cannot make a socket: %s", strerror(errno));
	gate.listening = listening;
	gate.limit = limit;
	gate.reserve = limit / 16 < RESERVE_MIN ? RESERVE_MIN : limit / 16;
	if (!threads_fill_reserve())
		return error_set(error, "cannot start a thread");
	threads_init_condition(&gate.wake);
	gate.running = threads_start(&gate.thread, run, NULL, error);
	return gate.running;
}

void
gate_shut_for_threads(void)
{
	(void)pthread_mutex_lock(&gate.lock);
	if (gate.listening >= 0 && !gate.is_shut) {
		gate.lacks_threads = true;
		set_shut(true);
		(void)pthread_cond_signal(&gate.wake);
	}
	(void)pthread_mutex_unlock(&gate.lock);
}

void
gate_shut_for_good(void)
{
	(void)pthread_mutex_lock(&gate.lock);
	if (gate.listening >= 0) {
		gate.for_good = true;
		set_shut(true);
	}
	(void)pthread_mutex_unlock(&gate.lock);
}

void
gate_stop(void)
{
	if (!gate.running)
		return;
	(void)pthread_mutex_lock(&gate.lock);
	gate.stopping = true;
	(void)pthread_cond_signal(&gate.wake);
	(void)pthread_mutex_unlock(&gate.lock);
	(void)pthread_join(gate.thread, NULL);
	gate.running = false;
}
