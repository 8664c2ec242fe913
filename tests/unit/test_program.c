/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs of recipes: which may run, what they are given, and that none
 * of them takes more time, output or room than it may. Nobody but root can
 * make a directory that is safe whoever runs this, so without him only the
 * refusals are tried.
 */
#include "milter/program.h"

#include "tests/unit/scratch.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static struct arena *arena;
static slice directory;

static void
write_program(const char *name, const char *text)
{
	const char *path = scratch_write(name, slice_from_cstr(text));

	ck_assert_int_eq(chmod(path, 0755), 0);
}

static void
set_up(void)
{
	arena = arena_new(0);
	scratch_make("/var/lib");
	ck_assert_int_eq(chmod(scratch, 0755), 0);
	directory = arena_copy(arena, slice_from_cstr(scratch));
	write_program(
	    "say", "#!/bin/sh\nfor a; do echo \"[$a]\"; done\ncat\nexit 3\n");
	write_program("environment", "#!/bin/sh\n/usr/bin/env | sort\n");
	write_program("hang", "#!/bin/sh\nsleep 300 &\necho $!\nwait\n");
	write_program("leave", "#!/bin/sh\nsleep 300 >/dev/null &\necho $!\n");
	write_program("flood", "#!/bin/sh\nexec cat /dev/zero\n");
	write_program("die", "#!/bin/sh\nkill -11 $$\n");
	write_program("fds", "#!/bin/sh\nls /proc/self/fd\nulimit -c\n");
	write_program("deaf", "#!/bin/sh\nexec 0<&-\nexit 0\n");
	ck_assert_int_eq(chmod(scratch_write("plain", SLICE("x")), 0644), 0);
	ck_assert_int_eq(seteuid(NOBODY), 0);
}

static void
tear_down(void)
{
	ck_assert_int_eq(seteuid(0), 0);
	scratch_remove();
	arena_free(arena);
}

static struct program_result
run_with(slice *words, size_t count, slice input, unsigned ms)
{
	slice variables[] = {SLICE("HOME=/home/u"), SLICE("LD_PRELOAD=/x.so"),
	    SLICE("PATH=/evil"), SLICE("MATCH=a b"), SLICE("PERL5OPT=-x"),
	    SLICE("HOMER=x")};
	struct program program = {.directory = directory,
	    .words = words,
	    .word_count = count,
	    .variables = variables,
	    .variable_count = 6,
	    .input = input,
	    .output_max = 100000,
	    .deadline = deadline_in(ms)};
	struct program_result result;

	program_run(&program, arena, &result);
	return result;
}

static struct program_result
run(const char *name)
{
	slice words[] = {slice_from_cstr(name)};

	return run_with(words, 1, SLICE(""), 20000);
}

static const char *
text_of(slice s)
{
	return arena_cstr(arena, s);
}

START_TEST(words_are_handed_over_as_they_are)
{
	slice words[] = {SLICE("/usr/bin/say"), SLICE("a b"), SLICE(""),
	    SLICE("$(id)"), SLICE("`id`;id>x|y&"), SLICE("-rf"), SLICE("a\nb")};
	struct program_result result = run_with(words, 7, SLICE("in\n"), 20000);

	ck_assert_int_eq(result.end, PROGRAM_EXITED);
	ck_assert_int_eq(result.status, 3);
	ck_assert_str_eq(text_of(result.output),
	    "[a b]\n[]\n[$(id)]\n[`id`;id>x|y&]\n[-rf]\n[a\nb]\nin\n");
	ck_assert(result.has_read_all);
}
END_TEST

START_TEST(variables_are_chosen)
{
	struct program_result result = run("environment");

	ck_assert_str_eq(text_of(result.output),
	    "HOME=/home/u\nLC_ALL=C\nMATCH=a b\nPATH=/usr/bin:/bin\nPWD=/\n");
}
END_TEST

static const char *const missing[] = {
    "nothing", "", ".", "..", "/", "say/", "../../bin/sh", "/bin/sh", "plain"};

START_TEST(others_are_missing)
{
	struct program_result result = run(missing[_i]);

	ck_assert_int_eq(result.end, PROGRAM_MISSING);
	ck_assert_int_eq(result.status, 127);
	ck_assert_uint_gt(result.problem.len, 0);
}
END_TEST

START_TEST(no_directory_no_programs)
{
	directory = SLICE("");
	ck_assert_int_eq(run("say").end, PROGRAM_MISSING);
}
END_TEST

START_TEST(root_runs_none)
{
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(run("say").end, PROGRAM_MISSING);
	ck_assert_ptr_nonnull(program_directory_problem(arena, directory));
	ck_assert_int_eq(seteuid(NOBODY), 0);
	ck_assert_ptr_null(program_directory_problem(arena, directory));
}
END_TEST

START_TEST(what_others_may_write_is_not_run)
{
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(scratch_path("say"), 0777), 0);
	ck_assert_int_eq(seteuid(NOBODY), 0);
	ck_assert_int_eq(run("say").end, PROGRAM_MISSING);
	ck_assert_int_eq(run("environment").end, PROGRAM_EXITED);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(scratch, 0777), 0);
	ck_assert_int_eq(seteuid(NOBODY), 0);
	ck_assert_int_eq(run("environment").end, PROGRAM_MISSING);
}
END_TEST

static void
check_dead(slice output)
{
	pid_t pid = (pid_t)atoi(text_of(output));

	ck_assert_int_gt(pid, 1);
	for (int i = 0; i < 200; i++) {
		char path[64];
		char state = 0;
		FILE *stat;

		(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		stat = fopen(path, "r");
		if (stat == NULL)
			return;
		if (fscanf(stat, "%*d %*s %c", &state) != 1)
			state = 0;
		(void)fclose(stat);
		if (state == 'Z')
			return;
		(void)usleep(10000);
	}
	ck_abort_msg("%d lives", (int)pid);
}

START_TEST(who_hangs_is_killed_with_his_children)
{
	slice words[] = {SLICE("hang")};
	deadline_ms before = deadline_now();
	struct program_result result = run_with(words, 1, SLICE(""), 500);

	ck_assert_int_eq(result.end, PROGRAM_TOO_SLOW);
	ck_assert_int_lt(deadline_now() - before, 2000);
	check_dead(result.output);
}
END_TEST

START_TEST(what_is_left_behind_is_killed)
{
	struct program_result result = run("leave");

	ck_assert_int_eq(result.end, PROGRAM_EXITED);
	check_dead(result.output);
}
END_TEST

START_TEST(who_floods_is_killed)
{
	struct program_result result = run("flood");

	ck_assert_int_eq(result.end, PROGRAM_TOO_MUCH);
	ck_assert_uint_eq(result.output.len, 100000);
}
END_TEST

START_TEST(who_dies_has_died)
{
	struct program_result result = run("die");

	ck_assert_int_eq(result.end, PROGRAM_KILLED);
	ck_assert_int_eq(result.status, 128 + SIGSEGV);
}
END_TEST

/* ls has one more for what it lists. */
START_TEST(it_has_three_descriptors_and_no_core)
{
	ck_assert_str_eq(text_of(run("fds").output), "0\n1\n2\n3\n0\n");
}
END_TEST

START_TEST(who_does_not_read_is_told_no_more)
{
	slice words[] = {SLICE("deaf")};
	char *big = arena_alloc(arena, 1000000);
	struct program_result result =
	    run_with(words, 1, (slice){big, 1000000}, 20000);

	ck_assert_int_eq(result.end, PROGRAM_EXITED);
	ck_assert_int_eq(result.status, 0);
	ck_assert(!result.has_read_all);
}
END_TEST

/* More than a pipe holds goes in and comes out. */
START_TEST(much_goes_through)
{
	slice words[] = {SLICE("say")};
	char *big = arena_alloc(arena, 90000);
	struct program_result result;

	memset(big, 'x', 90000);
	result = run_with(words, 1, (slice){big, 90000}, 20000);
	ck_assert_int_eq(result.end, PROGRAM_EXITED);
	ck_assert_uint_eq(result.output.len, 90000);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("program");
	TCase *tcase = tcase_create("program");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (geteuid() != 0) {
		(void)puts("0 passed, 0 failed: only root can make a safe "
			   "directory");
		return 77;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, words_are_handed_over_as_they_are);
	tcase_add_test(tcase, variables_are_chosen);
	tcase_add_loop_test(
	    tcase, others_are_missing, 0, sizeof(missing) / sizeof(*missing));
	tcase_add_test(tcase, no_directory_no_programs);
	tcase_add_test(tcase, root_runs_none);
	tcase_add_test(tcase, what_others_may_write_is_not_run);
	tcase_add_test(tcase, who_hangs_is_killed_with_his_children);
	tcase_add_test(tcase, what_is_left_behind_is_killed);
	tcase_add_test(tcase, who_floods_is_killed);
	tcase_add_test(tcase, who_dies_has_died);
	tcase_add_test(tcase, it_has_three_descriptors_and_no_core);
	tcase_add_test(tcase, who_does_not_read_is_told_no_more);
	tcase_add_test(tcase, much_goes_through);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
