/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#define BACKLOG SOMAXCONN
#define NOBODY ((uid_t)-1)
#define NO_GROUP ((gid_t)-1)

static bool
fail(struct error *error, int exit_code, slice address, const char *what)
{
	(void)error_set(error, SLICE_FMT ": %s: %s", SLICE_ARG(address), what,
	    strerror(errno));
	error->exit_code = exit_code;
	return false;
}

bool
socket_is_unix(slice address)
{
	return slice_has_prefix_nocase(address, SLICE("unix:"));
}

static bool
unix_address(slice address, struct sockaddr_un *ret_sun, struct error *error)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	slice path = slice_from(address, 5);

	if (path.len == 0 || path.len >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return fail(error, EX_CONFIG, address, "not a socket's path");
	}
	memcpy(sun.sun_path, path.ptr, path.len);
	*ret_sun = sun;
	return true;
}

bool
socket_owner_from_settings(const struct settings *settings,
    struct socket_owner *ret_owner, struct error *error)
{
	struct socket_owner owner = {.user = NOBODY,
	    .group = NO_GROUP,
	    .user_group = NO_GROUP,
	    .mode = settings->socket_mode};
	char name[256];

	if (settings->user.len >= sizeof(name) ||
	    settings->group.len >= sizeof(name))
		return error_set(error, "user or group: name is too long");
	if (settings->user.len > 0) {
		const struct passwd *pw;

		memcpy(name, settings->user.ptr, settings->user.len);
		name[settings->user.len] = '\0';
		pw = getpwnam(name);
		if (pw == NULL)
			return error_set(error, "no such user: %s", name);
		owner.user = pw->pw_uid;
		owner.user_group = pw->pw_gid;
	}
	if (settings->group.len > 0) {
		const struct group *gr;

		memcpy(name, settings->group.ptr, settings->group.len);
		name[settings->group.len] = '\0';
		gr = getgrnam(name);
		if (gr == NULL)
			return error_set(error, "no such group: %s", name);
		owner.group = gr->gr_gid;
	}
	*ret_owner = owner;
	return true;
}

static bool
somebody_answers(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool is_alive;

	if (fd < 0)
		return true;
	/* A full backlog answers EAGAIN: somebody is there. */
	is_alive =
	    connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ||
	    errno != ECONNREFUSED;
	(void)close(fd);
	return is_alive;
}

bool
socket_remove_stale(slice address, struct error *error)
{
	struct sockaddr_un sun;
	struct stat st;

	if (!socket_is_unix(address))
		return true;
	if (!unix_address(address, &sun, error))
		return false;
	if (lstat(sun.sun_path, &st) != 0)
		return errno == ENOENT ||
		       fail(error, EX_CANTCREAT, address, "cannot look");
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return fail(error, EX_CANTCREAT, address, "is no socket");
	}
	if (somebody_answers(&sun)) {
		errno = EADDRINUSE;
		return fail(
		    error, EX_UNAVAILABLE, address, "somebody serves it");
	}
	if (unlink(sun.sun_path) != 0 && errno != ENOENT)
		return fail(error, EX_CANTCREAT, address, "cannot remove");
	return true;
}

/* A new file has our own group unless its directory passes another on. */
static gid_t
group_to_give(const char *path, const struct socket_owner *owner)
{
	struct stat st;

	if (owner->group == NO_GROUP && lstat(path, &st) == 0 &&
	    st.st_gid == getegid())
		return owner->user_group;
	return owner->group;
}

bool
socket_set_owner(
    slice address, const struct socket_owner *owner, struct error *error)
{
	struct sockaddr_un sun;
	gid_t group;

	if (!socket_is_unix(address))
		return true;
	if (!unix_address(address, &sun, error))
		return false;
	group = group_to_give(sun.sun_path, owner);
	/* A process without root's rights keeps what it has. */
	if ((owner->user != NOBODY || group != NO_GROUP) &&
	    lchown(sun.sun_path, owner->user, group) != 0 &&
	    geteuid() == 0)
		return fail(error, EX_NOPERM, address, "cannot give away");
	/* Who owns the directory may have put a link in its place. */
	if (fchmodat(AT_FDCWD, sun.sun_path, owner->mode,
		AT_SYMLINK_NOFOLLOW) != 0)
		return fail(error, EX_NOPERM, address, "cannot set its mode");
	return true;
}

void
socket_unlink(slice address)
{
	struct sockaddr_un sun;
	struct error ignored;

	if (socket_is_unix(address) && unix_address(address, &sun, &ignored))
		(void)unlink(sun.sun_path);
}

static int
listen_unix(
    slice address, const struct socket_owner *owner, struct error *error)
{
	struct sockaddr_un sun;
	mode_t old_mask;
	bool is_bound;
	int fd;

	if (!socket_remove_stale(address, error) ||
	    !unix_address(address, &sun, error))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		(void)fail(error, EX_OSERR, address, "socket");
		return -1;
	}
	old_mask = umask(0177);
	is_bound = bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0;
	(void)umask(old_mask);
	if (!is_bound)
		(void)fail(error, EX_CANTCREAT, address, "bind");
	else if (!socket_set_owner(address, owner, error))
		(void)unlink(sun.sun_path);
	else if (listen(fd, BACKLOG) == 0)
		return fd;
	else
		(void)fail(error, EX_OSERR, address, "listen");
	(void)close(fd);
	return -1;
}

/* "port@host", "host:port", "[v6]:port" to host and port; a host with
 * colons and no brackets is taken whole up to its last colon. */
static bool
split_inet(slice rest, slice *ret_host, slice *ret_port)
{
	size_t at = slice_index(rest, '@');
	size_t colon = slice_last_index(rest, ':');
	slice host;

	if (at < rest.len) {
		*ret_port = slice_first(rest, at);
		host = slice_from(rest, at + 1);
	} else if (colon < rest.len) {
		host = slice_first(rest, colon);
		*ret_port = slice_from(rest, colon + 1);
	} else {
		*ret_port = rest;
		host = SLICE("");
	}
	if (host.len >= 2 && host.ptr[0] == '[' &&
	    host.ptr[host.len - 1] == ']')
		host = (slice){host.ptr + 1, host.len - 2};
	*ret_host = slice_eq(host, SLICE("*")) ? SLICE("") : host;
	return slice_is_number(*ret_port) && ret_port->len <= 5;
}

static bool
inet_address(slice address, struct addrinfo **ret_info, struct error *error)
{
	const struct addrinfo hints = {
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	    .ai_socktype = SOCK_STREAM,
	};
	char host_text[256];
	char port_text[8];
	slice host;
	slice port;
	int problem;

	if (!slice_has_prefix_nocase(address, SLICE("inet:")) ||
	    !split_inet(slice_from(address, 5), &host, &port) ||
	    host.len >= sizeof(host_text)) {
		errno = EINVAL;
		return fail(error, EX_CONFIG, address,
		    "neither unix:/path nor inet:port@host");
	}
	(void)snprintf(
	    host_text, sizeof(host_text), SLICE_FMT, SLICE_ARG(host));
	(void)snprintf(
	    port_text, sizeof(port_text), SLICE_FMT, SLICE_ARG(port));
	problem = getaddrinfo(
	    host.len == 0 ? NULL : host_text, port_text, &hints, ret_info);
	if (problem == 0)
		return true;
	(void)error_set(
	    error, SLICE_FMT ": %s", SLICE_ARG(address), gai_strerror(problem));
	error->exit_code = EX_NOHOST;
	return false;
}

static int
listen_inet(slice address, struct error *error)
{
	struct addrinfo *info;
	const int on = 1;
	int fd;

	if (!inet_address(address, &info, error))
		return -1;
	fd = socket(
	    info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, info->ai_addr, info->ai_addrlen) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		(void)fail(error, EX_UNAVAILABLE, address, "cannot listen");
		if (fd >= 0)
			(void)close(fd);
		fd = -1;
	}
	freeaddrinfo(info);
	return fd;
}

int
socket_listen(
    slice address, const struct socket_owner *owner, struct error *error)
{
	return socket_is_unix(address) ? listen_unix(address, owner, error)
				       : listen_inet(address, error);
}
