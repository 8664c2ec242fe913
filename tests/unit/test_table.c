/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/table.h"

#include <cdb.h>
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct table_builder *builder;
static struct table *table;

static void
make_builder(void)
{
	builder = table_builder_new(NULL);
	ck_assert_ptr_nonnull(builder);
}

static void
free_table(void)
{
	table_release(table);
	table = NULL;
}

static void
add(slice key, slice value, unsigned file, unsigned line)
{
	struct error error = {0};

	ck_assert_msg(
	    table_builder_add(builder, key, value, file, line, &error), "%s",
	    error.text);
}

static void
finish(
    void (*on_duplicate)(void *, const struct table_duplicate *), void *context)
{
	table = table_finish(builder, on_duplicate, context, NULL);
	ck_assert_ptr_nonnull(table);
}

static void
expect(slice key, slice value, const char *file, unsigned line)
{
	struct map_hit hit = {0};

	ck_assert_msg(table_find(table, key, &hit) == MAP_FOUND,
	    "missing: " SLICE_FMT, SLICE_ARG(key));
	ck_assert_msg(slice_eq(hit.value, value), "value: " SLICE_FMT,
	    SLICE_ARG(hit.value));
	ck_assert_str_eq(map_hit_file(&hit), file);
	ck_assert_uint_eq(map_hit_line(&hit), line);
}

static void
expect_missing(slice key)
{
	struct map_hit hit = {0};

	ck_assert_msg(table_find(table, key, &hit) == MAP_MISSING,
	    "found: " SLICE_FMT, SLICE_ARG(key));
	ck_assert_ptr_null(map_hit_file(&hit));
}

static const struct {
	slice key;
	slice value; /* without pointer: not in the table */
} lookups[] = {
    {SLICE_INIT("abc.com"), SLICE_INIT("RELAY")},
    {SLICE_INIT("connect:10.1"), SLICE_INIT("550 5.7.1 \"no, Sir\"")},
    {SLICE_INIT("k"), SLICE_INIT("")},
    {SLICE_INIT(""), SLICE_INIT("of the empty key")},
    {SLICE_INIT("a\0b"), SLICE_INIT("v\0w")},
    {SLICE_INIT("\xc4\xff"), SLICE_INIT("\xe4\x80")},
    {SLICE_INIT("ABC.com"), {NULL, 0}},
    {SLICE_INIT("abc.co"), {NULL, 0}},
    {SLICE_INIT("abc.com."), {NULL, 0}},
    {SLICE_INIT("a"), {NULL, 0}},
    {SLICE_INIT("a\0"), {NULL, 0}},
    {SLICE_INIT("a\0c"), {NULL, 0}},
    {SLICE_INIT("\xe4\xff"), {NULL, 0}},
    {SLICE_INIT("much longer than the longest key in it"), {NULL, 0}},
};

START_TEST(looks_up)
{
	unsigned file = table_builder_add_file(builder, "/etc/mail/access");

	add(SLICE("ABC.com"), SLICE("RELAY"), file, 1);
	add(SLICE("Connect:10.1"), SLICE("550 5.7.1 \"no, Sir\""), file, 2);
	add(SLICE("k"), SLICE(""), file, 3);
	add(SLICE(""), SLICE("of the empty key"), file, 4);
	add(SLICE("A\0B"), SLICE("v\0w"), file, 5);
	add(SLICE("\xc4\xff"), SLICE("\xe4\x80"), file, 6);
	finish(NULL, NULL);
	ck_assert_uint_eq(table_count(table), 6);
	if (lookups[_i].value.ptr == NULL)
		expect_missing(lookups[_i].key);
	else
		expect(lookups[_i].key, lookups[_i].value, "/etc/mail/access",
		    (unsigned)_i + 1);
}
END_TEST

START_TEST(empty_table)
{
	finish(NULL, NULL);
	ck_assert_uint_eq(table_count(table), 0);
	ck_assert_uint_eq(table_digest(table), 0);
	ck_assert_uint_eq(table_longest_key(table), 0);
	expect_missing(SLICE("a"));
	expect_missing(SLICE(""));
}
END_TEST

static void
note_duplicate(void *context, const struct table_duplicate *duplicate)
{
	char *told = context;
	size_t len = strlen(told);

	(void)snprintf(told + len, 512 - len, SLICE_FMT ":%s%u<%s%u ",
	    SLICE_ARG(duplicate->key), duplicate->file, duplicate->line,
	    duplicate->first_file, duplicate->first_line);
}

START_TEST(first_wins)
{
	unsigned a = table_builder_add_file(builder, "a");
	unsigned b = table_builder_add_file(builder, "b");
	char told[512] = "";

	add(SLICE("x"), SLICE("1"), a, 1);
	add(SLICE("y"), SLICE("2"), a, 2);
	add(SLICE("X"), SLICE("3"), a, 3);
	add(SLICE("y"), SLICE("4"), b, 1);
	add(SLICE("z"), SLICE("5"), b, 2);
	add(SLICE("x"), SLICE("6"), b, 3);
	finish(note_duplicate, told);
	ck_assert_str_eq(told, "x:a3<a1 y:b1<a2 x:b3<a1 ");
	ck_assert_uint_eq(table_count(table), 3);
	expect(SLICE("x"), SLICE("1"), "a", 1);
	expect(SLICE("y"), SLICE("2"), "a", 2);
	expect(SLICE("z"), SLICE("5"), "b", 2);
}
END_TEST

struct walked {
	char keys[64];
	int left; /* calls until it says stop */
};

static bool
note_key(void *context, slice key, const struct map_hit *hit)
{
	struct walked *walked = context;
	size_t len = strlen(walked->keys);

	(void)snprintf(walked->keys + len, sizeof(walked->keys) - len,
	    SLICE_FMT "=" SLICE_FMT "@%s%u ", SLICE_ARG(key),
	    SLICE_ARG(hit->value), map_hit_file(hit), map_hit_line(hit));
	return --walked->left > 0;
}

START_TEST(walks_in_file_order)
{
	struct walked walked = {.left = 99};
	struct walked cut_short = {.left = 2};
	unsigned file = table_builder_add_file(builder, "f");

	add(SLICE("z"), SLICE("1"), file, 1);
	add(SLICE("A"), SLICE("2"), file, 2);
	add(SLICE("Z"), SLICE("3"), file, 3);
	add(SLICE("m"), SLICE("4"), file, 4);
	finish(NULL, NULL);
	table_walk(table, note_key, &walked);
	ck_assert_str_eq(walked.keys, "z=1@f1 a=2@f2 m=4@f4 ");
	table_walk(table, note_key, &cut_short);
	ck_assert_str_eq(cut_short.keys, "z=1@f1 a=2@f2 ");
}
END_TEST

/* Values from another implementation. */
static const struct {
	slice key;
	slice value;
	uint64_t digest;
} digests[] = {
    {SLICE_INIT(""), SLICE_INIT(""), 0xb9034ad37056f5fb},
    {SLICE_INIT("abc.com"), SLICE_INIT("RELAY"), 0x0ebda5429af73399},
    {SLICE_INIT("k\xc4"), SLICE_INIT("v\0\xff"), 0xbe1f0401172b0897},
};

START_TEST(digests_entries)
{
	unsigned file = table_builder_add_file(builder, "f");

	ck_assert_uint_eq(
	    shard_entry_digest(digests[_i].key, digests[_i].value),
	    digests[_i].digest);
	add(digests[_i].key, digests[_i].value, file, 1);
	finish(NULL, NULL);
	ck_assert_uint_eq(table_digest(table), digests[_i].digest);
}
END_TEST

/* Tables as "key=value key=value"; a tenth letter of the alphabet is enough
 * to tell them apart. */
static const struct {
	const char *a;
	const char *b;
	bool same;
} twins[] = {
    {"a=1 b=2", "a=1 b=2", true},
    {"a=1 b=2", "b=2 a=1", true},
    {"a=1 b=2", "A=1 B=2", true},
    {"a=1 b=2", "a=1 b=2 a=3", true},
    {"a=1 b=2", "a=1 b=2 c=", false},
    {"a=1 b=2", "a=1", false},
    {"a=1 b=2", "a=2 b=1", false},
    {"a=1", "a=2", false},
    {"a=x", "a=X", false},
    {"ab=c", "a=bc", false},
    {"a=", "b=", false},
};

static uint64_t
content_of(const char *entries)
{
	slice rest = slice_from_cstr(entries);
	slice entry;
	uint64_t digest;

	make_builder();
	(void)table_builder_add_file(builder, "f");
	while (slice_next(&rest, ' ', &entry)) {
		size_t equals = slice_index(entry, '=');

		add(slice_first(entry, equals), slice_from(entry, equals + 1),
		    0, 1);
	}
	finish(NULL, NULL);
	digest = table_digest(table);
	free_table();
	return digest;
}

START_TEST(digest_is_of_content)
{
	table_builder_free(builder);
	ck_assert_int_eq(
	    content_of(twins[_i].a) == content_of(twins[_i].b), twins[_i].same);
}
END_TEST

enum { MANY = 100000 };

static slice
nth_key(char *buffer, size_t size, int n)
{
	return (slice){
	    buffer, (size_t)snprintf(buffer, size, "host%d.abc.com", n)};
}

static void
make_many(void)
{
	char key[64];
	char value[64];

	make_builder();
	(void)table_builder_add_file(builder, "many");
	for (int n = 0; n < MANY; n++) {
		int len = snprintf(value, sizeof(value), "value %d", n);

		add(nth_key(key, sizeof(key), n), (slice){value, (size_t)len},
		    0, (unsigned)n + 1);
	}
	finish(NULL, NULL);
}

static size_t
count_right_answers(int step)
{
	char key[64];
	char value[64];
	struct map_hit hit;
	size_t right = 0;

	for (int n = 0; n < 2 * MANY; n += step) {
		bool found = table_find(table, nth_key(key, sizeof(key), n),
				 &hit) == MAP_FOUND;

		(void)snprintf(value, sizeof(value), "value %d", n);
		right += n >= MANY
			     ? !found
			     : found && map_hit_line(&hit) == (unsigned)n + 1 &&
				   slice_eq(hit.value, slice_from_cstr(value));
	}
	return right;
}

START_TEST(holds_many)
{
	ck_assert_uint_eq(table_count(table), MANY);
	ck_assert_uint_eq(count_right_answers(1), 2 * (size_t)MANY);
	ck_assert_uint_gt(table_bytes(table), MANY * (size_t)40);
}
END_TEST

/* Of whichever shards they are. */
START_TEST(tells_of_many_in_order)
{
	char key[64];
	char told[512] = "";

	(void)table_builder_add_file(builder, "f");
	for (int n = 1; n <= TABLE_SHARDED_FROM + 10; n++)
		add(nth_key(key, sizeof(key), n), SLICE("v"), 0, (unsigned)n);
	for (int n = 1; n <= 5; n++)
		add(nth_key(key, sizeof(key), n * 3), SLICE("w"), 0,
		    (unsigned)(50000 + n));
	finish(note_duplicate, told);
	ck_assert_str_eq(told,
	    "host3.abc.com:f50001<f3 host6.abc.com:f50002<f6 "
	    "host9.abc.com:f50003<f9 host12.abc.com:f50004<f12 "
	    "host15.abc.com:f50005<f15 ");
	ck_assert_uint_eq(table_shard_count(table), SHARDS);
	ck_assert_uint_eq(table_count(table), TABLE_SHARDED_FROM + 10);
	for (int n = 1; n <= TABLE_SHARDED_FROM + 10; n++)
		expect(
		    nth_key(key, sizeof(key), n), SLICE("v"), "f", (unsigned)n);
}
END_TEST

static void *
look_up(void *right)
{
	*(size_t *)right = count_right_answers(7);
	return NULL;
}

START_TEST(many_threads_look_up)
{
	pthread_t threads[4];
	size_t right[4];

	for (int i = 0; i < ROWS(threads); i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, look_up, &right[i]), 0);
	for (int i = 0; i < ROWS(threads); i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_uint_eq(right[i], (2 * MANY + 6) / 7);
	}
}
END_TEST

static unsigned
hash_of(int n)
{
	char key[64];
	slice s = nth_key(key, sizeof(key), n);

	return cdb_hash(s.ptr, (unsigned)s.len);
}

/* 2 keys of 32 bits' hash: found in a table of the hashes' upper bits. */
static void
find_collision(int *ret_a, int *ret_b)
{
	const size_t room = 1U << 20;
	int *seen = calloc(room, sizeof(*seen));

	ck_assert_ptr_nonnull(seen);
	for (int n = 1;; n++) {
		unsigned hash = hash_of(n);
		int *other = &seen[hash >> 12];

		if (*other != 0 && hash_of(*other) == hash) {
			*ret_a = *other;
			*ret_b = n;
			break;
		}
		*other = n;
	}
	free(seen);
}

START_TEST(keys_of_one_hash_are_apart)
{
	char key_a[64];
	char key_b[64];
	char told[512] = "";
	slice slice_a;
	slice slice_b;
	int a;
	int b;

	find_collision(&a, &b);
	slice_a = nth_key(key_a, sizeof(key_a), a);
	slice_b = nth_key(key_b, sizeof(key_b), b);
	(void)table_builder_add_file(builder, "f");
	add(slice_a, SLICE("a"), 0, 1);
	add(slice_b, SLICE("b"), 0, 2);
	add(slice_b, SLICE("c"), 0, 3);
	finish(note_duplicate, told);
	ck_assert_uint_eq(table_count(table), 2);
	expect(slice_a, SLICE("a"), "f", 1);
	expect(slice_b, SLICE("b"), "f", 2);
	ck_assert_ptr_nonnull(strstr(told, ":f3<f2 "));
}
END_TEST

/* The wrong file, named as a map, can have a million lines with one first
 * word. */
START_TEST(one_key_in_every_line)
{
	clock_t begun = clock();

	(void)table_builder_add_file(builder, "f");
	for (unsigned n = 1; n <= 1000000; n++)
		add(SLICE("Nov"), SLICE("x"), 0, n);
	finish(NULL, NULL);
	ck_assert_uint_eq(table_count(table), 1);
	expect(SLICE("nov"), SLICE("x"), "f", 1);
	expect_missing(SLICE("dec"));
	ck_assert_int_lt((clock() - begun) / CLOCKS_PER_SEC, 20);
}
END_TEST

START_TEST(long_keys_and_values)
{
	char *big = malloc(1000001);
	slice key = {big, 70000};
	slice value = {big, 1000000};

	ck_assert_ptr_nonnull(big);
	memset(big, 'k', 1000001);
	(void)table_builder_add_file(builder, "f");
	add(key, value, 0, 1);
	add(SLICE("k"), SLICE("v"), 0, 2);
	finish(NULL, NULL);
	ck_assert_uint_eq(table_longest_key(table), 70000);
	expect(key, value, "f", 1);
	expect(SLICE("k"), SLICE("v"), "f", 2);
	expect_missing((slice){big, 69999});
	expect_missing((slice){big, 70001});
	/* Must not be read, nor its length be cut to 32 bits. */
	expect_missing((slice){big, SIZE_MAX});
	expect_missing((slice){big, ((size_t)1 << 32) + 1});
	free(big);
}
END_TEST

START_TEST(oversized_entry_is_refused)
{
	slice huge = {"k", (size_t)1 << 31};
	struct error error = {0};

	(void)table_builder_add_file(builder, "f");
	ck_assert(!table_builder_add(builder, huge, SLICE("v"), 0, 1, &error));
	ck_assert_str_eq(error.text, "entry is larger than 2 GB");
	error.text[0] = '\0';
	ck_assert(!table_builder_add(builder, SLICE("k"), huge, 0, 1, &error));
	ck_assert_str_eq(error.text, "entry is larger than 2 GB");
	add(SLICE("k"), SLICE("v"), 0, 2);
	finish(NULL, NULL);
	expect(SLICE("k"), SLICE("v"), "f", 2);
}
END_TEST

START_TEST(no_memory_for_the_image)
{
	struct error error = {0};
	struct rlimit limit;
	struct rlimit none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	(void)table_builder_add_file(builder, "f");
	add(SLICE("k"), SLICE("v"), 0, 1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	table = table_finish(builder, NULL, NULL, &error);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_ptr_null(table);
	ck_assert_str_eq(
	    error.text, "cannot keep the map in memory: Too many open files");
	ck_assert_int_eq(error.exit_code, EX_OSERR);
}
END_TEST

START_TEST(builder_is_given_up)
{
	(void)table_builder_add_file(builder, "f");
	add(SLICE("k"), SLICE("v"), 0, 1);
	table_builder_free(builder);
	table_builder_free(NULL);
	table_release(NULL);
}
END_TEST

static Suite *
table_suite(void)
{
	Suite *suite = suite_create("table");
	TCase *small = tcase_create("small");
	TCase *many = tcase_create("many");

	tcase_add_checked_fixture(small, make_builder, free_table);
	tcase_set_timeout(small, 60);
	tcase_add_loop_test(small, looks_up, 0, ROWS(lookups));
	tcase_add_test(small, empty_table);
	tcase_add_test(small, first_wins);
	tcase_add_test(small, walks_in_file_order);
	tcase_add_test(small, tells_of_many_in_order);
	tcase_add_loop_test(small, digests_entries, 0, ROWS(digests));
	tcase_add_loop_test(small, digest_is_of_content, 0, ROWS(twins));
	tcase_add_test(small, keys_of_one_hash_are_apart);
	tcase_add_test(small, one_key_in_every_line);
	tcase_add_test(small, long_keys_and_values);
	tcase_add_test(small, oversized_entry_is_refused);
	tcase_add_test(small, no_memory_for_the_image);
	tcase_add_test(small, builder_is_given_up);
	suite_add_tcase(suite, small);
	tcase_add_checked_fixture(many, make_many, free_table);
	tcase_set_timeout(many, 60);
	tcase_add_test(many, holds_many);
	tcase_add_test(many, many_threads_look_up);
	suite_add_tcase(suite, many);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(table_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
