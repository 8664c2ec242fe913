/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix_spawn() and not fork(): this process has many threads and much memory.
 * It cannot set limits, so they are set from outside as soon as the program is
 * there, a moment after its first instruction.
 *
 * Who is killed and cannot be waited for at once (a process that hangs in the
 * kernel does not die) is remembered and buried with a later one: `unburied`,
 * the only mutable global of this file, guarded by `lock`.
 */
#include "milter/child.h"

#include "base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LOOK_MS = 5, /* where the system has no pidfd */
	DYING_MS = 500,
	MOST_UNBURIED = 64,
	CPU_SECONDS = 120,
	OPEN_FILES = 256,
	ADDRESS_SPACE = 1024, /* MB */
	FILE_SIZE = 1024,     /* MB */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t unburied[MOST_UNBURIED];

/* One of the child's outputs. */
struct stream {
	int fd; /* -1: at its end */
	size_t most;
	struct strbuf text;
	bool is_over;
};

struct run {
	const struct child *child;
	pid_t pid;
	int pid_fd; /* -1: none */
	int input_fd;
	slice unsent;
	struct stream output;
	struct stream errors;
	bool has_exited;
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void
remember(pid_t pid)
{
	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < MOST_UNBURIED; i++) {
		if (unburied[i] != 0)
			continue;
		unburied[i] = pid;
		break;
	}
	(void)pthread_mutex_unlock(&lock);
}

static void
bury_old_ones(void)
{
	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < MOST_UNBURIED; i++) {
		if (unburied[i] != 0 &&
		    waitpid(unburied[i], NULL, WNOHANG) != 0)
			unburied[i] = 0;
	}
	(void)pthread_mutex_unlock(&lock);
}

/*
 * Starting.
 */

/* The child's ends of its pipes; -1 where it has /dev/null. */
struct ends {
	int input;
	int output;
	int errors;
};

static bool
make_pipe(int *ret_read, int *ret_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return false;
	*ret_read = fds[0];
	*ret_write = fds[1];
	return true;
}

static bool
make_pipes(struct run *run, struct ends *ends)
{
	if (run->child->input_fd < 0 &&
	    (!make_pipe(&ends->input, &run->input_fd) ||
		fcntl(run->input_fd, F_SETFL, O_NONBLOCK) != 0))
		return false;
	if (run->child->keeps_output &&
	    (!make_pipe(&run->output.fd, &ends->output) ||
		fcntl(run->output.fd, F_SETFL, O_NONBLOCK) != 0))
		return false;
	return make_pipe(&run->errors.fd, &ends->errors) &&
	       fcntl(run->errors.fd, F_SETFL, O_NONBLOCK) == 0;
}

static int
add_files(posix_spawn_file_actions_t *actions, const struct child *child,
    const struct ends *ends)
{
	int input = child->input_fd >= 0 ? child->input_fd : ends->input;
	int problem = posix_spawn_file_actions_adddup2(actions, input, 0);

	if (problem == 0 && ends->output >= 0)
		problem =
		    posix_spawn_file_actions_adddup2(actions, ends->output, 1);
	else if (problem == 0)
		problem =
		    posix_spawn_file_actions_adddup2(actions, ends->errors, 1);
	if (problem == 0)
		problem =
		    posix_spawn_file_actions_adddup2(actions, ends->errors, 2);
	if (problem == 0)
		problem = posix_spawn_file_actions_addclosefrom_np(actions, 3);
	if (problem == 0)
		problem = posix_spawn_file_actions_addchdir_np(
		    actions, child->directory == NULL ? "/" : child->directory);
	return problem;
}

static void
add_attributes(posix_spawnattr_t *attributes)
{
	sigset_t all;
	sigset_t none;

	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	(void)posix_spawnattr_setpgroup(attributes, 0);
	(void)posix_spawnattr_setsigdefault(attributes, &all);
	(void)posix_spawnattr_setsigmask(attributes, &none);
	(void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP |
						       POSIX_SPAWN_SETSIGDEF |
						       POSIX_SPAWN_SETSIGMASK);
}

static int
spawn(struct run *run, const struct ends *ends)
{
	const struct child *child = run->child;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int problem;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attributes);
	add_attributes(&attributes);
	problem = add_files(&actions, child, ends);
	if (problem == 0)
		problem = posix_spawn(&run->pid, child->path, &actions,
		    &attributes, child->argv, child->environment);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return problem;
}

static void
set_limits(pid_t pid)
{
	const rlim_t mb = 1024UL * 1024;
	const struct {
		__rlimit_resource_t what; /* of glibc */
		rlim_t most;
	} limits[] = {
	    {RLIMIT_CORE, 0},
	    {RLIMIT_CPU, CPU_SECONDS},
	    {RLIMIT_NOFILE, OPEN_FILES},
	    {RLIMIT_AS, ADDRESS_SPACE * mb},
	    {RLIMIT_FSIZE, FILE_SIZE * mb},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct rlimit limit;

		if (prlimit(pid, limits[i].what, NULL, &limit) != 0)
			continue;
		if (limit.rlim_max > limits[i].most)
			limit.rlim_max = limits[i].most;
		if (limit.rlim_cur > limit.rlim_max)
			limit.rlim_cur = limit.rlim_max;
		(void)prlimit(pid, limits[i].what, &limit, NULL);
	}
}

static void
send_input(struct run *run)
{
	ssize_t n = 0;

	if (run->unsent.len > 0)
		n = write(run->input_fd, run->unsent.ptr, run->unsent.len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		run->unsent = slice_from(run->unsent, (size_t)n);
	/* Whoever reads no more (EPIPE) is told no more. */
	if (n < 0 || run->unsent.len == 0)
		close_fd(&run->input_fd);
}

/* What fits into the pipe is in it before there is anybody to read it: whether
 * a child that reads nothing ends early makes no difference. */
static int
start(struct run *run)
{
	struct ends ends = {-1, -1, -1};
	int problem = make_pipes(run, &ends) ? 0 : errno;

	if (problem == 0 && run->input_fd >= 0)
		send_input(run);
	if (problem == 0)
		problem = spawn(run, &ends);
	close_fd(&ends.input);
	close_fd(&ends.output);
	close_fd(&ends.errors);
	if (problem != 0)
		return problem;
	if (run->child->is_limited)
		set_limits(run->pid);
	run->pid_fd = pidfd_open(run->pid, 0);
	return 0;
}

/*
 * Running.
 */

/* False when nothing was there. */
static bool
receive(struct stream *stream)
{
	char chunk[8192];
	ssize_t n = read(stream->fd, chunk, sizeof(chunk));
	size_t room = stream->most - stream->text.len;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		close_fd(&stream->fd);
		return false;
	}
	if ((size_t)n > room)
		stream->is_over = true;
	strbuf_add(
	    &stream->text, (slice){chunk, (size_t)n < room ? (size_t)n : room});
	return true;
}

static bool
has_exited(const struct run *run)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)run->pid, &info,
		   WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == run->pid;
}

/* As long as the child lives, until the deadline. */
static bool
serve_once(struct run *run)
{
	struct pollfd fds[] = {
	    {.fd = run->input_fd, .events = POLLOUT},
	    {.fd = run->output.fd, .events = POLLIN},
	    {.fd = run->errors.fd, .events = POLLIN},
	    {.fd = run->pid_fd, .events = POLLIN},
	};
	deadline_ms left = run->child->deadline - deadline_now();

	if (left <= 0)
		return false;
	if (run->pid_fd < 0 && left > LOOK_MS)
		left = LOOK_MS;
	if (left > 60000)
		left = 60000;
	(void)poll(fds, sizeof(fds) / sizeof(*fds), (int)left);
	if (fds[0].fd >= 0 && fds[0].revents != 0)
		send_input(run);
	if (fds[1].fd >= 0 && fds[1].revents != 0)
		(void)receive(&run->output);
	if (fds[2].fd >= 0 && fds[2].revents != 0)
		(void)receive(&run->errors);
	if (run->pid_fd < 0 || fds[3].revents != 0)
		run->has_exited = has_exited(run);
	return true;
}

/* What is in the pipe still: for as long as somebody who lives may write to
 * it that is not all there will be. */
static void
receive_rest(struct stream *stream)
{
	while (stream->fd >= 0 && receive(stream))
		continue;
	close_fd(&stream->fd);
}

/* True when it was; it is then gone. */
static bool
bury(struct run *run, int *ret_status)
{
	deadline_ms until = deadline_in(DYING_MS);
	pid_t found;

	while ((found = waitpid(run->pid, ret_status, WNOHANG)) == 0 &&
	       !deadline_passed(until))
		(void)poll(NULL, 0, 1);
	if (found == run->pid)
		return true;
	if (found == 0)
		remember(run->pid);
	return false;
}

static void
end(struct run *run, enum child_end why, struct child_result *ret)
{
	int status = 0;
	bool is_known;

	/* Before it is waited for: its number is nobody else's until then. */
	if (!run->has_exited || !run->child->may_leave_others)
		(void)kill(-run->pid, SIGKILL);
	is_known = bury(run, &status);
	receive_rest(&run->output);
	receive_rest(&run->errors);
	close_fd(&run->input_fd);
	close_fd(&run->pid_fd);
	ret->end = why;
	if (why != CHILD_EXITED || !is_known)
		return;
	ret->status = WEXITSTATUS(status);
	if (WIFSIGNALED(status)) {
		ret->end = CHILD_SIGNALLED;
		ret->status = WTERMSIG(status);
	}
}

static void
serve(struct run *run, struct child_result *ret)
{
	while (!run->has_exited) {
		if (!serve_once(run)) {
			end(run, CHILD_TIMEOUT, ret);
			return;
		}
		if (run->output.is_over) {
			end(run, CHILD_FLOODED, ret);
			return;
		}
	}
	end(run, CHILD_EXITED, ret);
	if (run->output.is_over)
		ret->end = CHILD_FLOODED;
}

void
child_run(
    const struct child *child, struct arena *arena, struct child_result *ret)
{
	struct run run = {.child = child,
	    .pid_fd = -1,
	    .input_fd = -1,
	    .unsent = child->input,
	    .output = {.fd = -1, .most = child->output_max},
	    .errors = {.fd = -1, .most = child->errors_max}};
	int problem;

	*ret = (struct child_result){.end = CHILD_NOT_STARTED};
	strbuf_init(&run.output.text, arena);
	strbuf_init(&run.errors.text, arena);
	bury_old_ones();
	problem = start(&run);
	if (problem != 0) {
		close_fd(&run.input_fd);
		close_fd(&run.output.fd);
		close_fd(&run.errors.fd);
		ret->status = problem;
		return;
	}
	serve(&run, ret);
	ret->output = strbuf_slice(&run.output.text);
	ret->errors = strbuf_slice(&run.errors.text);
	ret->has_read_all = run.unsent.len == 0;
}
