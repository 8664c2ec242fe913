/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of the files that aliases include travel with a generation. */
#include "milter/alias_includes.h"

#include "base/strbuf.h"
#include "tests/unit/files.h"
#include "tests/unit/policy_fixture.h"

static struct files files;
static struct fixture f;
static struct snapshot *snapshot;
static size_t warnings;

static void
set_up(void)
{
	if (!files_make_safe(&files))
		exit(77);
	fixture_init(&f);
	snapshot = snapshot_new();
	warnings = 0;
}

static void
tear_down(void)
{
	snapshot_release(snapshot);
	fixture_done(&f);
	files_remove(&files);
}

static void
count_warning(void *context, const char *text)
{
	(void)context;
	(void)text;
	warnings++;
}

/* % in the aliases is the directory. */
static void
share(const char *aliases)
{
	struct snapshot_source source = {.warn = count_warning};
	struct error error;
	struct strbuf text;

	strbuf_init(&text, f.arena);
	for (; *aliases != '\0'; aliases++) {
		if (*aliases == '%')
			strbuf_add(&text, slice_from_cstr(files.directory));
		else
			strbuf_add_char(&text, *aliases);
	}
	fixture_aliases(&f, arena_cstr(f.arena, strbuf_slice(&text)));
	ck_assert(alias_includes_add(snapshot, &f.decision, &source, &error));
}

static bool
has(const char *name)
{
	slice text;

	return alias_includes_find(
	    snapshot, slice_from_cstr(files_path(&files, name)), &text);
}

START_TEST(forms)
{
	static const char *const names[] = {"a", "b", "c", "d", "e d"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		(void)files_write(&files, names[i], "ann, bob\n");
	(void)files_write(&files, "other", "ann\n");
	share("one: :include:%/a\n"
	      "two: ann, :INCLUDE:%/b ,bob@far.test\n"
	      "three: \":include:%/c\"\n"
	      "four:\n"
	      "\tann,\n"
	      "\t:include:%/d\n"
	      "five: \":include:%/e d\"\n"
	      "file: %/other\n"
	      "program: \"|cat :include:%/other\"\n");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		ck_assert_msg(has(names[i]), "%s", names[i]);
	ck_assert(!has("other"));
	ck_assert_uint_eq(warnings, 0);
}
END_TEST

START_TEST(files_that_files_name)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
	    "# :include:%s/no\nann, :include:%s/b\n:include:%s/a\n",
	    files.directory, files.directory, files.directory);
	(void)files_write(&files, "a", text);
	(void)files_write(&files, "no", "ann\n");
	(void)snprintf(text, sizeof(text), ":include:%s/c", files.directory);
	(void)files_write(&files, "b", text);
	(void)files_write(&files, "c", "");
	share("one: :include:%/a\n");
	ck_assert(has("a") && has("b") && has("c"));
	ck_assert(!has("no"));
	ck_assert_uint_eq(
	    snapshot_find_part(snapshot, SLICE(ALIAS_INCLUDES_PART))->entries,
	    3);
}
END_TEST

/* What a server may not read, or will not, is none of the others' either. */
START_TEST(refused)
{
	char *large = xmalloc(1024 * 1024 + 1);

	memset(large, '\n', 1024 * 1024 + 1);
	(void)files_write(&files, "good", "ann\n");
	(void)files_write(&files, "unsafe", "ann\n");
	ck_assert_int_eq(chmod(files_path(&files, "unsafe"), 0666), 0);
	(void)files_write_bytes(&files, "nul", "ann\0\n", 5);
	(void)files_write_bytes(&files, "large", large, 1024 * 1024 + 1);
	free(large);
	share("one: :include:%/unsafe, :include:%/nul, :include:%/large\n"
	      "two: :include:%/nosuch, :include:nowhere, :include:%\n"
	      "three: :include:%/good\n");
	ck_assert(has("good"));
	ck_assert(!has("unsafe") && !has("nul") && !has("large"));
	ck_assert_uint_eq(warnings, 6);
}
END_TEST

/* It is a part all the same: no file is included any more. */
START_TEST(none)
{
	share("one: ann\n");
	ck_assert_uint_eq(
	    snapshot_find_part(snapshot, SLICE(ALIAS_INCLUDES_PART))->entries,
	    0);
}
END_TEST

START_TEST(too_many_bytes)
{
	size_t size = 1024 * 1024;
	char *text = xmalloc(size);
	struct strbuf aliases;
	char name[16];

	memset(text, '\n', size);
	strbuf_init(&aliases, f.arena);
	for (int i = 0; i < 18; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		(void)files_write_bytes(&files, name, text, size);
		strbuf_printf(&aliases, "a%d: :include:%%/f%d\n", i, i);
	}
	free(text);
	share(arena_cstr(f.arena, strbuf_slice(&aliases)));
	ck_assert_uint_eq(
	    snapshot_find_part(snapshot, SLICE(ALIAS_INCLUDES_PART))->bytes,
	    ALIAS_INCLUDES_BYTES_MAX);
	ck_assert_uint_eq(warnings, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("alias_includes");
	TCase *tcase = tcase_create("sharing");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, forms);
	tcase_add_test(tcase, files_that_files_name);
	tcase_add_test(tcase, refused);
	tcase_add_test(tcase, none);
	tcase_add_test(tcase, too_many_bytes);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
