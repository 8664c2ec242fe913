/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/dns_cache.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct dns_answer
answer_of(enum dns_status status, unsigned ttl_s, slice *value)
{
	return (struct dns_answer){
	    .status = status,
	    .ttl_s = ttl_s,
	    .canonical = SLICE("canonical.test"),
	    .values = value,
	    .count = value == NULL ? 0 : 1,
	};
}

/* Adds "n<number>.test" with its number as value. */
static void
add_number(struct dns_cache *cache, int number, deadline_ms now)
{
	char name[32];
	char text[32];
	slice value = {text, 0};
	struct dns_answer answer = answer_of(DNS_FOUND, 60, &value);

	(void)snprintf(name, sizeof(name), "n%d.test", number);
	value.len = (size_t)snprintf(text, sizeof(text), "%d", number);
	dns_cache_add(cache, DNS_A, slice_from_cstr(name), &answer, now);
}

static int
find_number(struct dns_cache *cache, int number, deadline_ms now)
{
	char name[32];
	const struct dns_answer *answer;

	(void)snprintf(name, sizeof(name), "n%d.test", number);
	answer = dns_cache_find(cache, DNS_A, slice_from_cstr(name), now);
	return answer == NULL ? -1 : atoi(answer->values[0].ptr);
}

START_TEST(keeps_copies_apart_by_type_and_name)
{
	struct dns_cache *cache = dns_cache_new(100);
	char text[] = "192.0.2.1";
	slice value = {text, strlen(text)};
	struct dns_answer found = answer_of(DNS_FOUND, 60, &value);
	struct dns_answer none = answer_of(DNS_NO_NAME, 60, NULL);
	const struct dns_answer *got;

	dns_cache_add(cache, DNS_A, SLICE("a.test"), &found, 0);
	dns_cache_add(cache, DNS_MX, SLICE("a.test"), &none, 0);
	memset(text, 'x', sizeof(text));
	got = dns_cache_find(cache, DNS_A, SLICE("a.test"), 1);
	ck_assert_ptr_nonnull(got);
	ck_assert_int_eq(got->status, DNS_FOUND);
	ck_assert(slice_eq(got->values[0], SLICE("192.0.2.1")));
	ck_assert(slice_eq(got->canonical, SLICE("canonical.test")));
	got = dns_cache_find(cache, DNS_MX, SLICE("a.test"), 1);
	ck_assert_int_eq(got->status, DNS_NO_NAME);
	ck_assert_ptr_null(dns_cache_find(cache, DNS_AAAA, SLICE("a.test"), 1));
	ck_assert_ptr_null(dns_cache_find(cache, DNS_A, SLICE("a.tes"), 1));
	dns_cache_free(cache);
}
END_TEST

/* With few buckets, two types of a name meet in one of them now and then. */
START_TEST(types_share_a_bucket)
{
	struct dns_cache *cache = dns_cache_new(16);
	struct dns_answer found = answer_of(DNS_FOUND, 60, NULL);
	struct dns_answer none = answer_of(DNS_NO_NAME, 60, NULL);

	for (int i = 0; i < 500; i++) {
		char text[32];
		slice name = {text, 0};

		name.len = (size_t)snprintf(text, sizeof(text), "n%d.test", i);
		dns_cache_add(cache, DNS_A, name, &found, 0);
		dns_cache_add(cache, DNS_MX, name, &none, 0);
		ck_assert_int_eq(
		    dns_cache_find(cache, DNS_A, name, 1)->status, DNS_FOUND);
		ck_assert_int_eq(dns_cache_find(cache, DNS_MX, name, 1)->status,
		    DNS_NO_NAME);
	}
	dns_cache_free(cache);
}
END_TEST

START_TEST(forgets_in_time)
{
	struct dns_cache *cache = dns_cache_new(100);
	struct dns_answer none = answer_of(DNS_NO_NAME, 2, NULL);

	dns_cache_add(cache, DNS_A, SLICE("a.test"), &none, 1000);
	ck_assert_ptr_nonnull(
	    dns_cache_find(cache, DNS_A, SLICE("a.test"), 2999));
	ck_assert_ptr_null(dns_cache_find(cache, DNS_A, SLICE("a.test"), 3000));
	ck_assert_uint_eq(dns_cache_entries(cache), 0);
	ck_assert_uint_eq(dns_cache_bytes(cache), 0);
	dns_cache_free(cache);
}
END_TEST

START_TEST(replaces)
{
	struct dns_cache *cache = dns_cache_new(100);
	struct dns_answer silent = answer_of(DNS_SILENT, 5, NULL);
	struct dns_answer none = answer_of(DNS_NO_NAME, 60, NULL);
	const struct dns_answer *got;

	dns_cache_add(cache, DNS_A, SLICE("a.test"), &silent, 0);
	dns_cache_add(cache, DNS_A, SLICE("a.test"), &none, 0);
	ck_assert_uint_eq(dns_cache_entries(cache), 1);
	got = dns_cache_find(cache, DNS_A, SLICE("a.test"), 10000);
	ck_assert_ptr_nonnull(got);
	ck_assert_int_eq(got->status, DNS_NO_NAME);
	dns_cache_free(cache);
}
END_TEST

START_TEST(drops_what_was_not_asked_for_longest)
{
	struct dns_cache *cache = dns_cache_new(100);

	for (int i = 0; i < 1000; i++) {
		add_number(cache, i, 0);
		/* One that is in use stays. */
		ck_assert_int_eq(find_number(cache, 0, 0), 0);
		ck_assert_uint_le(dns_cache_entries(cache), 100);
	}
	ck_assert_uint_eq(dns_cache_entries(cache), 100);
	for (int i = 901; i < 1000; i++)
		ck_assert_int_eq(find_number(cache, i, 0), i);
	ck_assert_int_eq(find_number(cache, 900, 0), -1);
	dns_cache_free(cache);
}
END_TEST

START_TEST(bounded_in_bytes)
{
	struct dns_cache *cache = dns_cache_new(100);
	slice values[DNS_ADDRESSES_MAX];
	struct dns_answer large = {.status = DNS_FOUND,
	    .ttl_s = 60,
	    .values = values,
	    .count = DNS_ADDRESSES_MAX};

	for (size_t i = 0; i < DNS_ADDRESSES_MAX; i++)
		values[i] =
		    SLICE("IPv6:2001:db8:1111:2222:3333:4444:5555:6666");
	for (int i = 0; i < 300; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "large%d.test", i);
		dns_cache_add(
		    cache, DNS_AAAA, slice_from_cstr(name), &large, 0);
		ck_assert_ptr_nonnull(
		    dns_cache_find(cache, DNS_AAAA, slice_from_cstr(name), 0));
		ck_assert_uint_le(dns_cache_bytes(cache), 100 * 512);
	}
	ck_assert_uint_gt(dns_cache_entries(cache), 0);
	ck_assert_uint_lt(dns_cache_entries(cache), 100);
	dns_cache_free(cache);
}
END_TEST

START_TEST(many_at_random)
{
	enum { NAMES = 512 };
	struct dns_cache *cache = dns_cache_new(NAMES / 2);
	unsigned random = 1;
	int hits = 0;

	for (int round = 0; round < 100000; round++) {
		int number;
		int got;

		random = random * 1103515245 + 12345;
		number = (int)(random >> 8) % NAMES;
		got = find_number(cache, number, round);
		ck_assert(got == -1 || got == number);
		hits += got == number;
		if (got == -1)
			add_number(cache, number, round);
	}
	/* Half of the names fit: about half of the questions are hits. */
	ck_assert_int_gt(hits, 100000 / 3);
	ck_assert_uint_eq(dns_cache_entries(cache), NAMES / 2);
	dns_cache_free(cache);
}
END_TEST

static Suite *
dns_cache_suite(void)
{
	Suite *suite = suite_create("dns_cache");
	TCase *tcase = tcase_create("dns_cache");

	tcase_add_test(tcase, keeps_copies_apart_by_type_and_name);
	tcase_add_test(tcase, types_share_a_bucket);
	tcase_add_test(tcase, forgets_in_time);
	tcase_add_test(tcase, replaces);
	tcase_add_test(tcase, drops_what_was_not_asked_for_longest);
	tcase_add_test(tcase, bounded_in_bytes);
	tcase_add_test(tcase, many_at_random);
	suite_add_tcase(suite, tcase);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(dns_cache_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
