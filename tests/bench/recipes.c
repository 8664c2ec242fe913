/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recipes run RCFILE MESSAGE NUMBER: parses the file once and asks the engine
 * about the message so many times; says how long that took by the clock and in
 * processor time, and the name of the folder it came to.
 *
 * recipes start MESSAGE NUMBER PROGRAM [ARGUMENT ...]: starts a program for
 * every message, with the message as its standard input, as an MTA does it;
 * says the same of it and its children.
 */
#include "maps/text.h"
#include "policy/mail_text.h"
#include "policy/recipe.h"

#include <err.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct moment {
	double seconds;
	double cpu_s;
};

static struct moment
now(int who)
{
	struct timespec at;
	struct rusage usage;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	(void)getrusage(who, &usage);
	return (struct moment){(double)at.tv_sec + (double)at.tv_nsec / 1e9,
	    (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) /
		    1e6};
}

static void
tell(struct moment began, struct moment ended, long number, const char *folder)
{
	(void)printf("{\"rate\": %.1f, \"cpu_us\": %.1f, \"folder\": \"%s\"}\n",
	    (double)number / (ended.seconds - began.seconds),
	    (ended.cpu_s - began.cpu_s) * 1e6 / (double)number, folder);
}

static slice
read_text(struct arena *arena, const char *path)
{
	struct text_file file;
	struct error error;

	if (!text_file_read(path, true, arena, &file, &error))
		errx(66, "%s", error.text);
	return file.content;
}

static const char *
run_once(struct arena *arena, const struct recipe_file *file, slice message)
{
	static const struct recipe_ports ports = {.context = NULL};
	static const struct recipe_limits limits = {0};
	size_t line = slice_index(message, '\n') + 1;
	struct mail_text split = mail_text_split(slice_from(message, line));
	const struct recipe_input input = {
	    .from_line = slice_first(message, line),
	    .header = split.header,
	    .body = split.body};
	struct recipe_result result =
	    recipe_run(arena, &file, 1, &input, &ports, &limits);

	if (result.limit != NULL || result.delivery_count != 1)
		errx(70, "limit %s, %zu deliveries",
		    result.limit != NULL ? result.limit : "none",
		    result.delivery_count);
	return result.deliveries->kind == RECIPE_DROP
		   ? "/dev/null"
		   : arena_cstr(arena, result.deliveries->name);
}

static void
run(const char *rcfile, const char *path, long number)
{
	struct arena *lasting = arena_new(0);
	struct arena *arena = arena_new(0);
	struct error error;
	struct recipe_file *file = recipe_file_read(
	    lasting, rcfile, read_text(lasting, rcfile), NULL, NULL, &error);
	slice message = read_text(lasting, path);
	struct moment began;
	struct moment ended;

	if (file == NULL)
		errx(65, "%s", error.text);
	(void)run_once(arena, file, message);
	began = now(RUSAGE_SELF);
	for (long i = 0; i < number; i++) {
		arena_reset(arena);
		(void)run_once(arena, file, message);
	}
	ended = now(RUSAGE_SELF);
	tell(began, ended, number, run_once(arena, file, message));
	recipe_file_free(file);
	arena_free(arena);
	arena_free(lasting);
}

static void
start_once(const char *path, char **argv)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	int status;
	pid_t pid;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(
	    &actions, STDIN_FILENO, path, O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(
	    &actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawn(&pid, argv[0], &actions, NULL, argv, environ) != 0)
		errx(69, "%s does not start", argv[0]);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		errx(70, "%s ends with %d", argv[0], status);
}

static void
start(const char *path, long number, char **argv)
{
	struct moment began;

	start_once(path, argv);
	began = now(RUSAGE_CHILDREN);
	for (long i = 0; i < number; i++)
		start_once(path, argv);
	tell(began, now(RUSAGE_CHILDREN), number, "");
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "run") == 0)
		run(argv[2], argv[3], atol(argv[4]));
	else if (argc > 4 && strcmp(argv[1], "start") == 0)
		start(argv[2], atol(argv[3]), argv + 4);
	else
		errx(64, "usage: recipes run|start ...");
	return EXIT_SUCCESS;
}
