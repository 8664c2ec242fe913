/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/snapshot.h"

#include "maps/snapshot_diff.h"

#include "base/strbuf.h"
#include "maps/table.h"
#include "tests/unit/scratch.h"

#include <check.h>
#include <pthread.h>
#include <sysexits.h>
#include <unistd.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct arena *arena;
static struct strbuf warnings;
static struct snapshot *snapshot;

/* Without the scratch directory's name, which is another in each run. */
static void
note_warning(void *context, const char *text)
{
	struct strbuf *noted = context;
	size_t len = strlen(scratch);
	const char *at;

	while ((at = strstr(text, scratch)) != NULL) {
		strbuf_add(noted, (slice){text, (size_t)(at - text)});
		text = at + len + 1;
	}
	strbuf_printf(noted, "%s\n", text);
}

static const struct snapshot_source source = {
    .allow_unsafe_files = true,
    .warn = note_warning,
    .context = &warnings,
};

static void
set_up(void)
{
	scratch_make("/tmp");
	arena = arena_new(0);
	strbuf_init(&warnings, arena);
	strbuf_add(&warnings, SLICE(""));
	snapshot = snapshot_new();
}

static void
tear_down(void)
{
	snapshot_release(snapshot);
	arena_free(arena);
	scratch_remove();
}

static slice
path_slice(const char *name)
{
	return arena_copy(arena, slice_from_cstr(scratch_path(name)));
}

static slice
file_of(const char *name, const char *content)
{
	(void)scratch_write(name, slice_from_cstr(content));
	return path_slice(name);
}

static const struct map *
add_map(struct snapshot *to, const char *name, slice path)
{
	struct error error = {0};
	const struct map *map = snapshot_add_map(
	    to, slice_from_cstr(name), &path, 1, &source, &error);

	ck_assert_msg(map != NULL, "%s: %s", error.file, error.text);
	return map;
}

static void
expect(const struct map *map, const char *key, const char *value,
    const char *file, unsigned line)
{
	struct map_hit hit = {0};

	ck_assert_int_eq(
	    map_find(map, slice_from_cstr(key), arena, &hit), MAP_FOUND);
	ck_assert_msg(slice_eq(hit.value, slice_from_cstr(value)),
	    "%s: " SLICE_FMT, key, SLICE_ARG(hit.value));
	ck_assert_str_eq(map_hit_file(&hit), scratch_path(file));
	ck_assert_uint_eq(map_hit_line(&hit), line);
}

static void
expect_missing(const struct map *map, slice key)
{
	struct map_hit hit;

	ck_assert_int_eq(map_find(map, key, NULL, &hit), MAP_MISSING);
}

/* ---- Maps ---- */

START_TEST(map_from_a_file)
{
	const struct map *map = add_map(snapshot, "access",
	    file_of("access",
		"# comment\nABC.com\tRELAY\n1.2.3.4 550 5.7.1 \"No, Sir\"\n"));

	expect(map, "abc.com", "RELAY", "access", 2);
	expect(map, "aBc.COM", "RELAY", "access", 2);
	expect(map, "1.2.3.4", "550 5.7.1 \"No, Sir\"", "access", 3);
	expect_missing(map, SLICE("bc.com"));
	expect_missing(map, SLICE(""));
	expect_missing(map, (slice){NULL, 0});
	ck_assert(slice_eq(map_name(map), SLICE("access")));
	ck_assert_str_eq(warnings.data, "");
}
END_TEST

/* Around the size up to which keys are folded on the stack. */
static const size_t key_lengths[] = {1, 1023, 1024, 1025, 2048, 60000};

START_TEST(long_keys)
{
	size_t len = key_lengths[_i];
	char *line = arena_alloc(arena, len + 4);
	const struct map *map;

	memset(line, 'K', len);
	memcpy(line + len, " v\n", 4);
	map = add_map(snapshot, "m", file_of("m", line));
	line[len] = '\0';
	expect(map, line, "v", "m", 1);
	line[len - 1] = 'x';
	expect_missing(map, (slice){line, len});
	line[len - 1] = 'k';
	expect_missing(map, (slice){line, len - 1});
	expect_missing(map, (slice){line, SIZE_MAX}); /* must not be read */
}
END_TEST

START_TEST(earlier_file_wins)
{
	slice paths[] = {file_of("one", "a 1\nb 1\n"),
	    file_of("two", "b 2\nc 2\nC 3\n"), file_of("three", "c 4\nd 4\n")};
	const struct map *map =
	    snapshot_add_map(snapshot, SLICE("m"), paths, 3, &source, NULL);

	ck_assert_ptr_nonnull(map);
	expect(map, "a", "1", "one", 1);
	expect(map, "b", "1", "one", 2);
	expect(map, "c", "2", "two", 2);
	expect(map, "d", "4", "three", 2);
	ck_assert_str_eq(warnings.data,
	    "two:1: duplicate key \"b\", one:2 counts\n"
	    "two:3: duplicate key \"c\", line 2 counts\n"
	    "three:1: duplicate key \"c\", two:2 counts\n");
}
END_TEST

/* Items: a list of "text" and "pcre" files, in this order. */
static const struct map *
add_mixed(struct snapshot *to, const char *one, const char *two,
    const char *three, const char *four)
{
	slice items[] = {file_of("one", one),
	    arena_join(arena, SLICE("pcre:"), file_of("two", two), SLICE("")),
	    file_of("three", three),
	    arena_join(
		arena, SLICE("pcre:"), file_of("four", four), SLICE(""))};
	struct error error = {0};
	const struct map *map =
	    snapshot_add_map(to, SLICE("part"), items, 4, &source, &error);

	ck_assert_msg(map != NULL, "%s: %s", error.file, error.text);
	return map;
}

START_TEST(first_item_that_answers_counts)
{
	const struct map *map = add_mixed(snapshot, "a 1\nb 1\n",
	    "/^a/ 2\n/^(c)x*$/ $1-2\n", "cx 3\nD 3\nb 3\n", "/./ 4\n");
	const struct snapshot_part *part =
	    snapshot_find_part(snapshot, SLICE("part"));
	char long_key[2000];

	expect(map, "a", "1", "one", 1);
	expect(map, "ab", "2", "two", 1);
	expect(map, "b", "1", "one", 2);
	expect(map, "cx", "c-2", "two", 2);
	expect(map, "CX", "C-2", "two", 2);
	expect(map, "d", "3", "three", 2);
	expect(map, "e", "4", "four", 1);
	expect_missing(map, SLICE(""));
	memset(long_key, 'x', sizeof(long_key));
	long_key[sizeof(long_key) - 1] = '\0';
	expect(map, long_key, "4", "four", 1);
	memset(long_key, 'a', sizeof(long_key) - 1);
	expect(map, long_key, "2", "two", 1);
	ck_assert_uint_eq(part->entries, 2 + 2 + 3 + 1);
	ck_assert_str_eq(
	    part->files->next->next->next->path, scratch_path("four"));
}
END_TEST

/* What changes from this to another map of four files. */
static const struct {
	const char *one;
	const char *two;
	const char *three;
	const char *four;
	struct snapshot_diff diff;
} mixed_diffs[] = {
    {"a 1\nb 1\n", "/c/ 1\n", "a 2\nd 2\n", "/e/ 1\n/f/ 1\n", {6, 6, 0, 0, 0}},
    {"a 1\n", "/c/ 1\n", "a 2\nd 2\n", "/e/ 1\n/f/ 1\n", {6, 5, 0, 1, 0}},
    {"b 1\n", "/c/ 1\n", "a 2\nd 2\n", "/e/ 1\n/f/ 1\n", {6, 6, 0, 0, 1}},
    {"a 1\nb 1\n", "/c/ 1\n", "d 3\n", "/e/ 1\n/f/ 2\n", {6, 6, 1, 1, 1}},
    {"a 1\nb 1\n", "", "a 2\nd 2\n", "/f/ 1\n/c/ 1\n/e/ 1\n", {6, 6, 1, 1, 0}},
    {"", "", "", "", {6, 0, 0, 6, 0}},
};

START_TEST(mixed_maps_differ)
{
	struct snapshot *later = snapshot_new();
	const struct snapshot_part *before;
	const struct snapshot_part *after;
	struct snapshot_diff diff;

	(void)add_mixed(snapshot, mixed_diffs[0].one, mixed_diffs[0].two,
	    mixed_diffs[0].three, mixed_diffs[0].four);
	(void)add_mixed(later, mixed_diffs[_i].one, mixed_diffs[_i].two,
	    mixed_diffs[_i].three, mixed_diffs[_i].four);
	before = snapshot_find_part(snapshot, SLICE("part"));
	after = snapshot_find_part(later, SLICE("part"));
	diff = snapshot_part_diff(before, after);
	ck_assert_int_eq(before->digest == after->digest, _i == 0);
	ck_assert_mem_eq(&diff, &mixed_diffs[_i].diff, sizeof(diff));
	snapshot_release(later);
}
END_TEST

START_TEST(broken_patterns_are_refused)
{
	slice items[] = {file_of("one", "a 1\n"),
	    arena_join(arena, SLICE("pcre:"), file_of("two", "/a/ 1\n/(/ 2\n"),
		SLICE(""))};
	struct error error = {0};

	ck_assert_ptr_null(snapshot_add_map(
	    snapshot, SLICE("part"), items, 2, &source, &error));
	ck_assert_str_eq(error.file, scratch_path("two"));
	ck_assert_uint_eq(error.line, 2);
	ck_assert_int_eq(error.exit_code, EX_DATAERR);
}
END_TEST

START_TEST(wrong_nets_are_skipped)
{
	struct snapshot_source with_nets = source;
	slice path = file_of("nets",
	    "192.0.2 a\n192.0.2.0/24 b\n192.0.2.1/24 c\nConnect:10/8 d\n"
	    "192.0.2.128/25 e\n");
	const struct map *map;
	struct map_hit hit;

	with_nets.has_nets = true;
	map = snapshot_add_map(
	    snapshot, SLICE("nets"), &path, 1, &with_nets, NULL);
	ck_assert_ptr_nonnull(map);
	expect(map, "192.0.2", "a", "nets", 1);
	expect(map, "192.0.2.128/25", "e", "nets", 5);
	ck_assert_int_eq(
	    map_find_net(map, SLICE("192.0.2.128/25"), &hit), MAP_FOUND);
	ck_assert_str_eq(strbuf_slice(&warnings).ptr,
	    "nets:3: skipped: 192.0.2.1/24: the address has bits behind its "
	    "prefix, the net is 192.0.2\n"
	    "nets:4: skipped: Connect:10/8: no address before the \"/\"\n"
	    "nets:2: duplicate key \"192.0.2\", line 1 counts\n");
}
END_TEST

static const struct {
	const char *format; /* %s: the scratch directory */
	const char *error;  /* NULL: loads */
} spellings[] = {
    {"%s/access", NULL},
    {"text:%s/access", NULL},
    {"TEXT:%s/access", NULL},
    {"%s/odd:name", NULL},
    {"pcre:%s/patterns", NULL},
    {"PCRE:%s/patterns", NULL},
    {"pcre:%s/access", "no second delimiter"},
    {"pcre:", "map without a file name"},
    {"hash:%s/access", "unknown map type in \"hash:"},
    {"text", "cannot open: "},
    {"text:", "map without a file name"},
    {"%.0s", "map without a file name"},
};

START_TEST(spellings_of_a_path)
{
	struct error error = {0};
	char path[PATH_MAX];
	slice item;
	bool loaded;

	(void)file_of("access", "/k v\n");
	(void)file_of("patterns", "/k/ v\n");
	(void)file_of("odd:name", "k v\n");
	(void)snprintf(path, sizeof(path), spellings[_i].format, scratch);
	item = slice_from_cstr(path);
	loaded = snapshot_add_map(
		     snapshot, SLICE("m"), &item, 1, &source, &error) != NULL;
	ck_assert_msg(loaded == (spellings[_i].error == NULL), "%s: %s", path,
	    error.text);
	if (!loaded)
		ck_assert_msg(
		    strstr(error.text, spellings[_i].error) == error.text, "%s",
		    error.text);
}
END_TEST

static const char *const empty_files[] = {
    "", "\n", "# only\n# comments\n", "\n\n\n"};

START_TEST(empty_map)
{
	const struct map *map =
	    add_map(snapshot, "m", file_of("m", empty_files[_i]));

	expect_missing(map, SLICE("a"));
	expect_missing(map, SLICE(""));
	ck_assert_uint_eq(snapshot_parts(snapshot)->entries, 0);
	ck_assert_uint_eq(snapshot_parts(snapshot)->digest, 0);
	ck_assert_str_eq(warnings.data, "");
}
END_TEST

START_TEST(map_of_no_files)
{
	const struct map *map =
	    snapshot_add_map(snapshot, SLICE("m"), NULL, 0, &source, NULL);

	ck_assert_ptr_nonnull(map);
	expect_missing(map, SLICE("a"));
}
END_TEST

static const struct {
	slice content;
	const char *text;
	unsigned line;
	bool is_class;
} bad_files[] = {
    {SLICE_INIT("a b\nc\0d e\n"), "line contains a NUL byte", 2, false},
    {SLICE_INIT("a b\n\0"), "line contains a NUL byte", 2, false},
    {SLICE_INIT("abc\n\n\0\n"), "line contains a NUL byte", 3, true},
};

static bool
load(bool as_class, slice path, const struct snapshot_source *with,
    struct error *error)
{
	return as_class ? snapshot_add_class(snapshot, SLICE("x"), &path, 1,
			      with, error) != NULL
			: snapshot_add_map(snapshot, SLICE("x"), &path, 1, with,
			      error) != NULL;
}

START_TEST(bad_file)
{
	struct error error = {0};

	(void)scratch_write("bad", bad_files[_i].content);
	ck_assert(
	    !load(bad_files[_i].is_class, path_slice("bad"), &source, &error));
	ck_assert_str_eq(error.text, bad_files[_i].text);
	ck_assert_str_eq(error.file, scratch_path("bad"));
	ck_assert_uint_eq(error.line, bad_files[_i].line);
	ck_assert_int_eq(error.exit_code, EX_DATAERR);
	ck_assert_ptr_null(snapshot_parts(snapshot));
}
END_TEST

/* _i: as map, as class. */
START_TEST(missing_and_unsafe_files)
{
	struct snapshot_source careful = source;
	struct error error = {0};

	ck_assert(!load(_i == 1, path_slice("missing"), &source, &error));
	ck_assert_str_eq(error.file, scratch_path("missing"));
	ck_assert_int_eq(error.exit_code, EX_NOINPUT);
	careful.allow_unsafe_files = false;
	ck_assert(!load(_i == 1, file_of("f", "k v\n"), &careful, &error));
	ck_assert_str_eq(error.file, scratch_path("f"));
	ck_assert_int_eq(error.exit_code, EX_NOPERM);
	ck_assert(!load(_i == 1, path_slice("missing"), &source, NULL));
}
END_TEST

START_TEST(warns_of_skipped_lines)
{
	(void)add_map(
	    snapshot, "m", file_of("m", "a 1\n lead\nnovalue\na 2\n\r\n"));
	ck_assert_str_eq(warnings.data,
	    "m:2: skipped: line begins with a blank\n"
	    "m:3: skipped: key has no value\n"
	    "m:5: skipped: line begins with a blank\n"
	    "m:4: duplicate key \"a\", line 1 counts\n");
}
END_TEST

static slice
repeat(const char *line, int times)
{
	struct strbuf text;

	strbuf_init(&text, arena);
	for (int i = 0; i < times; i++)
		strbuf_printf(&text, "%s\n", line);
	return strbuf_slice(&text);
}

static size_t
count_lines(slice text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	return count;
}

/* 15 lines skipped and 10 duplicates in one file, 1 of each in another. */
START_TEST(warns_twenty_times_a_file)
{
	slice paths[2];

	(void)scratch_write(
	    "many", arena_printf(arena, "%s%s", repeat("novalue", 15).ptr,
			repeat("key value", 11).ptr));
	paths[0] = path_slice("many");
	paths[1] = file_of("few", "novalue\nkey value\n");
	ck_assert_ptr_nonnull(
	    snapshot_add_map(snapshot, SLICE("m"), paths, 2, &source, NULL));
	ck_assert_uint_eq(count_lines(strbuf_slice(&warnings)), 23);
	ck_assert_ptr_nonnull(strstr(warnings.data,
	    "many:21: duplicate key \"key\", line 16 counts\nfew:2: "));
	ck_assert_ptr_null(strstr(warnings.data, "many:22:"));
	ck_assert_ptr_nonnull(strstr(warnings.data, "few:1: skipped"));
	ck_assert_ptr_nonnull(strstr(warnings.data, "many: and 5 more\n"));
	ck_assert_ptr_null(strstr(warnings.data, "few: and"));
}
END_TEST

START_TEST(twenty_warnings_are_all)
{
	(void)scratch_write("m", repeat("novalue", 20));
	(void)add_map(snapshot, "m", path_slice("m"));
	ck_assert_uint_eq(count_lines(strbuf_slice(&warnings)), 20);
	ck_assert_ptr_null(strstr(warnings.data, "more"));
}
END_TEST

START_TEST(nobody_wants_warnings)
{
	struct snapshot_source quiet = {.allow_unsafe_files = true};
	slice path = file_of("m", "novalue\nk v\nk w\n");

	ck_assert_ptr_nonnull(
	    snapshot_add_map(snapshot, SLICE("m"), &path, 1, &quiet, NULL));
}
END_TEST

/* A key is shown without its controls, and not at any length. */
START_TEST(hostile_key_in_a_warning)
{
	slice longest = repeat("0123456789", 1);
	struct strbuf line;

	strbuf_init(&line, arena);
	for (int i = 0; i < 50; i++)
		strbuf_add(&line, slice_first(longest, 10));
	(void)scratch_write(
	    "m", arena_printf(arena, "a\033[2Jb x\na\033[2Jb y\n%s x\n%s y\n",
		     line.data, line.data));
	(void)add_map(snapshot, "m", path_slice("m"));
	ck_assert_uint_eq(count_lines(strbuf_slice(&warnings)), 2);
	ck_assert_ptr_nonnull(
	    strstr(warnings.data, "m:2: duplicate key \"a?[2jb\", line 1"));
	ck_assert_uint_lt(warnings.len, 250);
}
END_TEST

/* ---- Aliases ---- */

/* "bad" in a name makes it none; the others lose what is behind their "@". */
static const char *
alias_key(void *context, struct arena *to, slice name, slice *ret_key)
{
	++*(unsigned *)context;
	if (slice_has_prefix_nocase(name, SLICE("bad")))
		return "is bad";
	*ret_key = arena_copy(to, slice_first(name, slice_index(name, '@')));
	return NULL;
}

static const struct map *
add_aliases(
    const slice *paths, size_t count, unsigned *asked, struct error *error)
{
	struct snapshot_keys keys = {alias_key, asked};

	*asked = 0;
	return snapshot_add_aliases(
	    snapshot, SLICE("aliases"), paths, count, &keys, &source, error);
}

START_TEST(aliases_from_files)
{
	slice paths[2] = {
	    file_of("a1", "DL@x: dl,\n\tdl@y\nshared: one\n# c\nq: 1\n"),
	    file_of("a2", "shared: two\nonly: three\n")};
	unsigned asked;
	const struct map *map = add_aliases(paths, 2, &asked, NULL);

	ck_assert_ptr_nonnull(map);
	ck_assert_uint_eq(asked, 5);
	expect(map, "dl", "dl,\tdl@y", "a1", 1);
	expect(map, "SHARED", "one", "a1", 3);
	expect(map, "q", "1", "a1", 5);
	expect(map, "only", "three", "a2", 2);
	expect_missing(map, SLICE("dl@x"));
	ck_assert(slice_eq(map_name(map), SLICE("aliases")));
	ck_assert_str_eq(
	    warnings.data, "a2:1: duplicate key \"shared\", a1:3 counts\n");
	ck_assert_uint_eq(
	    snapshot_find_part(snapshot, SLICE("aliases"))->entries, 4);
}
END_TEST

START_TEST(last_alias_wins)
{
	slice path = file_of("a", "x: 1\nX: 2\nx@y: 3\nz: 4\n");
	unsigned asked;
	const struct map *map = add_aliases(&path, 1, &asked, NULL);

	expect(map, "x", "3", "a", 3);
	expect(map, "z", "4", "a", 4);
	ck_assert_str_eq(warnings.data,
	    "a:1: duplicate key \"x\", line 3 counts\n"
	    "a:2: duplicate key \"x\", line 3 counts\n");
}
END_TEST

START_TEST(aliases_that_are_none)
{
	slice path = file_of("a",
	    " x: 1\nnocolon\nBad\x1bname: 2\nempty:\ny: 3\nbad2: 4,\n 5\n");
	unsigned asked;
	const struct map *map = add_aliases(&path, 1, &asked, NULL);

	expect(map, "y", "3", "a", 5);
	ck_assert_str_eq(warnings.data, "a:1: skipped: line continues nothing\n"
					"a:2: skipped: no colon behind a name\n"
					"a:3: skipped: Bad?name: is bad\n"
					"a:4: skipped: alias has no value\n"
					"a:6: skipped: bad2: is bad\n");
}
END_TEST

START_TEST(broken_aliases)
{
	slice path = path_slice("a");
	struct error error = {0};
	unsigned asked;

	(void)scratch_write("a", SLICE("x: 1\ny: \0\n"));
	ck_assert_ptr_null(add_aliases(&path, 1, &asked, &error));
	ck_assert_str_eq(error.text, "line contains a NUL byte");
	ck_assert_str_eq(error.file, scratch_path("a"));
	ck_assert_uint_eq(error.line, 2);
	ck_assert_int_eq(error.exit_code, EX_DATAERR);
	path = path_slice("none");
	ck_assert_ptr_null(add_aliases(&path, 1, &asked, &error));
	ck_assert_int_eq(error.exit_code, EX_NOINPUT);
}
END_TEST

/* ---- Classes ---- */

START_TEST(class_of_words_and_files)
{
	slice items[] = {SLICE("abc.com"),
	    file_of("names", "# ours\nMX.abc.com # the first\nabc.com\n"
			     "two words\n"),
	    SLICE("[127.0.0.1]"), SLICE("")};
	struct class *words = snapshot_add_class(
	    snapshot, SLICE("local_domain"), items, 4, &source, NULL);
	const struct class_word *found;

	ck_assert_ptr_nonnull(words);
	ck_assert_uint_eq(class_count(words), 4);
	ck_assert(class_has(words, SLICE("mx.ABC.com")));
	ck_assert(class_has(words, SLICE("two")));
	ck_assert(!class_has(words, SLICE("words")));
	ck_assert(!class_has(words, SLICE("")));
	found = class_find(words, SLICE("mx.abc.com"));
	ck_assert_str_eq(found->file, scratch_path("names"));
	ck_assert_uint_eq(found->line, 2);
	ck_assert_ptr_null(class_find(words, SLICE("abc.com"))->file);
	ck_assert_str_eq(
	    warnings.data, "names:4: words after the first are ignored\n");
}
END_TEST

START_TEST(class_grows_until_published)
{
	struct class *words =
	    snapshot_add_class(snapshot, SLICE("w"), NULL, 0, &source, NULL);
	const struct snapshot_part *part =
	    snapshot_find_part(snapshot, SLICE("w"));

	ck_assert_uint_eq(part->entries, 0);
	class_add(words, SLICE("localhost"), NULL, 0);
	ck_assert_uint_eq(part->entries, 1);
	ck_assert_uint_eq(
	    part->digest, shard_entry_digest(SLICE("localhost"), SLICE("")));
}
END_TEST

/* ---- Parts ---- */

START_TEST(parts_in_order)
{
	slice paths[] = {file_of("one", "a 1\nA 2\n"), file_of("two", "b 1")};
	slice word = SLICE("abc.com");
	const struct snapshot_part *part;

	ck_assert_ptr_null(snapshot_parts(snapshot));
	ck_assert_ptr_nonnull(snapshot_add_map(
	    snapshot, SLICE("access"), paths, 2, &source, NULL));
	ck_assert_ptr_nonnull(
	    snapshot_add_class(snapshot, SLICE("w"), &word, 1, &source, NULL));
	part = snapshot_parts(snapshot);
	ck_assert(slice_eq(part->name, SLICE("access")));
	ck_assert(part->kind == PART_MAP && part->map != NULL);
	ck_assert_uint_eq(part->entries, 2);
	ck_assert_uint_gt(part->bytes, 2048);
	ck_assert_str_eq(part->files->path, scratch_path("one"));
	ck_assert_int_eq(part->files->size, 8);
	ck_assert_int_ne(part->files->modified.tv_sec, 0);
	ck_assert_str_eq(part->files->next->path, scratch_path("two"));
	ck_assert_ptr_null(part->files->next->next);
	part = part->next;
	ck_assert(slice_eq(part->name, SLICE("w")));
	ck_assert(part->kind == PART_CLASS && part->words != NULL);
	ck_assert_uint_eq(part->entries, 1);
	ck_assert_ptr_null(part->files);
	ck_assert_ptr_null(part->next);
	ck_assert_ptr_eq(snapshot_find_part(snapshot, SLICE("w")), part);
	ck_assert_ptr_null(snapshot_find_part(snapshot, SLICE("W")));
}
END_TEST

START_TEST(texts_whole)
{
	slice paths[] = {file_of("rc", ":0\n* ^To: x\n/dev/null\n"),
	    file_of("empty", ""), path_slice("rc")};
	const struct snapshot_text *text;
	struct snapshot_diff diff;
	struct snapshot *later = snapshot_new();

	ck_assert(snapshot_add_text(
	    snapshot, SLICE("recipes"), paths, 1, &source, NULL));
	ck_assert(snapshot_add_text(
	    snapshot, SLICE("recipes"), paths, 3, &source, NULL));
	ck_assert_ptr_null(snapshot_parts(snapshot)->next);
	ck_assert_int_eq(snapshot_parts(snapshot)->kind, PART_TEXT);
	ck_assert_uint_eq(snapshot_parts(snapshot)->entries, 2);
	ck_assert_ptr_null(snapshot_parts(snapshot)->files->next->next);
	text = snapshot_find_text(snapshot, SLICE("recipes"), paths[0]);
	ck_assert_str_eq(text->content.ptr, ":0\n* ^To: x\n/dev/null\n");
	ck_assert_uint_eq(text->next->content.len, 0);
	ck_assert_ptr_null(text->next->next);
	ck_assert_ptr_null(
	    snapshot_find_text(snapshot, SLICE("recipes"), SLICE("rc")));
	ck_assert_ptr_null(
	    snapshot_find_text(snapshot, SLICE("others"), paths[0]));
	(void)file_of("rc", ":0\n/dev/null\n");
	ck_assert(snapshot_add_text(
	    later, SLICE("recipes"), paths, 1, &source, NULL));
	diff =
	    snapshot_part_diff(snapshot_parts(snapshot), snapshot_parts(later));
	ck_assert(diff.before == 2 && diff.after == 1 && diff.added == 0 &&
		  diff.removed == 1 && diff.changed == 1);
	snapshot_release(later);
}
END_TEST

START_TEST(text_that_is_missing)
{
	slice path = path_slice("none");
	struct error error = {0};

	ck_assert(!snapshot_add_text(
	    snapshot, SLICE("recipes"), &path, 1, &source, &error));
	ck_assert_str_eq(error.file, scratch_path("none"));
	ck_assert_int_eq(error.exit_code, EX_NOINPUT);
}
END_TEST

static const struct {
	const char *before; /* NULL: there is none */
	const char *after;
	struct snapshot_diff diff; /* before, after, added, removed, changed */
} diffs[] = {
    {"a 1\nb 2\n", "a 1\nb 2\n", {2, 2, 0, 0, 0}},
    {"a 1\nb 2\n", "# moved\nB 2\nA 1\n", {2, 2, 0, 0, 0}},
    {"a 1\nb 2\n", "a 1\nb 2\na 3\n", {2, 2, 0, 0, 0}},
    {"a 1\nb 2\n", "a 3\na 1\nb 2\n", {2, 2, 0, 0, 1}},
    {"a 1\nb 2\nc 3\n", "b 2\nc 4\nd 5\ne 6\n", {3, 4, 2, 1, 1}},
    {"a 1\nb 2\n", "", {2, 0, 0, 2, 0}},
    {"", "a 1\n", {0, 1, 1, 0, 0}},
    {"", "", {0, 0, 0, 0, 0}},
    {NULL, "a 1\nb 2\n", {0, 2, 2, 0, 0}},
    {"a 1\nb 2\n", NULL, {2, 0, 0, 2, 0}},
    {NULL, NULL, {0, 0, 0, 0, 0}},
};

static const struct snapshot_part *
part_of(struct snapshot *of, const char *content, bool as_class)
{
	slice path;

	if (content == NULL)
		return NULL;
	path = file_of("part", content);
	if (as_class)
		ck_assert_ptr_nonnull(snapshot_add_class(
		    of, SLICE("part"), &path, 1, &source, NULL));
	else
		(void)add_map(of, "part", path);
	return snapshot_find_part(of, SLICE("part"));
}

static void
expect_diff(struct snapshot_diff got, struct snapshot_diff wanted)
{
	ck_assert_uint_eq(got.before, wanted.before);
	ck_assert_uint_eq(got.after, wanted.after);
	ck_assert_uint_eq(got.added, wanted.added);
	ck_assert_uint_eq(got.removed, wanted.removed);
	ck_assert_uint_eq(got.changed, wanted.changed);
}

START_TEST(maps_differ)
{
	struct snapshot *later = snapshot_new();

	expect_diff(
	    snapshot_part_diff(part_of(snapshot, diffs[_i].before, false),
		part_of(later, diffs[_i].after, false)),
	    diffs[_i].diff);
	snapshot_release(later);
}
END_TEST

/* The same files as class files: values do not count. */
START_TEST(classes_differ)
{
	struct snapshot_diff wanted = diffs[_i].diff;
	struct snapshot *later = snapshot_new();

	wanted.changed = 0;
	expect_diff(
	    snapshot_part_diff(part_of(snapshot, diffs[_i].before, true),
		part_of(later, diffs[_i].after, true)),
	    wanted);
	snapshot_release(later);
}
END_TEST

/* _i: the later is the map, the earlier is. */
START_TEST(class_became_map)
{
	struct snapshot *later = snapshot_new();
	const struct snapshot_part *before =
	    part_of(snapshot, "a 1\nb 2\n", _i == 0);
	const struct snapshot_part *after = part_of(later, "a 1\n", _i == 1);

	expect_diff(snapshot_part_diff(before, after),
	    (struct snapshot_diff){2, 1, 1, 2, 0});
	snapshot_release(later);
}
END_TEST

/* ---- Lifetime ---- */

START_TEST(last_release_frees)
{
	const struct map *map = add_map(snapshot, "m", file_of("m", "k v\n"));
	slice kept = arena_copy(snapshot_arena(snapshot), SLICE("an option"));

	ck_assert_ptr_eq(snapshot_acquire(snapshot), snapshot);
	snapshot_release(snapshot);
	/* Freed too early, this is seen by the sanitizers. */
	expect(map, "k", "v", "m", 1);
	ck_assert(slice_eq(kept, SLICE("an option")));
	snapshot_release(NULL);
}
END_TEST

/* The snapshot outlives its files. */
START_TEST(files_go_away)
{
	const struct map *map = add_map(snapshot, "m", file_of("m", "k v\n"));

	ck_assert_int_eq(unlink(scratch_path("m")), 0);
	expect(map, "k", "v", "m", 1);
}
END_TEST

/* What the daemon does with generations: one thread publishes, the others
 * take what is current and ask it while it may be replaced. */
static struct {
	pthread_mutex_t lock;
	struct snapshot *now;
	bool over;
} current = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct snapshot *
take_current(bool *ret_over)
{
	struct snapshot *taken;

	(void)pthread_mutex_lock(&current.lock);
	taken = snapshot_acquire(current.now);
	*ret_over = current.over;
	(void)pthread_mutex_unlock(&current.lock);
	return taken;
}

/* Every map and class of a generation says the same number. */
static bool
is_whole(const struct snapshot *taken)
{
	const struct snapshot_part *part = snapshot_parts(taken);
	struct map_hit hit;

	return map_find(part->map, SLICE("Generation"), NULL, &hit) ==
		   MAP_FOUND &&
	       class_has(part->next->words, hit.value) &&
	       class_count(part->next->words) == 1;
}

static void *
ask_for_ever(void *ret_bad)
{
	size_t *bad = ret_bad;
	bool over;

	do {
		struct snapshot *taken = take_current(&over);

		for (int i = 0; i < 10; i++)
			*bad += !is_whole(taken);
		snapshot_release(taken);
	} while (!over);
	return NULL;
}

static struct snapshot *
build_generation(int number)
{
	struct snapshot *built = snapshot_new();
	char text[64];
	slice path;

	(void)snprintf(text, sizeof(text), "generation %d\n", number);
	path = file_of("generation", text);
	ck_assert_ptr_nonnull(
	    snapshot_add_map(built, SLICE("m"), &path, 1, &source, NULL));
	(void)snprintf(text, sizeof(text), "%d", number);
	path = slice_from_cstr(text);
	ck_assert_ptr_nonnull(
	    snapshot_add_class(built, SLICE("w"), &path, 1, &source, NULL));
	return built;
}

static void
publish(struct snapshot *built, bool over)
{
	struct snapshot *old;

	(void)pthread_mutex_lock(&current.lock);
	old = current.now;
	current.now = built;
	current.over = over;
	(void)pthread_mutex_unlock(&current.lock);
	snapshot_release(old);
}

START_TEST(generations_change_under_threads)
{
	pthread_t threads[4];
	size_t bad[4] = {0};

	publish(build_generation(0), false);
	for (int i = 0; i < ROWS(threads); i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, ask_for_ever, &bad[i]),
		    0);
	for (int n = 1; n <= 50; n++)
		publish(build_generation(n), n == 50);
	for (int i = 0; i < ROWS(threads); i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_uint_eq(bad[i], 0);
	}
	publish(NULL, true);
}
END_TEST

static Suite *
snapshot_suite(void)
{
	Suite *suite = suite_create("snapshot");
	TCase *maps = tcase_create("maps");
	TCase *parts = tcase_create("parts");
	TCase *lifetime = tcase_create("lifetime");

	tcase_add_checked_fixture(maps, set_up, tear_down);
	tcase_add_test(maps, map_from_a_file);
	tcase_add_loop_test(maps, long_keys, 0, ROWS(key_lengths));
	tcase_add_test(maps, earlier_file_wins);
	tcase_add_test(maps, first_item_that_answers_counts);
	tcase_add_loop_test(maps, mixed_maps_differ, 0, ROWS(mixed_diffs));
	tcase_add_test(maps, broken_patterns_are_refused);
	tcase_add_test(maps, wrong_nets_are_skipped);
	tcase_add_loop_test(maps, spellings_of_a_path, 0, ROWS(spellings));
	tcase_add_loop_test(maps, empty_map, 0, ROWS(empty_files));
	tcase_add_test(maps, map_of_no_files);
	tcase_add_loop_test(maps, bad_file, 0, ROWS(bad_files));
	tcase_add_loop_test(maps, missing_and_unsafe_files, 0, 2);
	tcase_add_test(maps, warns_of_skipped_lines);
	tcase_add_test(maps, warns_twenty_times_a_file);
	tcase_add_test(maps, twenty_warnings_are_all);
	tcase_add_test(maps, nobody_wants_warnings);
	tcase_add_test(maps, hostile_key_in_a_warning);
	tcase_add_test(maps, aliases_from_files);
	tcase_add_test(maps, last_alias_wins);
	tcase_add_test(maps, aliases_that_are_none);
	tcase_add_test(maps, broken_aliases);
	suite_add_tcase(suite, maps);
	tcase_add_checked_fixture(parts, set_up, tear_down);
	tcase_add_test(parts, class_of_words_and_files);
	tcase_add_test(parts, class_grows_until_published);
	tcase_add_test(parts, parts_in_order);
	tcase_add_test(parts, texts_whole);
	tcase_add_test(parts, text_that_is_missing);
	tcase_add_loop_test(parts, maps_differ, 0, ROWS(diffs));
	tcase_add_loop_test(parts, classes_differ, 0, ROWS(diffs));
	tcase_add_loop_test(parts, class_became_map, 0, 2);
	suite_add_tcase(suite, parts);
	tcase_add_checked_fixture(lifetime, set_up, tear_down);
	tcase_set_timeout(lifetime, 60);
	tcase_add_test(lifetime, last_release_frees);
	tcase_add_test(lifetime, files_go_away);
	tcase_add_test(lifetime, generations_change_under_threads);
	suite_add_tcase(suite, lifetime);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(snapshot_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
