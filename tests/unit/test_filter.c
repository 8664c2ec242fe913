/* SPDX-License-Identifier: BSD-2-Clause */
/* Recipes of a message's recipients, where no file and program is needed. */
#include "milter/filter.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is said on standard error until end_listening(). */
static int saved_stderr, said;

static void
listen_to_log(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	saved_stderr = dup(STDERR_FILENO);
	(void)dup2(ends[1], STDERR_FILENO);
	(void)close(ends[1]);
	said = ends[0];
}

static void
end_listening(char *text, size_t size)
{
	ssize_t got;

	(void)dup2(saved_stderr, STDERR_FILENO);
	(void)close(saved_stderr);
	got = read(said, text, size - 1);
	text[got < 0 ? 0 : got] = '\0';
	(void)close(said);
}

/* Two recipients, whose time is over before the first one's recipes run. */
static void
decide_too_late(struct arena *arena, bool is_dry, struct filter_result *ret)
{
	static const slice recipients[] = {
	    SLICE_INIT("<u@abc.com>"), SLICE_INIT("<ann@abc.com>")};
	static const struct settings settings;
	static const struct generation generation = {.settings = &settings};
	struct decision decision = {.arena = arena};
	struct message_input input = {.sender = SLICE("<a@other.example>"),
	    .recipients = recipients,
	    .recipient_count = 2};
	struct message_result rewriting = {.verdict.kind = VERDICT_CONTINUE};
	struct filter_job job = {.generation = &generation,
	    .decision = &decision,
	    .queue_id = SLICE("QID"),
	    .input = &input,
	    .rewriting = &rewriting,
	    .came = {.header = SLICE("Subject: s\n"), .body = SLICE("body\n")},
	    .deadline = deadline_now() - 1,
	    .is_dry = is_dry};

	edit_list_init(&rewriting.edits, arena);
	filter_decide(&job, ret);
	filter_end(ret);
}

START_TEST(late_for_recipes_names_the_limit)
{
	struct arena *arena = arena_new(0);
	struct filter_result result;
	char log[400];

	listen_to_log();
	decide_too_late(arena, false, &result);
	end_listening(log, sizeof(log));
	ck_assert_int_eq(result.verdict.kind, VERDICT_DEFER);
	ck_assert_int_eq((int)result.verdict.code, 451);
	ck_assert_uint_eq(result.count, 1);
	ck_assert(slice_eq(result.recipients[0].what, SLICE("limit=time")));
	ck_assert_msg(
	    strstr(log, "QID: recipes: limit=time\n") != NULL, "%s", log);
	arena_free(arena);
}
END_TEST

/* `milterctl explain` tells, and the maillog is not for it. */
START_TEST(explained_it_is_not_logged)
{
	struct arena *arena = arena_new(0);
	struct filter_result result;
	char log[400];

	listen_to_log();
	decide_too_late(arena, true, &result);
	end_listening(log, sizeof(log));
	ck_assert_int_eq(result.verdict.kind, VERDICT_DEFER);
	ck_assert_str_eq(log, "");
	arena_free(arena);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("filter");
	TCase *tcase = tcase_create("time");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, late_for_recipes_names_the_limit);
	tcase_add_test(tcase, explained_it_is_not_logged);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
