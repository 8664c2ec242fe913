/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only mutable global of this file is the pid file, locked for as long as
 * the process lives.
 */
#include "milter/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { PID_FILE_TRIES = 10 };

static struct {
	int fd;
	char path[PATH_MAX];
} pid_file = {.fd = -1};

static bool
with_exit_code(struct error *error, int exit_code)
{
	if (error != NULL)
		error->exit_code = exit_code;
	return false;
}

bool
process_raise_file_limit(
    unsigned long floor, unsigned long *ret_limit, struct error *error)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
		(void)error_set(error, "getrlimit: %s", strerror(errno));
		return with_exit_code(error, EX_OSERR);
	}
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < floor) {
		(void)error_set(error,
		    "only %llu open files are allowed "
		    "(ulimit -n), at least %lu are needed",
		    (unsigned long long)limit.rlim_cur, floor);
		return with_exit_code(error, EX_OSERR);
	}
	*ret_limit = limit.rlim_cur > LONG_MAX ? LONG_MAX
					       : (unsigned long)limit.rlim_cur;
	return true;
}

static bool
find_user(slice name, struct identity *identity, struct error *error)
{
	const struct passwd *user;

	(void)snprintf(
	    identity->name, sizeof(identity->name), SLICE_FMT, SLICE_ARG(name));
	user = getpwnam(identity->name);
	if (user == NULL)
		return error_set(
		    error, "user: there is no user \"%s\"", identity->name);
	identity->user = user->pw_uid;
	identity->group = user->pw_gid;
	return true;
}

static bool
find_group(slice name, struct identity *identity, struct error *error)
{
	const struct group *group;
	char text[64];

	(void)snprintf(text, sizeof(text), SLICE_FMT, SLICE_ARG(name));
	group = getgrnam(text);
	if (group == NULL)
		return error_set(
		    error, "group: there is no group \"%s\"", text);
	identity->group = group->gr_gid;
	return true;
}

bool
process_find_identity(const struct settings *settings,
    struct identity *ret_identity, struct error *error)
{
	struct identity identity = {.user = geteuid(), .group = getegid()};

	if (settings->user.len > 0 &&
	    !find_user(settings->user, &identity, error))
		return with_exit_code(error, EX_NOUSER);
	if (settings->group.len > 0 &&
	    !find_group(settings->group, &identity, error))
		return with_exit_code(error, EX_NOUSER);
	identity.is_change =
	    identity.user != geteuid() || identity.group != getegid();
	if (identity.is_change && geteuid() != 0) {
		(void)error_set(error,
		    "user: only root can become \"" SLICE_FMT "\"",
		    SLICE_ARG(settings->user));
		return with_exit_code(error, EX_NOPERM);
	}
	*ret_identity = identity;
	return true;
}

static bool
is_root_out_of_reach(const struct identity *identity)
{
	if (geteuid() != identity->user || getuid() != identity->user ||
	    getegid() != identity->group || getgid() != identity->group)
		return false;
	return identity->user == 0 || (setuid(0) != 0 && seteuid(0) != 0);
}

bool
process_become(const struct identity *identity, struct error *error)
{
	int status;

	if (!identity->is_change)
		return true;
	status = identity->name[0] == '\0'
		     ? setgroups(1, &identity->group)
		     : initgroups(identity->name, identity->group);
	if (status != 0 || setgid(identity->group) != 0 ||
	    setuid(identity->user) != 0 || !is_root_out_of_reach(identity)) {
		(void)error_set(error, "user: cannot give up root's rights: %s",
		    strerror(errno));
		return with_exit_code(error, EX_OSERR);
	}
	return true;
}

/* The parent's part: the child's report, or how it died without one. */
static int
await_report(int fd, pid_t child)
{
	unsigned char status;
	ssize_t n;
	int how;

	do
		n = read(fd, &status, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return status;
	if (waitpid(child, &how, 0) == child && WIFEXITED(how) &&
	    WEXITSTATUS(how) != 0)
		return WEXITSTATUS(how);
	return EX_SOFTWARE;
}

bool
process_detach(struct detachment *ret, struct error *error)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) != 0 || (child = fork()) < 0) {
		(void)error_set(error, "cannot fork: %s", strerror(errno));
		return with_exit_code(error, EX_OSERR);
	}
	if (child > 0) {
		(void)close(fds[1]);
		*ret = (struct detachment){.is_parent = true,
		    .status = await_report(fds[0], child),
		    .report_fd = -1};
		return true;
	}
	(void)close(fds[0]);
	(void)setsid();
	*ret = (struct detachment){.report_fd = fds[1]};
	return true;
}

void
process_report(int report_fd, int status)
{
	unsigned char byte = (unsigned char)status;

	if (report_fd < 0)
		return;
	if (write(report_fd, &byte, 1) < 0)
		return; /* the parent is gone: nobody to tell */
	(void)close(report_fd);
}

void
process_leave_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	for (int standard = 0; standard <= 2; standard++)
		(void)dup2(fd, standard);
	if (fd > 2)
		(void)close(fd);
}

static bool
pid_failure(const char *path, const char *what, struct error *error)
{
	(void)error_set(
	    error, "pid_file: %s: %s: %s", path, what, strerror(errno));
	return with_exit_code(error, EX_CANTCREAT);
}

static bool
refuse_running(const char *path, int fd, struct error *error)
{
	char text[32] = "";
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? strcspn(text, "\n") : 0] = '\0';
	(void)error_set(
	    error, "pid_file: %s: already running as pid %s", path, text);
	return with_exit_code(error, EX_UNAVAILABLE);
}

/* The descriptor, or -1. */
static int
open_locked(const char *path, struct error *error)
{
	struct stat st;
	int fd = open(
	    path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);

	if (fd < 0) {
		(void)pid_failure(path, "cannot open", error);
		return -1;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		errno = EEXIST;
		(void)pid_failure(path, "is no plain file", error);
	} else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		(void)refuse_running(path, fd, error);
	} else {
		return fd;
	}
	(void)close(fd);
	return -1;
}

static bool
is_file_of(int fd, const char *path)
{
	struct stat locked;
	struct stat named;

	return fstat(fd, &locked) == 0 && lstat(path, &named) == 0 &&
	       locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

static bool
write_pid(int fd, const char *path, struct error *error)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len) {
		(void)pid_failure(path, "cannot write", error);
		(void)close(fd);
		return false;
	}
	pid_file.fd = fd;
	(void)snprintf(pid_file.path, sizeof(pid_file.path), "%s", path);
	return true;
}

/* One that goes removes the file while it holds the lock: who opened it before
 * then has the lock of a file that nobody else will find, and tries again. */
bool
process_write_pid(const char *path, struct error *error)
{
	if (*path == '\0')
		return true;
	for (int tries = 0; tries < PID_FILE_TRIES; tries++) {
		int fd = open_locked(path, error);

		if (fd < 0)
			return false;
		if (is_file_of(fd, path))
			return write_pid(fd, path, error);
		(void)close(fd);
	}
	errno = EBUSY;
	return pid_failure(path, "is removed again and again", error);
}

void
process_remove_pid(void)
{
	if (pid_file.fd < 0)
		return;
	if (unlink(pid_file.path) != 0 && ftruncate(pid_file.fd, 0) != 0)
		return; /* it stays, unlocked: stale for the next */
	(void)close(pid_file.fd);
	pid_file.fd = -1;
}

void
process_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t len = path == NULL ? 0 : strlen(path);
	int fd;

	if (len < 2 || len >= sizeof(un.sun_path))
		return;
	memcpy(un.sun_path, path, len);
	if (un.sun_path[0] == '@')
		un.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
	    (const struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	(void)close(fd);
}
