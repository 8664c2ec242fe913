/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/redis_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MOST_ADDRESSES = 8, LONGEST_POLL_MS = 60 * 1000 };

/* Parts of "inet:port@host". */
struct place {
	slice path; /* of a unix socket; or: */
	slice host; /* without brackets */
	in_port_t port;
};

static const char *
read_inet(slice rest, struct place *ret)
{
	static const char shape[] = "is neither unix:/path nor inet:port@host";
	size_t at = slice_index(rest, '@');
	slice port = slice_first(rest, at);
	slice host = slice_from(rest, at + 1);
	int number =
	    slice_is_number(port) && port.len <= 5 ? atoi(port.ptr) : 0;

	if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = slice_from(slice_first(host, host.len - 1), 1);
	if (host.len == 0 || host.len > 253)
		return shape;
	if (number < 1 || number > 65535)
		return "has no port between 1 and 65535 before its @";
	*ret = (struct place){.host = host, .port = htons((in_port_t)number)};
	return NULL;
}

static const char *
read_place(slice server, struct place *ret)
{
	slice unix_type = SLICE("unix:");
	slice inet_type = SLICE("inet:");

	if (slice_has_prefix_nocase(server, inet_type))
		return read_inet(slice_from(server, inet_type.len), ret);
	*ret = (struct place){.path = slice_from(server, unix_type.len)};
	if (!slice_has_prefix_nocase(server, unix_type) || ret->path.len == 0 ||
	    ret->path.ptr[0] != '/')
		return "is neither unix:/path nor inet:port@host";
	if (ret->path.len >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "is too long for a socket's path";
	return NULL;
}

const char *
redis_judge_server(slice server)
{
	struct place place;

	return read_place(server, &place);
}

static size_t
unix_address(const struct place *place, struct redis_address *ret)
{
	struct sockaddr_un *un = (struct sockaddr_un *)(void *)&ret->at;

	*ret = (struct redis_address){.size = sizeof(*un)};
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, place->path.ptr, place->path.len);
	return 1;
}

static void
set_port(struct redis_address *address, in_port_t port)
{
	if (address->at.ss_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)&address->at)->sin6_port = port;
	else
		((struct sockaddr_in *)(void *)&address->at)->sin_port = port;
}

static size_t
numeric_address(slice host, struct redis_address *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&ret->at;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&ret->at;
	char text[INET6_ADDRSTRLEN];

	if (host.len >= sizeof(text))
		return 0;
	(void)snprintf(text, sizeof(text), SLICE_FMT, SLICE_ARG(host));
	*ret = (struct redis_address){.size = sizeof(*in)};
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		return 1;
	}
	ret->size = sizeof(*in6);
	in6->sin6_family = AF_INET6;
	return inet_pton(AF_INET6, text, &in6->sin6_addr) == 1 ? 1 : 0;
}

static size_t
find_addresses(const struct redis_ports *ports, const struct place *place,
    deadline_ms deadline, struct redis_address *ret)
{
	size_t count;

	if (place->path.len > 0)
		return unix_address(place, ret);
	count = numeric_address(place->host, &ret[0]);
	if (count == 0 && ports->find_addresses != NULL)
		count = ports->find_addresses(
		    ports->context, place->host, deadline, ret, MOST_ADDRESSES);
	for (size_t i = 0; i < count; i++)
		set_port(&ret[i], place->port);
	return count;
}

static void
set_options(int fd)
{
	int on = 1;

	/* Fails on unix sockets, which need neither. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* 0, or errno. */
static int
connect_by(int fd, const struct redis_address *address, deadline_ms deadline)
{
	struct redis_link link = {.fd = fd};
	int problem = 0;
	socklen_t size = sizeof(problem);

	if (connect(fd, (const struct sockaddr *)&address->at, address->size) ==
	    0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (redis_link_wait(&link, POLLOUT, -1, deadline) == REDIS_WAIT_OVER)
		return ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0)
		return errno;
	return problem;
}

static enum redis_trouble
connect_one(struct redis_link *link, const struct redis_address *address,
    deadline_ms deadline, struct redis_problem *problem)
{
	int fd = socket(address->at.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int why = fd < 0 ? errno : connect_by(fd, address, deadline);

	if (why == 0) {
		set_options(fd);
		link->fd = fd;
		return REDIS_NO_TROUBLE;
	}
	redis_problem_set(problem, "cannot connect: %s", strerror(why));
	if (fd >= 0)
		(void)close(fd);
	return why == ETIMEDOUT ? REDIS_TIMED_OUT : REDIS_UNREACHABLE;
}

/* Of several addresses each has an equal share of what time is left. */
static enum redis_trouble
connect_any(struct redis_link *link, const struct redis_address *addresses,
    size_t count, deadline_ms deadline, struct redis_problem *problem)
{
	enum redis_trouble trouble = REDIS_UNREACHABLE;

	for (size_t i = 0; i < count; i++) {
		deadline_ms now = deadline_now();
		deadline_ms share = (deadline - now) / (deadline_ms)(count - i);

		trouble =
		    connect_one(link, &addresses[i], now + share, problem);
		if (trouble == REDIS_NO_TROUBLE)
			return trouble;
	}
	return trouble;
}

static enum redis_trouble
shake_hands(struct redis_link *link, deadline_ms deadline,
    struct redis_problem *problem)
{
	for (;;) {
		enum redis_step step = redis_tls_handshake(link->tls);
		char why[200];

		if (step == REDIS_STEP_DONE)
			return REDIS_NO_TROUBLE;
		if (step == REDIS_STEP_WANTS_READ ||
		    step == REDIS_STEP_WANTS_WRITE) {
			short events =
			    step == REDIS_STEP_WANTS_READ ? POLLIN : POLLOUT;

			if (redis_link_wait(link, events, -1, deadline) !=
			    REDIS_WAIT_OVER)
				continue;
			redis_problem_set(problem, "TLS: no answer in time");
			return REDIS_TIMED_OUT;
		}
		redis_tls_problem(link->tls, why, sizeof(why));
		redis_problem_set(problem, "TLS: %s", why);
		return REDIS_BAD_TLS;
	}
}

enum redis_trouble
redis_link_open(struct redis_link *link, const struct redis_place *place,
    deadline_ms deadline, struct redis_problem *problem)
{
	struct redis_address addresses[MOST_ADDRESSES];
	struct redis_problem shown;
	struct place parts;
	enum redis_trouble trouble;
	size_t count;

	redis_problem_set(&shown, SLICE_FMT, SLICE_ARG(place->server));
	(void)snprintf(link->server, sizeof(link->server), "%.*s",
	    (int)sizeof(link->server) - 1, shown.text);
	if (read_place(place->server, &parts) != NULL) {
		redis_problem_set(problem, "not a server's address");
		return REDIS_UNREACHABLE;
	}
	count = find_addresses(place->ports, &parts, deadline, addresses);
	if (count == 0) {
		redis_problem_set(problem,
		    "cannot find the address of " SLICE_FMT,
		    SLICE_ARG(parts.host));
		return REDIS_UNREACHABLE;
	}
	trouble = connect_any(link, addresses, count, deadline, problem);
	if (trouble != REDIS_NO_TROUBLE || place->tls == NULL)
		return trouble;
	link->tls = redis_tls_new(place->tls, link->fd,
	    place->tls_name.len > 0 ? place->tls_name : parts.host);
	trouble = shake_hands(link, deadline, problem);
	if (trouble != REDIS_NO_TROUBLE)
		redis_link_close(link);
	return trouble;
}

void
redis_link_close(struct redis_link *link)
{
	redis_tls_free(link->tls);
	link->tls = NULL;
	if (link->fd >= 0)
		(void)close(link->fd);
	link->fd = -1;
}

static enum redis_step
step_from_errno(enum redis_step again)
{
	if (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)
		return again;
	return errno == EPIPE || errno == ECONNRESET ? REDIS_STEP_CLOSED
						     : REDIS_STEP_FAILED;
}

enum redis_step
redis_link_send(struct redis_link *link, slice bytes, size_t *ret_count)
{
	ssize_t n;

	if (link->tls != NULL)
		return redis_tls_send(link->tls, bytes, ret_count);
	n = send(link->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
	if (n < 0)
		return step_from_errno(REDIS_STEP_WANTS_WRITE);
	*ret_count = (size_t)n;
	return REDIS_STEP_DONE;
}

enum redis_step
redis_link_receive(
    struct redis_link *link, char *buffer, size_t size, size_t *ret_count)
{
	ssize_t n;

	if (link->tls != NULL)
		return redis_tls_receive(link->tls, buffer, size, ret_count);
	n = recv(link->fd, buffer, size, 0);
	if (n < 0)
		return step_from_errno(REDIS_STEP_WANTS_READ);
	*ret_count = (size_t)n;
	return n == 0 ? REDIS_STEP_CLOSED : REDIS_STEP_DONE;
}

enum redis_wait
redis_link_wait(const struct redis_link *link, short events, int wake_fd,
    deadline_ms deadline)
{
	struct pollfd fds[2] = {
	    {.fd = link->fd, .events = events},
	    {.fd = wake_fd, .events = POLLIN},
	};

	for (;;) {
		deadline_ms left = deadline - deadline_now();
		int n;

		if (left <= 0)
			return REDIS_WAIT_OVER;
		n = poll(fds, 2,
		    left < LONGEST_POLL_MS ? (int)left : LONGEST_POLL_MS);
		if (n > 0)
			return fds[0].revents != 0 ? REDIS_WAIT_READY
						   : REDIS_WAIT_WOKEN;
		if (n < 0 && errno != EINTR)
			return REDIS_WAIT_OVER;
	}
}

bool
redis_link_is_stale(const struct redis_link *link)
{
	struct pollfd fd = {.fd = link->fd, .events = POLLIN};

	/* Behind TLS there may be news of the connection itself, such as
	 * tickets, which are read with the next reply. */
	if (poll(&fd, 1, 0) <= 0)
		return false;
	if (link->tls == NULL || (fd.revents & (POLLERR | POLLHUP)) != 0)
		return true;
	return redis_tls_is_stale(link->tls);
}
