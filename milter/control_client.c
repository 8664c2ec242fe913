/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/control_client.h"

#include "base/strbuf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

static bool
fail(struct error *error, int exit_code, slice address, const char *what)
{
	(void)error_set(error, "%s: " SLICE_FMT ": %s", what,
	    SLICE_ARG(address), strerror(errno));
	error->exit_code = exit_code;
	return false;
}

static int
connect_to(slice address, struct error *error)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	slice path = slice_has_prefix_nocase(address, SLICE("unix:"))
			 ? slice_from(address, 5)
			 : address;
	int fd;

	if (path.len == 0 || path.len >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		(void)fail(error, EX_USAGE, address, "not a unix socket");
		return -1;
	}
	memcpy(sun.sun_path, path.ptr, path.len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	if (errno == EACCES || errno == EPERM)
		(void)fail(error, EX_NOPERM, address, "may not ask");
	else
		(void)fail(error, CONTROL_NOT_RUNNING, address,
		    "milterd is not running");
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static bool
send_all(int fd, slice data)
{
	while (data.len > 0) {
		ssize_t sent = send(fd, data.ptr, data.len, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		data = slice_from(data, (size_t)sent);
	}
	return shutdown(fd, SHUT_WR) == 0;
}

static bool
receive_all(int fd, struct strbuf *reply)
{
	char buffer[16 * 1024];
	ssize_t got;

	for (;;) {
		got = recv(fd, buffer, sizeof(buffer), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		strbuf_add(reply, (slice){buffer, (size_t)got});
	}
}

/* Splits the last line off: "ok" or "error EXIT TEXT". */
static bool
read_reply(slice reply, slice *ret_body, struct error *error)
{
	slice line;
	slice word;
	size_t start;

	if (reply.len > 0 && reply.ptr[reply.len - 1] == '\n')
		reply.len--;
	start = slice_last_index(reply, '\n');
	start = start == reply.len ? 0 : start + 1;
	line = slice_from(reply, start);
	*ret_body = slice_first(reply, start);
	if (slice_eq(line, SLICE("ok")))
		return true;
	if (!slice_next(&line, ' ', &word) || !slice_eq(word, SLICE("error")) ||
	    !slice_next(&line, ' ', &word) || !slice_is_number(word)) {
		(void)error_set(error, "milterd broke off its answer");
		error->exit_code = EX_PROTOCOL;
		return false;
	}
	(void)error_set(error, SLICE_FMT, SLICE_ARG(line));
	error->exit_code = (int)strtol(word.ptr, NULL, 10);
	return false;
}

bool
control_ask(slice address, slice request, struct arena *arena, slice *ret_body,
    struct error *error)
{
	struct strbuf reply;
	int fd = connect_to(address, error);
	bool is_whole;

	*ret_body = SLICE("");
	if (fd < 0)
		return false;
	strbuf_init(&reply, arena);
	/* A refusal may come before everything is sent: read on anyway. */
	(void)send_all(fd, request);
	is_whole = receive_all(fd, &reply);
	(void)close(fd);
	if (!is_whole && reply.len == 0)
		return fail(error, EX_PROTOCOL, address, "no answer");
	return read_reply(strbuf_slice(&reply), ret_body, error);
}
