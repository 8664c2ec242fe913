/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who owns a connection: the loop's thread while it is READING or WRITING, a
 * worker while it is WORKING. It changes hands in two queues under the
 * server's lock: `jobs` towards the workers, `done` back, with an eventfd to
 * wake the loop. While a worker has it, its descriptor is not in the epoll
 * set (a hang-up would be told over and over).
 *
 *	READING --whole request--> WORKING --reply--> WRITING --sent--> READING
 *
 * The loop looks once a second for connections that have waited too long. One
 * that is closed while events of its are still in hand is kept on `dead`
 * until they are done with.
 *
 * The list of servers is the one mutable global here: filled before there are
 * threads, emptied after they have ended.
 */
#include "milter/server.h"

#include "base/deadline.h"
#include "milter/log.h"
#include "milter/threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#define READ_BYTES ((size_t)16 * 1024)
#define ACCEPTS_AT_ONCE 64
#define EVENTS_AT_ONCE 64
#define TICK_MS 1000
#define HALF_REQUEST_MS 1000
#define COMPLAIN_EVERY_MS 10000
#define DRAIN_MS 5000

enum connection_state { READING, WORKING, WRITING };

struct connection {
	int fd; /* -1: dead */
	enum connection_state state;
	bool at_end;  /* the client sends no more */
	bool is_last; /* close once the reply is sent */
	char *input;
	size_t input_len;
	size_t input_size;
	long long since;     /* ms: when the present wait began */
	struct arena *arena; /* of the request and its reply */
	slice request;
	slice reply; /* what of it is not sent yet */
	bool has_reply;
	size_t index;		 /* in server->connections */
	struct connection *next; /* in jobs, done or dead */
};

struct queue {
	struct connection *first;
	struct connection *last;
};

struct complaint {
	deadline_ms last; /* 0: never */
	unsigned held_back;
};

struct server {
	const struct server_kind *kind; /* own_kind */
	struct server_kind own_kind;
	struct service *service;
	slice address;
	int listen_fd;
	int epoll_fd;
	int wake_fd;
	pthread_t loop;
	bool is_running;
	bool is_listening; /* the listener is in the epoll set */
	struct connection **connections;
	size_t count;
	struct connection *dead;
	struct complaint too_many;
	struct complaint misbehaved;
	deadline_ms draining_since; /* 0: not yet */

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t has_job;
	struct queue jobs;
	struct queue done;
	pthread_t *workers;
	unsigned worker_count;
	unsigned idle_workers;
	unsigned waiting_jobs;
	bool has_ended;

	struct server *next;
};

static struct server *servers;
static atomic_bool is_stopping;

/* One line every ten seconds at most, with the count of those held back. */
static void
complain(struct server *server, struct complaint *about, const char *what)
{
	deadline_ms now = deadline_now();

	if (about->last != 0 && now - about->last < COMPLAIN_EVERY_MS) {
		about->held_back++;
		return;
	}
	if (about->held_back > 0)
		log_line(LOG_WARNING, "%s: %s (and %u before)",
		    server->kind->name, what, about->held_back);
	else
		log_line(LOG_WARNING, "%s: %s", server->kind->name, what);
	about->last = now;
	about->held_back = 0;
}

static void
queue_add(struct queue *queue, struct connection *c)
{
	c->next = NULL;
	if (queue->last == NULL)
		queue->first = c;
	else
		queue->last->next = c;
	queue->last = c;
}

static struct connection *
queue_take(struct queue *queue)
{
	struct connection *c = queue->first;

	if (c == NULL)
		return NULL;
	queue->first = c->next;
	if (queue->first == NULL)
		queue->last = NULL;
	c->next = NULL;
	return c;
}

static void
wake(struct server *server)
{
	const uint64_t one = 1;
	ssize_t ignored = write(server->wake_fd, &one, sizeof(one));

	(void)ignored;
}

static bool
watch(struct server *server, int operation, int fd, uint32_t events, void *tag)
{
	struct epoll_event event = {.events = events, .data = {.ptr = tag}};

	return epoll_ctl(server->epoll_fd, operation, fd, &event) == 0;
}

/* Workers */

static void *
work(void *context)
{
	struct server *server = context;
	struct connection *c;

	(void)pthread_mutex_lock(&server->lock);
	for (;;) {
		struct strbuf reply;

		while ((c = queue_take(&server->jobs)) == NULL &&
		       !server->has_ended) {
			server->idle_workers++;
			(void)pthread_cond_wait(
			    &server->has_job, &server->lock);
			server->idle_workers--;
		}
		if (c == NULL)
			break;
		server->waiting_jobs--;
		(void)pthread_mutex_unlock(&server->lock);
		strbuf_init(&reply, c->arena);
		c->has_reply = server->kind->answer(
		    server->service, c->arena, c->request, &reply);
		c->reply = strbuf_slice(&reply);
		(void)pthread_mutex_lock(&server->lock);
		queue_add(&server->done, c);
		wake(server);
	}
	(void)pthread_mutex_unlock(&server->lock);
	return NULL;
}

/* With the lock held. */
static bool
add_worker(struct server *server)
{
	if (server->worker_count == server->kind->workers_max ||
	    !threads_start(&server->workers[server->worker_count], work, server,
		NULL))
		return false;
	server->worker_count++;
	return true;
}

static void
hand_to_worker(struct server *server, struct connection *c)
{
	c->state = WORKING;
	(void)epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	(void)pthread_mutex_lock(&server->lock);
	queue_add(&server->jobs, c);
	server->waiting_jobs++;
	/* Whoever is there serves it when no more can be had. */
	if (server->waiting_jobs > server->idle_workers)
		(void)add_worker(server);
	(void)pthread_cond_signal(&server->has_job);
	(void)pthread_mutex_unlock(&server->lock);
}

/* Connections */

static void
close_connection(struct server *server, struct connection *c)
{
	struct connection *last = server->connections[server->count - 1];

	/* Not left to close(2): whoever looks at our descriptors just then
	 * (/proc) holds the file a moment longer, and its events would come
	 * for a connection that is no more. */
	(void)epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	(void)close(c->fd);
	c->fd = -1;
	last->index = c->index;
	server->connections[c->index] = last;
	server->count--;
	c->next = server->dead;
	server->dead = c;
}

static void
bury_dead(struct server *server)
{
	while (server->dead != NULL) {
		struct connection *c = server->dead;

		server->dead = c->next;
		arena_free(c->arena);
		free(c->input);
		free(c);
	}
}

static void
close_misbehaved(struct server *server, struct connection *c, const char *what)
{
	slice excuse = server->kind->excuse;

	complain(server, &server->misbehaved, what);
	if (excuse.len > 0)
		(void)send(
		    c->fd, excuse.ptr, excuse.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	close_connection(server, c);
}

/* The whole requests that the input holds at its front. */
static void
look_for_request(struct server *server, struct connection *c)
{
	size_t len = 0;
	enum frame_result result = FRAME_PARTIAL;

	if (c->input_len > 0)
		result = server->kind->frame(
		    (slice){c->input, c->input_len}, c->at_end, &len);
	if (result == FRAME_BAD) {
		close_misbehaved(server, c, "closed a client: bad request");
	} else if (result == FRAME_PARTIAL && c->at_end) {
		close_connection(server, c);
	} else if (result == FRAME_PARTIAL &&
		   (c->input_len >= server->kind->request_max ||
		       len > server->kind->request_max)) {
		close_misbehaved(
		    server, c, "closed a client: request too long");
	} else if (result == FRAME_WHOLE) {
		c->arena = arena_new(0);
		c->request = arena_copy(c->arena, (slice){c->input, len});
		c->is_last = server->kind->is_one_shot;
		c->input_len -= len;
		memmove(c->input, c->input + len, c->input_len);
		hand_to_worker(server, c);
	}
}

static void
make_room(struct server *server, struct connection *c)
{
	size_t size = c->input_size == 0 ? 1024 : c->input_size * 2;

	if (c->input_len < c->input_size)
		return;
	if (size > server->kind->request_max)
		size = server->kind->request_max;
	c->input = xrealloc(c->input, size);
	c->input_size = size;
}

static void
on_readable(struct server *server, struct connection *c)
{
	size_t room;
	ssize_t got;

	make_room(server, c);
	room = c->input_size - c->input_len;
	got = recv(c->fd, c->input + c->input_len,
	    room < READ_BYTES ? room : READ_BYTES, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		close_connection(server, c);
		return;
	}
	if (c->input_len == 0)
		c->since = deadline_now();
	c->at_end = got == 0;
	c->input_len += (size_t)got;
	look_for_request(server, c);
}

static void
read_again(struct server *server, struct connection *c)
{
	arena_free(c->arena);
	c->arena = NULL;
	c->state = READING;
	c->since = deadline_now();
	if (c->input_len == 0) {
		free(c->input);
		c->input = NULL;
		c->input_size = 0;
	}
	if (!watch(server, EPOLL_CTL_ADD, c->fd, EPOLLIN, c))
		close_connection(server, c);
	else
		look_for_request(server, c);
}

/* In the epoll set only while the client is slow to take the reply. */
static void
write_reply(struct server *server, struct connection *c, bool is_watched)
{
	while (c->reply.len > 0) {
		ssize_t sent = send(c->fd, c->reply.ptr, c->reply.len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN &&
		    (is_watched ||
			watch(server, EPOLL_CTL_ADD, c->fd, EPOLLOUT, c)))
			return;
		if (sent < 0) {
			close_connection(server, c);
			return;
		}
		c->reply = slice_from(c->reply, (size_t)sent);
	}
	if (is_watched)
		(void)epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	if (c->is_last || atomic_load(&is_stopping))
		close_connection(server, c);
	else
		read_again(server, c);
}

static void
take_back_done(struct server *server)
{
	struct connection *c;
	uint64_t count;
	ssize_t ignored = read(server->wake_fd, &count, sizeof(count));

	(void)ignored;
	for (;;) {
		(void)pthread_mutex_lock(&server->lock);
		c = queue_take(&server->done);
		(void)pthread_mutex_unlock(&server->lock);
		if (c == NULL)
			return;
		c->state = WRITING;
		c->since = deadline_now();
		if (c->has_reply)
			write_reply(server, c, false);
		else
			close_misbehaved(
			    server, c, "closed a client: bad request");
	}
}

static bool
may_make_way(const struct connection *c, deadline_ms now)
{
	return c->state == READING &&
	       (c->input_len == 0 || now - c->since > HALF_REQUEST_MS);
}

/* Who is silent makes way for new clients sooner than who has begun. */
static bool
goes_before(const struct connection *a, const struct connection *b)
{
	bool a_is_silent = a->input_len == 0;

	if (b == NULL || a_is_silent != (b->input_len == 0))
		return b == NULL || a_is_silent;
	return a->since < b->since;
}

/* Doors full: who has been silent longest makes way, or who has long been
 * within a request. */
static bool
evict_idle(struct server *server)
{
	deadline_ms now = deadline_now();
	struct connection *chosen = NULL;

	for (size_t i = 0; i < server->count; i++) {
		struct connection *c = server->connections[i];

		if (may_make_way(c, now) && goes_before(c, chosen))
			chosen = c;
	}
	if (chosen != NULL)
		close_connection(server, chosen);
	return chosen != NULL;
}

static void
add_connection(struct server *server, int fd)
{
	struct connection *c;

	if (server->kind->admit != NULL &&
	    !server->kind->admit(server->service, fd)) {
		complain(server, &server->misbehaved,
		    "turned a client away: not permitted");
		(void)close(fd);
		return;
	}
	if (server->count == server->kind->clients_max) {
		complain(
		    server, &server->too_many, "too many clients, closed one");
		if (!evict_idle(server)) {
			(void)close(fd);
			return;
		}
	}
	c = xmalloc(sizeof(*c));
	*c = (struct connection){
	    .fd = fd, .since = deadline_now(), .index = server->count};
	server->connections[server->count++] = c;
	if (!watch(server, EPOLL_CTL_ADD, fd, EPOLLIN, c))
		close_connection(server, c);
}

/* Without descriptors accept(2) would fail at once, again and again: the
 * listener rests until the next tick. */
static void
rest_listener(struct server *server)
{
	complain(server, &server->too_many, "cannot accept, out of files");
	(void)evict_idle(server);
	(void)epoll_ctl(
	    server->epoll_fd, EPOLL_CTL_DEL, server->listen_fd, NULL);
	server->is_listening = false;
}

static void
on_client(struct server *server)
{
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(server->listen_fd, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			add_connection(server, fd);
		} else if (errno == EMFILE || errno == ENFILE ||
			   errno == ENOBUFS || errno == ENOMEM) {
			rest_listener(server);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
}

static bool
has_waited_too_long(
    const struct server_kind *kind, const struct connection *c, deadline_ms now)
{
	switch (c->state) {
	case READING:
		return now - c->since >
		       (c->input_len == 0 ? kind->idle_ms : kind->request_ms);
	case WRITING:
		return now - c->since > kind->reply_ms;
	case WORKING:
		break;
	}
	return false;
}

static void
on_tick(struct server *server)
{
	deadline_ms now = deadline_now();

	/* Downwards: a closed one's place is taken by one already seen. */
	for (size_t i = server->count; i > 0; i--) {
		struct connection *c = server->connections[i - 1];

		if (!has_waited_too_long(server->kind, c, now))
			continue;
		if (c->state == READING && c->input_len == 0)
			close_connection(server, c);
		else
			close_misbehaved(
			    server, c, "closed a client: too slow");
	}
	if (!server->is_listening)
		server->is_listening = watch(
		    server, EPOLL_CTL_ADD, server->listen_fd, EPOLLIN, NULL);
}

/* Once told to stop: no listener, no one waiting to ask. True while answers
 * are still owed. */
static bool
drain(struct server *server)
{
	bool is_owing;

	if (server->draining_since == 0) {
		server->draining_since = deadline_now();
		(void)close(server->listen_fd);
		server->listen_fd = -1;
		for (size_t i = server->count; i > 0; i--) {
			if (server->connections[i - 1]->state == READING)
				close_connection(
				    server, server->connections[i - 1]);
		}
	}
	is_owing = server->count > 0;
	return is_owing && deadline_now() - server->draining_since < DRAIN_MS;
}

static void
on_event(struct server *server, const struct epoll_event *event)
{
	struct connection *c = event->data.ptr;

	if (event->data.ptr == NULL) {
		if (server->listen_fd >= 0)
			on_client(server);
	} else if (event->data.ptr == server) {
		take_back_done(server);
	} else if (c->fd < 0 || c->state == WORKING) {
		return;
	} else if (c->state == READING) {
		on_readable(server, c);
	} else {
		write_reply(server, c, true);
	}
}

/* Nobody to wait for: until there is an event. */
static int
patience_ms(const struct server *server)
{
	if (atomic_load(&is_stopping))
		return TICK_MS / 10;
	return server->count == 0 && server->is_listening ? -1 : TICK_MS;
}

static void *
run_loop(void *context)
{
	struct server *server = context;
	struct epoll_event events[EVENTS_AT_ONCE];
	deadline_ms last_tick = deadline_now();

	while (!atomic_load(&is_stopping) || drain(server)) {
		int count = epoll_wait(server->epoll_fd, events, EVENTS_AT_ONCE,
		    patience_ms(server));

		for (int i = 0; i < count; i++)
			on_event(server, &events[i]);
		if (deadline_now() - last_tick >= TICK_MS &&
		    !atomic_load(&is_stopping)) {
			last_tick = deadline_now();
			on_tick(server);
		}
		bury_dead(server);
	}
	return NULL;
}

/* Opening and ending */

static bool
prepare(struct server *server)
{
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	server->is_listening = true;
	return server->epoll_fd >= 0 && server->wake_fd >= 0 &&
	       watch(server, EPOLL_CTL_ADD, server->listen_fd, EPOLLIN, NULL) &&
	       watch(server, EPOLL_CTL_ADD, server->wake_fd, EPOLLIN, server);
}

bool
server_open(const struct server_kind *kind, struct service *service,
    slice address, const struct socket_owner *owner, struct error *error)
{
	struct server *server;
	int fd;

	if (address.len == 0)
		return true;
	fd = socket_listen(address, owner, error);
	if (fd < 0)
		return false;
	server = xmalloc(sizeof(*server));
	*server = (struct server){
	    .own_kind = *kind,
	    .service = service,
	    .address = address,
	    .listen_fd = fd,
	    .epoll_fd = -1,
	    .wake_fd = -1,
	    .lock = PTHREAD_MUTEX_INITIALIZER,
	    .has_job = PTHREAD_COND_INITIALIZER,
	    .connections =
		xmalloc(kind->clients_max * sizeof(struct connection *)),
	    .workers = xmalloc(kind->workers_max * sizeof(pthread_t)),
	    .next = servers,
	};
	server->kind = &server->own_kind;
	servers = server;
	return true;
}

static void
run(struct server *server)
{
	bool has_worker;

	(void)pthread_mutex_lock(&server->lock);
	has_worker = add_worker(server);
	(void)pthread_mutex_unlock(&server->lock);
	server->is_running = has_worker && prepare(server) &&
			     threads_start(&server->loop, run_loop, server,
				 NULL);
	if (server->is_running)
		return;
	log_line(LOG_CRIT, "%s: cannot start, " SLICE_FMT " is closed",
	    server->kind->name, SLICE_ARG(server->address));
	(void)close(server->listen_fd);
	server->listen_fd = -1;
}

void
server_run_all(void)
{
	for (struct server *s = servers; s != NULL; s = s->next)
		run(s);
}

static void
end_threads(struct server *server)
{
	if (server->is_running) {
		wake(server);
		(void)pthread_join(server->loop, NULL);
	}
	(void)pthread_mutex_lock(&server->lock);
	server->has_ended = true;
	while (queue_take(&server->jobs) != NULL)
		server->waiting_jobs--;
	(void)pthread_cond_broadcast(&server->has_job);
	(void)pthread_mutex_unlock(&server->lock);
	for (unsigned i = 0; i < server->worker_count; i++)
		(void)pthread_join(server->workers[i], NULL);
}

static void
close_if_open(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static void
free_server(struct server *server)
{
	while (server->count > 0)
		close_connection(server, server->connections[0]);
	bury_dead(server);
	close_if_open(server->listen_fd);
	close_if_open(server->epoll_fd);
	close_if_open(server->wake_fd);
	socket_unlink(server->address);
	(void)pthread_cond_destroy(&server->has_job);
	(void)pthread_mutex_destroy(&server->lock);
	free(server->connections);
	free(server->workers);
	free(server);
}

void
server_stop_all(void)
{
	atomic_store(&is_stopping, true);
	for (struct server *s = servers; s != NULL; s = s->next) {
		if (s->is_running)
			wake(s);
	}
	while (servers != NULL) {
		struct server *server = servers;

		servers = server->next;
		end_threads(server);
		free_server(server);
	}
}

bool
server_is_stopping(void)
{
	return atomic_load(&is_stopping);
}
