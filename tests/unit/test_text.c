/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the lines mean was measured on sendmail 8.17.1: the map lines with
 * makemap -u, the class lines with $=X in sendmail -bt. With
 * MILTERD_SENDMAIL_ROOT set to a directory that Debian's sendmail-bin package
 * was unpacked in (or to "/"), makemap is asked again, also about files made
 * up here.
 */
#include "maps/text.h"

#include "base/error.h"
#include "base/strbuf.h"
#include "maps/table.h"
#include "tests/unit/scratch.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct arena *arena;

/* What happens to a file while it is read: the reader's pread() is this. */
static struct {
	int times;
	const char *path;
	void (*happen)(const char *path);
	bool interrupted; /* the next call, by a signal */
	bool failing;
	bool slowly; /* a byte at a time */
} meanwhile;

ssize_t
pread(int fd, void *to, size_t size, off_t at)
{
	if (meanwhile.times > 0) {
		meanwhile.times--;
		meanwhile.happen(meanwhile.path);
	}
	if (meanwhile.interrupted || meanwhile.failing) {
		errno = meanwhile.interrupted ? EINTR : EIO;
		meanwhile.interrupted = false;
		return -1;
	}
	return syscall(SYS_pread64, fd, to, meanwhile.slowly ? 1 : size, at);
}

static int rests;

int
nanosleep(const struct timespec *wanted, struct timespec *left)
{
	rests++;
	return (int)syscall(SYS_nanosleep, wanted, left);
}

static void
set_up(void)
{
	memset(&meanwhile, 0, sizeof(meanwhile));
	scratch_make("/tmp");
	arena = arena_new(0);
}

static void
tear_down(void)
{
	arena_free(arena);
	scratch_remove();
}

/* ---- Lines ---- */

/* "line:key=value|" for an entry, "line~|" for a line skipped, "line!" for a
 * bad one. */
static slice
transcript(slice content,
    enum text_next (*next)(struct text_reader *, struct text_entry *))
{
	struct text_reader reader;
	struct text_entry entry = {0};
	struct strbuf told;

	strbuf_init(&told, arena);
	text_reader_init(&reader, content);
	for (;;) {
		switch (next(&reader, &entry)) {
		case TEXT_ENTRY:
			ck_assert_uint_eq(entry.line, reader.line);
			strbuf_printf(&told, "%u:" SLICE_FMT, entry.line,
			    SLICE_ARG(entry.key));
			if (entry.value.len > 0)
				strbuf_printf(&told, "=" SLICE_FMT,
				    SLICE_ARG(entry.value));
			strbuf_printf(
			    &told, reader.problem == NULL ? "|" : "~|");
			break;
		case TEXT_WARNING:
			ck_assert_ptr_nonnull(reader.problem);
			strbuf_printf(&told, "%u~|", reader.line);
			break;
		case TEXT_BAD:
			ck_assert_ptr_nonnull(reader.problem);
			strbuf_printf(&told, "%u!", reader.line);
			return strbuf_slice(&told);
		case TEXT_END:
			return strbuf_slice(&told);
		}
	}
}

static void
expect_transcript(slice content, const char *wanted,
    enum text_next (*next)(struct text_reader *, struct text_entry *))
{
	slice told = transcript(content, next);

	ck_assert_msg(slice_eq(told, slice_from_cstr(wanted)),
	    "read \"" SLICE_FMT "\" as \"" SLICE_FMT "\", not as \"%s\"",
	    SLICE_ARG(content), SLICE_ARG(told), wanted);
}

struct reading {
	slice content;
	const char *transcript;
};

static const struct reading map_readings[] = {
    {SLICE_INIT(""), ""},
    {SLICE_INIT("\n\n\n"), ""},
    {SLICE_INIT("k v\n"), "1:k=v|"},
    {SLICE_INIT("k v"), "1:k=v|"},
    {SLICE_INIT("\nk v\n\nl w\n"), "2:k=v|4:l=w|"},
    {SLICE_INIT("k\tv\n"), "1:k=v|"},
    {SLICE_INIT("k \t  v w\tx\n"), "1:k=v w\tx|"},
    {SLICE_INIT("Key VALUE\n"), "1:Key=VALUE|"},
    {SLICE_INIT("k v  \t\n"), "1:k=v  \t|"},
    {SLICE_INIT("k v\r\nl w\r\n"), "1:k=v\r|2:l=w\r|"},
    {SLICE_INIT("k\rv\n"), "1:k=v|"},
    {SLICE_INIT("k\vv\n"), "1:k=v|"},
    {SLICE_INIT("k\fv \f\n"), "1:k=v \f|"},
    {SLICE_INIT("k\xa0v w\n"), "1:k\xa0v=w|"},
    {SLICE_INIT("k\x85v \xa0w\n"), "1:k\x85v=\xa0w|"},
    {SLICE_INIT("\"a b\" c\n"), "1:\"a=b\" c|"},
    {SLICE_INIT("a\\ b\n"), "1:a\\=b|"},
    {SLICE_INIT("k v\\\n w\nl x\n"), "1:k=v\\|2~|3:l=x|"},
    {SLICE_INIT("# k v\nl w\n"), "2:l=w|"},
    {SLICE_INIT("#k v\n#\n"), ""},
    {SLICE_INIT(" # k v\n"), "1~|"},
    {SLICE_INIT("k#l v # w\n"), "1:k#l=v # w|"},
    {SLICE_INIT("k # v\n"), "1:k=# v|"},
    {SLICE_INIT("k\n"), "1~|"},
    {SLICE_INIT("k"), "1~|"},
    {SLICE_INIT("k \t \n"), "1~|"},
    {SLICE_INIT("k\r\n"), "1~|"},
    {SLICE_INIT(" k v\n"), "1~|"},
    {SLICE_INIT("\tk v\nl w\n"), "1~|2:l=w|"},
    {SLICE_INIT("   \n"), "1~|"},
    {SLICE_INIT("\r\n"), "1~|"},
    {SLICE_INIT("k v\nk w\n"), "1:k=v|2:k=w|"},
    {SLICE_INIT("k v\n\0\nl w\n"), "1:k=v|2!"},
    {SLICE_INIT("k v\0w\n"), "1!"},
    {SLICE_INIT("k v\n# c\0\n"), "1:k=v|2!"},
    {SLICE_INIT("k v\0"), "1!"},
};

START_TEST(map_lines)
{
	expect_transcript(map_readings[_i].content, map_readings[_i].transcript,
	    text_reader_next);
}
END_TEST

static const struct reading class_readings[] = {
    {SLICE_INIT(""), ""},
    {SLICE_INIT("abc.com\n"), "1:abc.com|"},
    {SLICE_INIT("abc.com"), "1:abc.com|"},
    {SLICE_INIT("\n\nUPPER.Two\n"), "3:UPPER.Two|"},
    {SLICE_INIT("  a.b\n\tc.d\n"), "1:a.b|2:c.d|"},
    {SLICE_INIT("a.b \t\nc.d\r\n"), "1:a.b|2:c.d|"},
    {SLICE_INIT("a.b two words\n"), "1:a.b~|"},
    {SLICE_INIT("a.b # why\n"), "1:a.b|"},
    {SLICE_INIT("a.b #\n"), "1:a.b|"},
    {SLICE_INIT("a#b\n"), "1:a#b|"},
    {SLICE_INIT("# a.b\n#c.d\n"), ""},
    {SLICE_INIT("  # a.b\n"), ""},
    {SLICE_INIT("   \n\r\n\t\n"), ""},
    {SLICE_INIT("a\fb\n"), "1:a~|"},
    {SLICE_INIT("a\vb\n"), "1:a~|"},
    {SLICE_INIT("\xe4.de\n"), "1:\xe4.de|"},
    {SLICE_INIT("\"d e\"\n"), "1:\"d~|"},
    {SLICE_INIT("a.b\nc\0d\n"), "1:a.b|2!"},
};

START_TEST(class_lines)
{
	expect_transcript(class_readings[_i].content,
	    class_readings[_i].transcript, text_reader_next_word);
}
END_TEST

static const struct {
	size_t len;
	bool bad;
} lengths[] = {
    {1022, false},
    {1023, false}, /* where makemap ends */
    {TEXT_LINE_MAX, false},
    {TEXT_LINE_MAX + 1, true},
    {1024 * 1024, true},
};

/* Three lines, the second of them long. */
START_TEST(long_lines)
{
	size_t len = lengths[_i].len;
	char *content = arena_alloc(arena, len + 20);
	struct text_reader reader;
	struct text_entry entry;

	memset(content, 'v', len + 4);
	memcpy(content, "a b\nk ", 6);
	memcpy(content + 4 + len, "\nlast one\n", 10);
	text_reader_init(&reader, (slice){content, len + 14});
	ck_assert_int_eq(text_reader_next(&reader, &entry), TEXT_ENTRY);
	if (lengths[_i].bad) {
		ck_assert_int_eq(text_reader_next(&reader, &entry), TEXT_BAD);
		ck_assert_uint_eq(reader.line, 2);
		ck_assert_str_eq(
		    reader.problem, "line is longer than 65536 bytes");
		return;
	}
	ck_assert_int_eq(text_reader_next(&reader, &entry), TEXT_ENTRY);
	ck_assert_uint_eq(entry.value.len, len - 2);
	ck_assert_int_eq(text_reader_next(&reader, &entry), TEXT_ENTRY);
	ck_assert(slice_eq(entry.key, SLICE("last")));
	ck_assert_uint_eq(entry.line, 3);
}
END_TEST

/* ---- makemap itself ---- */

/* Lines that makemap and we are to read alike: no NUL, none too long. */
static const char nasty[] = "plain value here\n"
			    "tab\tvalue\ttabbed  double\n"
			    "trail value   \t \n"
			    "cr value\r\n"
			    "cronly\r\n"
			    "crkey\rvalue\n"
			    "vt\vvalue\n"
			    "ff\fvalue ff\f\n"
			    "norhs\n"
			    "norhssp   \n"
			    "\n"
			    "   \n"
			    "\r\n"
			    " lead value\n"
			    "\tcontinued?\n"
			    "# comment x\n"
			    "key#x value # not comment\n"
			    "hash # value\n"
			    " # leading comment\n"
			    "UPPER Value UPPER\n"
			    "dup one\n"
			    "Dup two\n"
			    "DUP\tthree\n"
			    "\"quoted key\" value\n"
			    "8bit\xc4\xd6key v\xe4lue\n"
			    "8BIT\xe4\xf6key v\xe4lue\n"
			    "nbsp\xa0key value\n"
			    "nbspval \xa0value\n"
			    "nel\x85value x\n"
			    "\xff\xfe v\n"
			    "ctl\x01\x7fkey \x02value\x1b\n"
			    "back\\slash val\\\n"
			    "next line\n"
			    "1.2.3.4\tOK\n"
			    "IPv6:2001:DB8::1 ok\n"
			    "[@`{Z v\n"
			    "last line nonl";

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *
sort_lines(slice content)
{
	const char **lines = ARENA_ARRAY(arena, const char *, content.len + 1);
	struct strbuf sorted;
	slice rest = content;
	slice line;
	size_t count = 0;

	strbuf_init(&sorted, arena);
	strbuf_add(&sorted, SLICE(""));
	while (slice_next(&rest, '\n', &line))
		lines[count++] = arena_cstr(arena, line);
	qsort(lines, count, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < count; i++)
		strbuf_printf(&sorted, "%s\n", lines[i]);
	return sorted.data;
}

struct dump {
	struct strbuf entries;
	struct strbuf problems; /* line numbers */
};

static bool
dump_entry(void *context, slice key, const struct map_hit *hit)
{
	struct dump *dump = context;

	strbuf_printf(&dump->entries, SLICE_FMT "\t" SLICE_FMT "\n",
	    SLICE_ARG(key), SLICE_ARG(hit->value));
	return true;
}

static void
dump_duplicate(void *context, const struct table_duplicate *duplicate)
{
	struct dump *dump = context;

	strbuf_printf(&dump->problems, "%u\n", duplicate->line);
}

static void
dump_reading(slice content, struct dump *dump)
{
	struct table_builder *builder = table_builder_new(NULL);
	struct text_reader reader;
	struct text_entry entry;
	struct table *table;
	enum text_next next;

	(void)table_builder_add_file(builder, "nasty");
	text_reader_init(&reader, content);
	while ((next = text_reader_next(&reader, &entry)) != TEXT_END) {
		ck_assert_int_ne(next, TEXT_BAD);
		if (next == TEXT_WARNING)
			strbuf_printf(&dump->problems, "%u\n", reader.line);
		else
			ck_assert(table_builder_add(builder, entry.key,
			    entry.value, 0, entry.line, NULL));
	}
	table = table_finish(builder, dump_duplicate, dump, NULL);
	ck_assert_ptr_nonnull(table);
	table_walk(table, dump_entry, dump);
	table_release(table);
}

static void
collect(FILE *file, struct strbuf *to)
{
	char bytes[4096];
	size_t n;

	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		strbuf_add(to, (slice){bytes, n});
}

/* Runs makemap in the scratch directory. */
static void
makemap(const char *root, const char *arguments, struct strbuf *output)
{
	char command[PATH_MAX * 3];
	FILE *pipe_end;

	(void)snprintf(command, sizeof(command),
	    "cd '%s' && '%s/usr/libexec/sendmail/makemap' -C ./cf %s 2>&1",
	    scratch, root, arguments);
	pipe_end = popen(command, "r");
	ck_assert_ptr_nonnull(pipe_end);
	collect(pipe_end, output);
	ck_assert_int_ne(pclose(pipe_end), -1);
}

static void
dump_makemap(const char *root, slice content, struct dump *dump)
{
	struct strbuf said;
	slice rest;
	slice line;

	(void)scratch_write("nasty", content);
	(void)scratch_write("cf", SLICE(""));
	strbuf_init(&said, arena);
	makemap(root, "hash ./nasty <nasty", &said);
	rest = strbuf_slice(&said);
	while (slice_next(&rest, '\n', &line)) {
		const char *number = strstr(arena_cstr(arena, line), ": line ");

		if (number != NULL)
			strbuf_printf(&dump->problems, "%lu\n",
			    strtoul(number + 7, NULL, 10));
	}
	makemap(root, "-u hash ./nasty", &dump->entries);
}

/* Lines of pieces that matter to a reader of lines. */
static slice
make_up(unsigned seed)
{
	static const char *const pieces[] = {" ", "\t", "\r", "\v", "\f", "#",
	    "a", "B", "k", "K", "\xc4", "\xa0", "\"", "\\", ":", "\n", "\n",
	    "key", "=", "\x1f", "v w"};
	struct strbuf text;

	strbuf_init(&text, arena);
	for (int i = 0; i < 3000; i++) {
		seed = seed * 1103515245 + 12345;
		strbuf_add(
		    &text, slice_from_cstr(
			       pieces[(seed >> 16) % (unsigned)ROWS(pieces)]));
	}
	return strbuf_slice(&text);
}

START_TEST(reads_as_makemap_does)
{
	const char *root = getenv("MILTERD_SENDMAIL_ROOT");
	slice content = _i == 0 ? SLICE(nasty) : make_up((unsigned)_i);
	struct dump ours;
	struct dump theirs;

	if (root == NULL) {
		if (_i == 0)
			(void)puts("skipped: comparison with makemap "
				   "(MILTERD_SENDMAIL_ROOT is not set)");
		return;
	}
	strbuf_init(&ours.entries, arena);
	strbuf_init(&ours.problems, arena);
	theirs = ours;
	dump_reading(content, &ours);
	dump_makemap(root, content, &theirs);
	ck_assert_uint_gt(theirs.entries.len, 0);
	ck_assert_str_eq(sort_lines(strbuf_slice(&ours.entries)),
	    sort_lines(strbuf_slice(&theirs.entries)));
	ck_assert_str_eq(sort_lines(strbuf_slice(&ours.problems)),
	    sort_lines(strbuf_slice(&theirs.problems)));
}
END_TEST

/* ---- Files ---- */

static bool
read_file(const char *path, bool allow_unsafe, struct text_file *ret_file,
    struct error *error)
{
	memset(error, 0, sizeof(*error));
	return text_file_read(path, allow_unsafe, arena, ret_file, error);
}

static void
expect_content(const char *path, slice content)
{
	struct text_file file;
	struct error error;

	ck_assert_msg(read_file(path, true, &file, &error), "%s", error.text);
	ck_assert_str_eq(file.path, path);
	ck_assert_msg(slice_eq(file.content, content), "read " SLICE_FMT,
	    SLICE_ARG(file.content));
	ck_assert_int_eq(file.stat.st_size, (off_t)content.len);
}

static void
expect_refusal(
    const char *path, bool allow_unsafe, const char *text, int exit_code)
{
	struct text_file file = {0};
	struct error error;

	ck_assert(!read_file(path, allow_unsafe, &file, &error));
	ck_assert_str_eq(error.text, text);
	ck_assert_str_eq(error.file, path);
	ck_assert_uint_eq(error.line, 0);
	ck_assert_int_eq(error.exit_code, exit_code);
	ck_assert_ptr_null(file.path);
}

START_TEST(reads_files)
{
	char *big = arena_alloc(arena, 300000);

	memset(big, 'b', 300000);
	expect_content(scratch_write("empty", SLICE("")), SLICE(""));
	expect_content(scratch_write("nul", SLICE("a\0b")), SLICE("a\0b"));
	expect_content(
	    scratch_write("big", (slice){big, 300000}), (slice){big, 300000});
	meanwhile.interrupted = true;
	expect_content(scratch_write("some", SLICE("k v\n")), SLICE("k v\n"));
	meanwhile.slowly = true;
	expect_content(scratch_write("some", SLICE("k v\n")), SLICE("k v\n"));
}
END_TEST

START_TEST(refuses_what_is_no_file)
{
	expect_refusal(scratch_path("missing"), true,
	    "cannot open: No such file or directory", EX_NOINPUT);
	expect_refusal(scratch, true, "is not a regular file", EX_NOINPUT);
	expect_refusal("/dev/zero", true, "is not a regular file", EX_NOINPUT);
	ck_assert_int_eq(mkfifo(scratch_path("fifo"), 0600), 0);
	expect_refusal(
	    scratch_path("fifo"), true, "is not a regular file", EX_NOINPUT);
	ck_assert_int_eq(symlink("loop", scratch_path("loop")), 0);
	expect_refusal(scratch_path("loop"), true,
	    "cannot open: Too many levels of symbolic links", EX_NOINPUT);
	meanwhile.failing = true;
	expect_refusal(scratch_write("broken", SLICE("k v\n")), true,
	    "cannot read: Input/output error", EX_IOERR);
}
END_TEST

/* A sparse file: nothing of it may be read. */
START_TEST(refuses_what_is_too_large)
{
	const char *path = scratch_write("huge", SLICE(""));

	ck_assert_int_eq(truncate(path, (off_t)3 << 30), 0);
	meanwhile.failing = true;
	expect_refusal(path, true, "is larger than 2 GB", EX_DATAERR);
}
END_TEST

static void
append(const char *path)
{
	FILE *file = fopen(path, "a");

	ck_assert_ptr_nonnull(file);
	(void)fputs("l w\n", file);
	(void)fclose(file);
}

static void
overwrite(const char *path)
{
	FILE *file = fopen(path, "r+");

	ck_assert_ptr_nonnull(file);
	(void)fputs("K", file);
	(void)fclose(file);
}

static void
cut_short(const char *path)
{
	ck_assert_int_eq(truncate(path, 2), 0);
}

/* As editors and makemap's own rename do. */
static void
replace(const char *path)
{
	char beside[PATH_MAX];

	(void)snprintf(beside, sizeof(beside), "%s.new", path);
	ck_assert_int_eq(rename(path, beside), 0);
}

static const struct {
	void (*happen)(const char *path);
	int times;
	const char *content; /* NULL: refused */
} changes[] = {
    {append, 1, "k v\nl w\n"},
    {append, 2, "k v\nl w\nl w\n"},
    {append, 3, NULL},
    {overwrite, 1, "K v\n"},
    {overwrite, 2, "K v\n"},
    {overwrite, 3, NULL},
    {cut_short, 1, "k "},
};

/* The file is as new as can be: what changes it may fall into the same tick
 * of the clock. */
START_TEST(file_changes_while_read)
{
	const char *path = scratch_write("file", SLICE("k v\n"));

	meanwhile.times = changes[_i].times;
	meanwhile.happen = changes[_i].happen;
	meanwhile.path = path;
	if (changes[_i].content != NULL)
		expect_content(path, slice_from_cstr(changes[_i].content));
	else
		expect_refusal(path, true,
		    "changed each time it was read; somebody is writing it",
		    EX_TEMPFAIL);
	ck_assert_int_eq(meanwhile.times, 0);
}
END_TEST

/* A change within the tick that a file was written in would not show in its
 * time; so a file is let rest, once, and an old one is not waited for. */
START_TEST(new_file_is_let_rest)
{
	const char *path = scratch_write("file", SLICE("k v\n"));
	struct timespec before = {.tv_nsec = UTIME_OMIT};
	struct timespec times[2] = {before, before};

	rests = 0;
	expect_content(path, SLICE("k v\n"));
	ck_assert_int_eq(rests, 1);
	ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &times[1]), 0);
	times[1].tv_sec -= 2;
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	expect_content(path, SLICE("k v\n"));
	ck_assert_int_eq(rests, 1);
}
END_TEST

/* Renamed away while it was read: its change time tells, and now there is no
 * such file. */
START_TEST(file_is_replaced_while_read)
{
	const char *path = scratch_write("file", SLICE("k v\n"));

	meanwhile.times = 1;
	meanwhile.happen = replace;
	meanwhile.path = path;
	expect_refusal(
	    path, true, "cannot open: No such file or directory", EX_NOINPUT);
}
END_TEST

static TCase *
lines_case(void)
{
	TCase *tcase = tcase_create("lines");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, map_lines, 0, ROWS(map_readings));
	tcase_add_loop_test(tcase, class_lines, 0, ROWS(class_readings));
	tcase_add_loop_test(tcase, long_lines, 0, ROWS(lengths));
	tcase_add_loop_test(tcase, reads_as_makemap_does, 0, 20);
	return tcase;
}

static TCase *
files_case(void)
{
	TCase *tcase = tcase_create("files");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, reads_files);
	tcase_add_test(tcase, refuses_what_is_no_file);
	tcase_add_test(tcase, refuses_what_is_too_large);
	tcase_add_loop_test(tcase, file_changes_while_read, 0, ROWS(changes));
	tcase_add_test(tcase, new_file_is_let_rest);
	tcase_add_test(tcase, file_is_replaced_while_read);
	return tcase;
}

int
main(void)
{
	Suite *suite = suite_create("text");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, lines_case());
	suite_add_tcase(suite, files_case());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
