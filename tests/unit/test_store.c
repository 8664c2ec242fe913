/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same table of cases for every implementation of maps/store.h, then what
 * is LMDB's own: restarts, the clock, kill -9, full and damaged files.
 *
 * An implementation says how time passes: LMDB's clock is set, another's
 * waits. STORE_KILL_ROUNDS: how many rounds of kill -9 (make stress).
 */
#include "maps/store.h"

#include "maps/store_redis.h"
#include "tests/unit/scratch.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct arena *arena;
static long long now_ms;

static long long
read_clock(void *unused)
{
	(void)unused;
	return now_ms;
}

static struct store_options
plain_options(void)
{
	return (struct store_options){
	    .clock = {.now_ms = read_clock}, .is_unsynced = true};
}

static struct store *
open_with(const struct store_options *options)
{
	struct error error = {.text = ""};
	struct store *store = store_lmdb_open(scratch, options, &error);

	ck_assert_msg(store != NULL, "%s: %s", error.file, error.text);
	return store;
}

static struct store *
lmdb_open(void)
{
	struct store_options options = plain_options();

	return open_with(&options);
}

static void
lmdb_pass(unsigned seconds)
{
	now_ms += (long long)seconds * 1000;
}

/* A redis-server in the scratch directory, where there is one to start. */

static pid_t redis_server;
static struct redis_client *redis_client;

static pid_t
start_redis(const char *socket)
{
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid != 0)
		return pid;
	(void)execlp("redis-server", "redis-server", "--port", "0",
	    "--unixsocket", socket, "--save", "", "--dir", scratch, "--logfile",
	    "redis.log", (char *)NULL);
	_exit(127);
}

static bool
redis_answers(void)
{
	struct redis_command ping = {REDIS_WORDS(SLICE("PING"))};
	const struct redis_reply *reply;

	for (int i = 0; i < 1000; i++) {
		struct redis *redis = redis_open(redis_client);
		bool is_there = redis_call(redis, deadline_in(2000), &ping,
				    &reply) == REDIS_NO_TROUBLE;

		redis_close(redis);
		if (is_there)
			return true;
		if (waitpid(redis_server, NULL, WNOHANG) == redis_server)
			return false;
		(void)usleep(20000);
	}
	return false;
}

static void
redis_end(void)
{
	redis_client_free(redis_client);
	if (redis_server > 0) {
		(void)kill(redis_server, SIGKILL);
		(void)waitpid(redis_server, NULL, 0);
	}
}

static struct store *
redis_start(void)
{
	char server[300];
	struct error error = {.text = ""};
	struct redis_ports ports = {.context = NULL};
	struct redis_options options = {
	    .prefix = SLICE("t:"), .timeout_ms = 5000};

	(void)snprintf(
	    server, sizeof(server), "unix:%s", scratch_path("redis.sock"));
	options.server = slice_from_cstr(server);
	redis_client = redis_client_new(&options, &ports, &error);
	ck_assert_msg(redis_client != NULL, "%s", error.text);
	redis_server = start_redis(server + strlen("unix:"));
	if (redis_answers())
		return store_redis_open(redis_client);
	redis_server = 0; /* not installed */
	redis_end();
	return NULL;
}

static void
redis_pass(unsigned seconds)
{
	(void)sleep(seconds);
	(void)usleep(50000);
}

struct implementation {
	const char *name;
	struct store *(*open)(void);
	void (*pass)(unsigned seconds);
	void (*end)(void); /* may be NULL */
};

static const struct implementation implementations[] = {
    {"lmdb", lmdb_open, lmdb_pass, NULL},
    {"redis", redis_start, redis_pass, redis_end},
};

static const struct implementation *in_use;

static void
begin(void)
{
	scratch_make(geteuid() == 0 ? "/run" : "/tmp");
	ck_assert_int_eq(chmod(scratch, 0700), 0);
	arena = arena_new(0);
	now_ms = 1800000000000LL;
}

static void
end(void)
{
	arena_free(arena);
	scratch_remove();
}

static slice
text(const char *s)
{
	return slice_from_cstr(s);
}

static void
expect(struct store *store, enum store_result result, enum store_result wanted)
{
	char why[256];

	store_trouble(store, why, sizeof(why));
	ck_assert_msg(result == wanted, "%d, not %d (%s)", result, wanted, why);
}

static void
expect_value(struct store *store, const char *key, const char *value)
{
	struct store_entry entry = {0};

	expect(store, store_get(store, text(key), arena, &entry), STORE_YES);
	ck_assert_msg(slice_eq(entry.value, text(value)),
	    "%s: \"" SLICE_FMT "\", not \"%s\"", key, SLICE_ARG(entry.value),
	    value);
	ck_assert(slice_eq(entry.key, text(key)));
}

static void
expect_none(struct store *store, const char *key)
{
	struct store_entry entry = {0};

	expect(store, store_get(store, text(key), arena, &entry), STORE_NO);
}

static void
expect_put(struct store *store, const char *key, const char *value,
    unsigned long seconds)
{
	expect(store, store_put(store, text(key), text(value), seconds),
	    STORE_YES);
}

/*
 * The cases of all implementations. Times are short, for those that wait.
 */

static void
case_claim(struct store *store)
{
	struct store_entry taken = {0};

	expect(store, store_claim(store, text("a"), text("1"), 2, arena, NULL),
	    STORE_YES);
	expect(store,
	    store_claim(store, text("a"), text("2"), 2, arena, &taken),
	    STORE_NO);
	ck_assert(slice_eq(taken.value, text("1")));
	ck_assert(taken.seconds_left == 1 || taken.seconds_left == 2);
	expect(store, store_claim(store, text("a"), text("2"), 2, arena, NULL),
	    STORE_NO);
	expect(store, store_claim(store, text("b"), text(""), 9, arena, NULL),
	    STORE_YES);
	expect_value(store, "b", "");
}

static void
case_claim_again_when_over(struct store *store)
{
	expect(store, store_claim(store, text("a"), text("1"), 1, arena, NULL),
	    STORE_YES);
	in_use->pass(2);
	expect_none(store, "a");
	expect(store, store_claim(store, text("a"), text("2"), 9, arena, NULL),
	    STORE_YES);
	expect_value(store, "a", "2");
}

static void
case_put_replaces_value_and_time(struct store *store)
{
	struct store_entry entry;

	expect_none(store, "k");
	expect_put(store, "k", "one", 1);
	expect_put(store, "k", "two", 100);
	in_use->pass(2);
	expect_value(store, "k", "two");
	expect(store, store_get(store, text("k"), arena, &entry), STORE_YES);
	ck_assert_uint_le(entry.seconds_left, 99);
	ck_assert_uint_ge(entry.seconds_left, 95);
}

static void
case_put_expires(struct store *store)
{
	expect_put(store, "k", "v", 1);
	expect_value(store, "k", "v");
	in_use->pass(2);
	expect_none(store, "k");
}

static void
case_delete(struct store *store)
{
	expect(store, store_delete(store, text("k")), STORE_NO);
	expect_put(store, "k", "v", 100);
	expect(store, store_delete(store, text("k")), STORE_YES);
	expect_none(store, "k");
	expect(store, store_delete(store, text("k")), STORE_NO);
}

struct seen {
	char keys[512];
	unsigned count;
	unsigned stop_after;
};

static bool
see(void *context, const struct store_entry *entry)
{
	struct seen *seen = context;
	size_t used = strlen(seen->keys);

	ck_assert_uint_ge(entry->seconds_left, 1);
	(void)snprintf(seen->keys + used, sizeof(seen->keys) - used,
	    SLICE_FMT "=" SLICE_FMT " ", SLICE_ARG(entry->key),
	    SLICE_ARG(entry->value));
	seen->count++;
	return seen->count != seen->stop_after;
}

static void
case_list(struct store *store)
{
	struct seen seen = {.count = 0};

	expect_put(store, "access:a", "1", 100);
	expect_put(store, "access:b", "2", 100);
	expect_put(store, "access:gone", "3", 1);
	expect_put(store, "acces", "4", 100);
	expect_put(store, "accest", "5", 100);
	expect_put(store, "access*:", "6", 100);
	in_use->pass(2);
	expect(
	    store, store_list(store, text("access:"), see, &seen), STORE_YES);
	ck_assert_uint_eq(seen.count, 2);
	ck_assert_ptr_nonnull(strstr(seen.keys, "access:a=1 "));
	ck_assert_ptr_nonnull(strstr(seen.keys, "access:b=2 "));
	seen = (struct seen){.count = 0};
	expect(store, store_list(store, text("x"), see, &seen), STORE_YES);
	ck_assert_uint_eq(seen.count, 0);
	expect(store, store_list(store, text(""), see, &seen), STORE_YES);
	ck_assert_uint_eq(seen.count, 5);
}

static void
case_list_stops(struct store *store)
{
	struct seen seen = {.stop_after = 2};

	for (int i = 0; i < 9; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "p:%d", i);
		expect_put(store, key, "v", 100);
	}
	expect(store, store_list(store, text("p:"), see, &seen), STORE_YES);
	ck_assert_uint_eq(seen.count, 2);
}

static void
case_count(struct store *store)
{
	unsigned long count = 0;

	for (unsigned long i = 1; i <= 5; i++) {
		expect(
		    store, store_count(store, text("c"), 2, &count), STORE_YES);
		ck_assert_uint_eq(count, i);
	}
	expect(store, store_count(store, text("d"), 2, &count), STORE_YES);
	ck_assert_uint_eq(count, 1);
}

/* Later events do not make it longer. */
static void
case_window_ends(struct store *store)
{
	unsigned long count = 0;

	expect(store, store_count(store, text("c"), 2, &count), STORE_YES);
	in_use->pass(1);
	expect(store, store_count(store, text("c"), 2, &count), STORE_YES);
	ck_assert_uint_eq(count, 2);
	in_use->pass(2);
	expect(store, store_count(store, text("c"), 2, &count), STORE_YES);
	ck_assert_uint_eq(count, 1);
}

static void
case_add(struct store *store)
{
	long long total = -1;

	expect(store, store_add(store, text("s"), 0, 9, &total), STORE_YES);
	ck_assert_int_eq(total, 0);
	expect_none(store, "s");
	expect(store, store_add(store, text("s"), 5, 9, &total), STORE_YES);
	ck_assert_int_eq(total, 5);
	expect(store, store_add(store, text("s"), -7, 1, &total), STORE_YES);
	ck_assert_int_eq(total, -2);
	expect(store, store_add(store, text("s"), 0, 9, &total), STORE_YES);
	ck_assert_int_eq(total, -2);
	in_use->pass(2);
	expect(store, store_add(store, text("s"), 0, 9, &total), STORE_YES);
	ck_assert_int_eq(total, 0);
}

static char long_key[STORE_KEY_MAX + 2];
static char long_value[STORE_VALUE_MAX + 2];

static void
case_long_keys(struct store *store)
{
	struct seen seen = {.count = 0};
	slice one = {long_key, STORE_KEY_MAX};
	slice two = {long_key, STORE_KEY_MAX - 1};
	struct store_entry entry;

	memset(long_key, 'k', sizeof(long_key));
	expect(store, store_put(store, one, text("1"), 9), STORE_YES);
	expect(store, store_put(store, two, text("2"), 9), STORE_YES);
	expect(store, store_get(store, one, arena, &entry), STORE_YES);
	ck_assert(slice_eq(entry.value, text("1")));
	ck_assert(slice_eq(entry.key, one));
	expect(store, store_get(store, two, arena, &entry), STORE_YES);
	ck_assert(slice_eq(entry.value, text("2")));
	expect(store, store_list(store, text("kkk"), see, &seen), STORE_YES);
	ck_assert_uint_eq(seen.count, 2);
	expect(store, store_delete(store, one), STORE_YES);
	expect(store, store_get(store, two, arena, &entry), STORE_YES);
}

static void
case_bytes_of_all_kinds(struct store *store)
{
	slice key = {"k\0\r\n\xff *?[", 10};
	slice value = {"v\0\r\n$3\xfe", 8};
	struct store_entry entry;

	memset(long_value, '\xaa', sizeof(long_value));
	expect(store, store_put(store, key, value, 9), STORE_YES);
	expect(store, store_get(store, key, arena, &entry), STORE_YES);
	ck_assert(slice_eq(entry.key, key));
	ck_assert(slice_eq(entry.value, value));
	value = (slice){long_value, STORE_VALUE_MAX};
	expect(store, store_put(store, key, value, 9), STORE_YES);
	expect(store, store_get(store, key, arena, &entry), STORE_YES);
	ck_assert(slice_eq(entry.value, value));
}

static void
case_out_of_bounds_is_unavailable(struct store *store)
{
	slice key = {long_key, STORE_KEY_MAX + 1};
	slice value = {long_value, STORE_VALUE_MAX + 1};
	unsigned long count;

	memset(long_key, 'k', sizeof(long_key));
	expect(store, store_put(store, key, text("v"), 9), STORE_UNAVAILABLE);
	expect(
	    store, store_put(store, text(""), text("v"), 9), STORE_UNAVAILABLE);
	expect(store, store_put(store, text("k"), value, 9), STORE_UNAVAILABLE);
	expect(store, store_put(store, text("k"), text("v"), 0),
	    STORE_UNAVAILABLE);
	expect(
	    store, store_count(store, text("k"), 0, &count), STORE_UNAVAILABLE);
	expect_none(store, "k");
}

static void *
claim_many(void *context)
{
	struct store *store = context;
	struct arena *own = arena_new(0);
	unsigned long won = 0;

	for (int i = 0; i < 200; i++) {
		slice key = arena_printf(own, "race:%d", i);
		unsigned long count;

		if (store_claim(store, key, text("v"), 100, own, NULL) ==
		    STORE_YES)
			won++;
		if (store_count(store, text("all"), 100, &count) != STORE_YES)
			won += 10000;
	}
	arena_free(own);
	return (void *)won;
}

/* Of many threads one has a key, and no event is lost. */
static void
case_threads(struct store *store)
{
	pthread_t threads[4];
	unsigned long won = 0;
	unsigned long count = 0;

	for (int i = 0; i < ROWS(threads); i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, claim_many, store), 0);
	for (int i = 0; i < ROWS(threads); i++) {
		void *one;

		(void)pthread_join(threads[i], &one);
		won += (unsigned long)one;
	}
	ck_assert_uint_eq(won, 200);
	expect(store, store_count(store, text("all"), 100, &count), STORE_YES);
	ck_assert_uint_eq(count, 801);
}

static const struct {
	const char *name;
	void (*run)(struct store *store);
} cases[] = {
    {"claim", case_claim},
    {"claim again when over", case_claim_again_when_over},
    {"put replaces value and time", case_put_replaces_value_and_time},
    {"put expires", case_put_expires},
    {"delete", case_delete},
    {"list", case_list},
    {"list stops", case_list_stops},
    {"count", case_count},
    {"window ends", case_window_ends},
    {"add", case_add},
    {"long keys", case_long_keys},
    {"bytes of all kinds", case_bytes_of_all_kinds},
    {"out of bounds is unavailable", case_out_of_bounds_is_unavailable},
    {"threads", case_threads},
};

START_TEST(every_store)
{
	int which = _i % ROWS(cases);
	struct store *store;

	in_use = &implementations[_i / ROWS(cases)];
	store = in_use->open();
	if (store == NULL)
		return;
	cases[which].run(store);
	ck_assert_str_eq(store_kind_name(store), in_use->name);
	store_close(store);
	if (in_use->end != NULL)
		in_use->end();
}
END_TEST

/*
 * LMDB.
 */

START_TEST(entries_outlive_a_restart)
{
	struct store *store = lmdb_open();

	expect_put(store, "stays", "v", 100);
	expect_put(store, "goes", "v", 10);
	store_close(store);
	lmdb_pass(20);
	store = lmdb_open();
	expect_value(store, "stays", "v");
	expect_none(store, "goes");
	store_close(store);
}
END_TEST

static const long long jumps[] = {-86400, -3600, 3600, 86400};

/* A week's claims stay claimed, whatever an hour or a day the clock is off. */
START_TEST(clock_jumps_free_no_claims)
{
	struct store *store = lmdb_open();
	struct store_entry taken;
	char key[16];

	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "c%d", i);
		expect(store,
		    store_claim(
			store, text(key), text("v"), 7 * 86400, arena, NULL),
		    STORE_YES);
	}
	now_ms += jumps[_i] * 1000;
	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "c%d", i);
		expect(store,
		    store_claim(
			store, text(key), text("v"), 7 * 86400, arena, &taken),
		    STORE_NO);
		ck_assert_uint_le(taken.seconds_left, 7 * 86400);
	}
	store_close(store);
}
END_TEST

START_TEST(nothing_lives_longer_than_its_length)
{
	struct store *store = lmdb_open();
	struct store_entry entry;

	expect_put(store, "k", "v", 1800);
	now_ms -= 3600 * 1000LL;
	expect(store, store_get(store, text("k"), arena, &entry), STORE_YES);
	ck_assert_uint_eq(entry.seconds_left, 1800);
	store_close(store);
}
END_TEST

START_TEST(keys_are_counted)
{
	struct store *store = lmdb_open();
	size_t keys;

	ck_assert(store_key_count(store, &keys));
	ck_assert_uint_eq(keys, 0);
	expect_put(store, "a", "v", 10);
	expect_put(store, "b", "v", 10);
	expect_put(store, "b", "w", 10);
	ck_assert(store_key_count(store, &keys));
	ck_assert_uint_eq(keys, 2);
	expect(store, store_delete(store, text("a")), STORE_YES);
	ck_assert(store_key_count(store, &keys));
	ck_assert_uint_eq(keys, 1);
	store_close(store);
}
END_TEST

START_TEST(expired_entries_are_swept)
{
	struct store_options options = plain_options();
	struct store *store;
	char key[16];

	options.keys_max = 100;
	store = open_with(&options);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "old%d", i);
		expect_put(store, key, "v", 10);
	}
	expect(store, store_put(store, text("new"), text("v"), 10),
	    STORE_UNAVAILABLE);
	lmdb_pass(11);
	/* A whole sweep is made once a minute; single ones go by and by. */
	lmdb_pass(60);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "new%d", i);
		expect_put(store, key, "v", 1000);
	}
	expect(store, store_put(store, text("more"), text("v"), 10),
	    STORE_UNAVAILABLE);
	/* What is there can be read and deleted all the same. */
	expect_value(store, "new7", "v");
	expect(store, store_delete(store, text("new7")), STORE_YES);
	expect_put(store, "more", "v", 10);
	store_close(store);
}
END_TEST

START_TEST(full_file_gives_room_again)
{
	struct store_options options = plain_options();
	struct store *store;
	enum store_result result = STORE_YES;
	char key[16];
	int most = 0;

	options.map_bytes = 1024 * 1024;
	store = open_with(&options);
	memset(long_value, 'v', sizeof(long_value));
	for (; result == STORE_YES && most < 2000; most++) {
		(void)snprintf(key, sizeof(key), "k%d", most);
		result = store_put(
		    store, text(key), (slice){long_value, STORE_VALUE_MAX}, 10);
	}
	expect(store, result, STORE_UNAVAILABLE);
	ck_assert_int_gt(most, 50);
	ck_assert_int_lt(most, 2000);
	lmdb_pass(100);
	expect_put(store, "k", "v", 10);
	expect_value(store, "k", "v");
	store_close(store);
}
END_TEST

/* Above a day of small keys the file does not grow. */
START_TEST(round_sweep_keeps_the_file_small)
{
	struct store *store = lmdb_open();
	struct stat before = {0};
	struct stat after;
	char key[16];

	for (int i = 0; i < 1500; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		expect_put(store, key, "value", 60);
		lmdb_pass(1);
		if (i == 700)
			ck_assert_int_eq(
			    stat(scratch_path("store.mdb"), &before), 0);
	}
	ck_assert_int_eq(stat(scratch_path("store.mdb"), &after), 0);
	ck_assert_int_le(after.st_size, before.st_size + 64 * 1024);
	store_close(store);
}
END_TEST

static void
expect_no_store(int exit_code, const char *text_part)
{
	struct store_options options = plain_options();
	struct error error = {.text = ""};
	struct store *store = store_lmdb_open(scratch, &options, &error);

	ck_assert_ptr_null(store);
	ck_assert_msg(error.exit_code == exit_code && error.file[0] == '/' &&
			  strstr(error.text, text_part) != NULL,
	    "%s: %s (%d)", error.file, error.text, error.exit_code);
}

static void
fill(void)
{
	struct store *store = lmdb_open();
	char key[16];

	for (int i = 0; i < 500; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		expect_put(store, key, "a value of some length", 1000);
	}
	store_close(store);
}

static void
damage(long at, long len, int byte)
{
	FILE *file = fopen(scratch_path("store.mdb"), "r+");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, at, SEEK_SET), 0);
	while (len-- > 0)
		ck_assert_int_eq(putc(byte, file), byte);
	ck_assert_int_eq(fclose(file), 0);
}

static const struct {
	long at;
	long len;
	int byte;
} damages[] = {
    {0, 8192, 0},
    {0, 8192, 0xff},
    {8192, 40000, 0},
    {8192, 40000, 0xff},
    {8192, 40000, 0x41},
    {16, 4, 1},
};

START_TEST(damaged_file_is_refused)
{
	fill();
	damage(damages[_i].at, damages[_i].len, damages[_i].byte);
	if (_i == 5)
		damage(4096 + damages[_i].at, 4, 1);
	expect_no_store(EX_IOERR, "is damaged");
}
END_TEST

START_TEST(shortened_file_is_refused)
{
	fill();
	ck_assert_int_eq(truncate(scratch_path("store.mdb"), 12288), 0);
	expect_no_store(EX_IOERR, "is damaged");
	(void)scratch_write("store.mdb", SLICE("not a store"));
	ck_assert_int_eq(chmod(scratch_path("store.mdb"), 0600), 0);
	expect_no_store(EX_IOERR, "is damaged");
}
END_TEST

START_TEST(file_and_directory_of_others_are_refused)
{
	fill();
	ck_assert_int_eq(chmod(scratch_path("store.mdb"), 0640), 0);
	expect_no_store(EX_NOPERM, "others may use it");
	ck_assert_int_eq(chmod(scratch_path("store.mdb"), 0600), 0);
	ck_assert_int_eq(chmod(scratch, 0770), 0);
	expect_no_store(EX_NOPERM, "may be written by others");
	ck_assert_int_eq(chmod(scratch, 0700), 0);
	ck_assert_int_eq(
	    rename(scratch_path("store.mdb"), scratch_path("x")), 0);
	ck_assert_int_eq(
	    symlink(scratch_path("x"), scratch_path("store.mdb")), 0);
	expect_no_store(EX_NOPERM, "no plain file");
}
END_TEST

START_TEST(missing_directory_is_refused)
{
	struct store_options options = plain_options();
	struct error error = {.text = ""};

	ck_assert_ptr_null(
	    store_lmdb_open(scratch_path("no"), &options, &error));
	ck_assert_int_eq(error.exit_code, EX_NOINPUT);
}
END_TEST

/* As on a full disk: no byte more may be written. */
START_TEST(full_disk_is_unavailable)
{
	struct rlimit before;
	struct rlimit tight;
	struct stat st;
	struct store *store;
	enum store_result result = STORE_YES;
	char key[16];

	(void)signal(SIGXFSZ, SIG_IGN);
	fill();
	store = lmdb_open();
	ck_assert_int_eq(stat(scratch_path("store.mdb"), &st), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight = (struct rlimit){(rlim_t)st.st_size, before.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
	for (int i = 0; i < 1000 && result == STORE_YES; i++) {
		(void)snprintf(key, sizeof(key), "more%d", i);
		result = store_put(store, text(key),
		    (slice){long_value, STORE_VALUE_MAX}, 1000);
	}
	expect(store, result, STORE_UNAVAILABLE);
	expect_value(store, "k7", "a value of some length");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	expect_put(store, "again", "v", 100);
	expect_value(store, "again", "v");
	store_close(store);
	store = lmdb_open();
	expect_value(store, "again", "v");
	expect_value(store, "k499", "a value of some length");
	store_close(store);
}
END_TEST

/*
 * kill -9: the child says in shared memory what has been acknowledged.
 */

struct shared {
	_Atomic unsigned long acknowledged;
};

static unsigned
kill_rounds(void)
{
	const char *rounds = getenv("STORE_KILL_ROUNDS");

	return rounds == NULL ? 60 : (unsigned)strtoul(rounds, NULL, 10);
}

static _Noreturn void
claim_until_killed(struct shared *shared)
{
	struct store_options options = plain_options();
	struct error error = {.text = ""};
	struct store *store;
	struct arena *own = arena_new(0);

	options.is_unsynced = false;
	store = store_lmdb_open(scratch, &options, &error);
	for (; store != NULL; arena_reset(own)) {
		unsigned long number = shared->acknowledged + 1;

		if (store_claim(store, arena_printf(own, "claim:%lu", number),
			arena_printf(own, "%lu", number), 86400, own,
			NULL) == STORE_UNAVAILABLE)
			break;
		shared->acknowledged = number;
	}
	_exit(1);
}

static void
kill_one(struct shared *shared, unsigned round)
{
	unsigned long before = shared->acknowledged;
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (child == 0)
		claim_until_killed(shared);
	while (shared->acknowledged == before &&
	       waitpid(child, &status, WNOHANG) == 0)
		(void)usleep(100);
	(void)usleep((round * 7919) % 3000);
	(void)kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
}

START_TEST(acknowledged_claims_survive_kill_9)
{
	struct shared *shared = mmap(NULL, sizeof(*shared),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct store *store;

	ck_assert(shared != MAP_FAILED);
	for (unsigned round = 0; round < kill_rounds(); round++)
		kill_one(shared, round);
	store = lmdb_open();
	ck_assert_uint_ge(shared->acknowledged, kill_rounds());
	for (unsigned long i = 1; i <= shared->acknowledged; i++) {
		char key[32];
		char value[32];

		(void)snprintf(key, sizeof(key), "claim:%lu", i);
		(void)snprintf(value, sizeof(value), "%lu", i);
		expect_value(store, key, value);
	}
	store_close(store);
	(void)munmap(shared, sizeof(*shared));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store");
	TCase *all = tcase_create("every implementation");
	TCase *lmdb = tcase_create("lmdb");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(all, 60);
	tcase_set_timeout(lmdb, 600);
	tcase_add_checked_fixture(all, begin, end);
	tcase_add_checked_fixture(lmdb, begin, end);
	tcase_add_loop_test(
	    all, every_store, 0, ROWS(cases) * ROWS(implementations));
	tcase_add_test(lmdb, entries_outlive_a_restart);
	tcase_add_loop_test(lmdb, clock_jumps_free_no_claims, 0, ROWS(jumps));
	tcase_add_test(lmdb, nothing_lives_longer_than_its_length);
	tcase_add_test(lmdb, keys_are_counted);
	tcase_add_test(lmdb, expired_entries_are_swept);
	tcase_add_test(lmdb, full_file_gives_room_again);
	tcase_add_test(lmdb, round_sweep_keeps_the_file_small);
	tcase_add_loop_test(lmdb, damaged_file_is_refused, 0, ROWS(damages));
	tcase_add_test(lmdb, shortened_file_is_refused);
	tcase_add_test(lmdb, file_and_directory_of_others_are_refused);
	tcase_add_test(lmdb, missing_directory_is_refused);
	tcase_add_test(lmdb, full_disk_is_unavailable);
	tcase_add_test(lmdb, acknowledged_claims_survive_kill_9);
	suite_add_tcase(suite, all);
	suite_add_tcase(suite, lmdb);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
