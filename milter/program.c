/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The number of programs that run is the only mutable global of this file,
 * guarded by its lock.
 */
#include "milter/program.h"

#include "maps/safe_file.h"
#include "milter/child.h"
#include "milter/threads.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { ERRORS_KEPT = 400, MISSING_STATUS = 127, SIGNAL_STATUS = 128 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_once_t once;
	unsigned count;
} running = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static void
init_running(void)
{
	threads_init_condition(&running.changed);
}

/* False when there is no room until the deadline. */
static bool
find_room(deadline_ms deadline)
{
	struct timespec until = deadline_timespec(deadline);
	bool has_room;

	(void)pthread_once(&running.once, init_running);
	(void)pthread_mutex_lock(&running.lock);
	while (running.count >= PROGRAMS_MAX &&
	       pthread_cond_timedwait(
		   &running.changed, &running.lock, &until) == 0)
		continue;
	has_room = running.count < PROGRAMS_MAX;
	if (has_room)
		running.count++;
	(void)pthread_mutex_unlock(&running.lock);
	return has_room;
}

static void
leave_room(void)
{
	(void)pthread_mutex_lock(&running.lock);
	running.count--;
	(void)pthread_cond_signal(&running.changed);
	(void)pthread_mutex_unlock(&running.lock);
}

static const char *
file_problem(struct arena *arena, const char *path, mode_t type)
{
	struct error error;
	struct stat st;

	if (stat(path, &st) != 0)
		return strerror(errno);
	if ((st.st_mode & S_IFMT) != type)
		return type == S_IFDIR ? "not a directory" : "not a program";
	if (access(path, X_OK) != 0)
		return strerror(errno);
	if (safe_file_check(path, &st, &error))
		return NULL;
	return arena_printf(arena, "%s: %s", error.file, error.text).ptr;
}

const char *
program_directory_problem(struct arena *arena, slice directory)
{
	if (geteuid() == 0)
		return "milterd runs as root, and root runs no programs of "
		       "recipes: set \"user\"";
	return file_problem(arena, arena_cstr(arena, directory), S_IFDIR);
}

static void
set_missing(struct program_result *ret, slice problem)
{
	ret->end = PROGRAM_MISSING;
	ret->status = MISSING_STATUS;
	ret->problem = problem;
}

/* NULL: it cannot be run, and *ret says why. */
static const char *
find_program(const struct program *program, struct arena *arena,
    struct program_result *ret)
{
	slice word = program->word_count == 0 ? SLICE("") : program->words[0];
	slice name = slice_from(word, slice_last_index(word, '/') + 1);
	const char *problem;
	const char *path;

	if (slice_last_index(word, '/') == word.len)
		name = word;
	if (program->directory.len == 0)
		problem = "there is no program_directory";
	else if (name.len == 0 || name.ptr[0] == '.' ||
		 memchr(name.ptr, '\0', name.len) != NULL)
		problem = "no name of a program";
	else
		problem = program_directory_problem(arena, program->directory);
	if (problem == NULL) {
		path = arena_printf(arena, SLICE_FMT "/" SLICE_FMT,
		    SLICE_ARG(program->directory), SLICE_ARG(name))
			   .ptr;
		problem = file_problem(arena, path, S_IFREG);
	}
	if (problem == NULL)
		return path;
	set_missing(ret, arena_printf(arena, SLICE_FMT ": %s",
			     SLICE_ARG(name.len == 0 ? word : name), problem));
	return NULL;
}

static bool
is_passed_on(slice variable)
{
	static const char *const names[] = {"CC", "DEFAULT", "EXTENSION",
	    "FROM", "HOME", "HOST", "LASTFOLDER", "LOGNAME", "MAILDIR", "MATCH",
	    "ORGMAIL", "PROCMAIL_VERSION", "RECIPIENT", "SENDER", "SENDMAIL",
	    "SHELL", "SUBJECT", "TO", "TZ", "USER", NULL};
	slice name = slice_first(variable, slice_index(variable, '='));

	for (size_t i = 0; names[i] != NULL; i++) {
		if (slice_eq(name, slice_from_cstr(names[i])))
			return memchr(variable.ptr, '\0', variable.len) == NULL;
	}
	return false;
}

static char *const *
make_environment(const struct program *program, struct arena *arena)
{
	char **list = ARENA_ARRAY(arena, char *, program->variable_count + 3);
	size_t count = 0;

	list[count++] = arena_cstr(arena, SLICE("PATH=/usr/bin:/bin"));
	list[count++] = arena_cstr(arena, SLICE("LC_ALL=C"));
	for (size_t i = 0; i < program->variable_count; i++) {
		if (is_passed_on(program->variables[i]))
			list[count++] =
			    arena_cstr(arena, program->variables[i]);
	}
	list[count] = NULL;
	return list;
}

static char *const *
make_arguments(const struct program *program, struct arena *arena)
{
	char **list = ARENA_ARRAY(arena, char *, program->word_count + 1);

	for (size_t i = 0; i < program->word_count; i++)
		list[i] = arena_cstr(arena, program->words[i]);
	return list;
}

static void
judge(const struct child_result *child, struct arena *arena,
    struct program_result *ret)
{
	ret->output = child->output;
	ret->errors = child->errors;
	ret->has_read_all = child->has_read_all;
	ret->status = child->status;
	switch (child->end) {
	case CHILD_EXITED:
		ret->end = PROGRAM_EXITED;
		return;
	case CHILD_SIGNALLED:
		ret->end = PROGRAM_KILLED;
		ret->status = SIGNAL_STATUS + child->status;
		ret->problem = arena_printf(arena, "signal %d", child->status);
		return;
	case CHILD_TIMEOUT:
		ret->end = PROGRAM_TOO_SLOW;
		ret->problem = SLICE("took too long");
		return;
	case CHILD_FLOODED:
		ret->end = PROGRAM_TOO_MUCH;
		ret->problem = SLICE("wrote too much");
		return;
	case CHILD_NOT_STARTED:
		break;
	}
	set_missing(ret, slice_from_cstr(strerror(child->status)));
}

void
program_run(const struct program *program, struct arena *arena,
    struct program_result *ret)
{
	struct child_result result;
	struct child child = {.input_fd = -1,
	    .input = program->input,
	    .keeps_output = true,
	    .output_max = program->output_max,
	    .errors_max = ERRORS_KEPT,
	    .is_limited = true,
	    .deadline = program->deadline};

	*ret = (struct program_result){.end = PROGRAM_TOO_SLOW};
	child.path = find_program(program, arena, ret);
	if (child.path == NULL)
		return;
	child.argv = make_arguments(program, arena);
	child.environment = make_environment(program, arena);
	if (!find_room(program->deadline)) {
		ret->problem = SLICE("too many programs run already");
		return;
	}
	child_run(&child, arena, &result);
	leave_room();
	judge(&result, arena, ret);
}
