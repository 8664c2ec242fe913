/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client of Redis in the hands of a test. The arguments are the options as
 * name=value; every line of the input, words with tabs between them, is one
 * request:
 *
 *   call WORD ...      pipeline WORD ... ; WORD ...     check     pause
 *   subscribe CHANNEL ...     wait MILLISECONDS     sleep MILLISECONDS
 *   pin 0|1     many COUNT     (PING that many times in one pipeline)
 *   claim KEY VALUE SECONDS    get KEY    put KEY VALUE SECONDS    delete KEY
 *   list PREFIX [MOST]    count KEY SECONDS    add KEY AMOUNT SECONDS
 *
 * the last two lines being those of maps/store.h, whose trouble is yes, no or
 * unavailable. The first word may be @COUNT: a line is then done that often by
 * each of 8 threads at once, with "%" in its words replaced by a number of the
 * line's own, and answered with how often each result came. A line
 *
 * is answered by one line: trouble, milliseconds that it took, the reply
 * or the replies, the problem; "loaded" or "refused" and why come first.
 */
#include "maps/redis.h"
#include "base/strbuf.h"
#include "maps/store_redis.h"

#include <pthread.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_WORDS = 1000, MOST_SENTINELS = 8 };

static struct redis_options options;
static slice sentinels[MOST_SENTINELS];
static slice hosts[2]; /* a name and the address that it has */
static unsigned long limit = REDIS_REPLY_BYTES;

struct line {
	slice words[MOST_WORDS];
	size_t count;
};

static void
set_option(const char *name, slice value)
{
	static const struct {
		const char *name;
		slice *place;
	} words[] = {
	    {"server", &options.server},
	    {"master", &options.master},
	    {"user", &options.user},
	    {"password_file", &options.password_file},
	    {"sentinel_password_file", &options.sentinel_password_file},
	    {"tls_ca_file", &options.tls_ca_file},
	    {"tls_cert_file", &options.tls_cert_file},
	    {"tls_key_file", &options.tls_key_file},
	    {"tls_server_name", &options.tls_server_name},
	    {"name", &hosts[0]},
	    {"address", &hosts[1]},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(name, words[i].name) == 0)
			*words[i].place = value;
	}
	if (strcmp(name, "sentinel") == 0)
		sentinels[options.sentinel_count++] = value;
	if (strcmp(name, "tls") == 0)
		options.tls = true;
	if (strcmp(name, "unsafe") == 0)
		options.allow_unsafe_files = true;
	if (strcmp(name, "database") == 0)
		options.database = atoi(value.ptr);
	if (strcmp(name, "timeout") == 0)
		options.timeout_ms = (unsigned)atoi(value.ptr);
	if (strcmp(name, "limit") == 0)
		limit = strtoul(value.ptr, NULL, 10);
}

/* A name server that never answers, but for one name. */
static size_t
find_addresses(void *context, slice host, deadline_ms deadline,
    struct redis_address *ret, size_t most)
{
	struct sockaddr_storage *at = &ret->at;

	(void)context;
	(void)most;
	if (hosts[0].len == 0 || !slice_eq(host, hosts[0])) {
		while (!deadline_passed(deadline))
			(void)usleep(1000);
		return 0;
	}
	memset(ret, 0, sizeof(*ret));
	at->ss_family = AF_INET;
	ret->size = 16;
	memcpy((char *)at + 4, "\177\0\0\1", 4);
	return 1;
}

static void
print_text(slice text)
{
	putchar('"');
	for (size_t i = 0; i < text.len && i < 200; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < ' ' || c > '~' || c == '"' || c == '\\')
			printf("\\x%02x", c);
		else
			putchar(c);
	}
	putchar('"');
	if (text.len > 200)
		printf("+%zu", text.len - 200);
}

static void
print_reply(const struct redis_reply *reply)
{
	switch (reply->kind) {
	case REDIS_KIND_NIL:
		printf("nil");
		return;
	case REDIS_KIND_TEXT:
		print_text(reply->text);
		return;
	case REDIS_KIND_NUMBER:
		printf("%lld", reply->number);
		return;
	case REDIS_KIND_ERROR:
		printf("!%s", redis_trouble_name(reply->trouble));
		return;
	case REDIS_KIND_ARRAY:
		break;
	}
	putchar('[');
	for (size_t i = 0; i < reply->count && i < 50; i++) {
		printf(i == 0 ? "" : ",");
		print_reply(reply->items[i]);
	}
	printf("]");
}

static enum redis_trouble
run_pipeline(struct redis *redis, deadline_ms deadline, const struct line *line)
{
	static struct redis_command commands[MOST_WORDS];
	struct redis_reply *const *replies;
	size_t count = 0;
	enum redis_trouble trouble;

	for (size_t i = 1; i < line->count; i++) {
		size_t first = i;

		while (i < line->count && !slice_eq(line->words[i], SLICE(";")))
			i++;
		commands[count++] =
		    (struct redis_command){&line->words[first], i - first};
	}
	trouble =
	    redis_pipeline(redis, deadline, commands, count, limit, &replies);
	for (size_t i = 0; trouble == REDIS_NO_TROUBLE && i < count; i++) {
		print_reply(replies[i]);
		putchar(' ');
	}
	return trouble;
}

static enum redis_trouble
run_many(struct redis *redis, deadline_ms deadline, size_t count)
{
	slice ping[] = {
	    SLICE("PING"), SLICE("0123456789012345678901234567890")};
	struct redis_command *commands = calloc(count, sizeof(*commands));
	struct redis_reply *const *replies;
	enum redis_trouble trouble;

	for (size_t i = 0; i < count; i++)
		commands[i] = (struct redis_command){ping, 2};
	trouble =
	    redis_pipeline(redis, deadline, commands, count, limit, &replies);
	if (trouble == REDIS_NO_TROUBLE)
		print_reply(replies[count - 1]);
	free(commands);
	return trouble;
}

static enum redis_trouble
run(struct redis *redis, struct line *line)
{
	deadline_ms deadline = redis_client_deadline(redis_client_of(redis));
	const char *verb = line->words[0].ptr;
	struct redis_command command = {line->words + 1, line->count - 1};
	enum redis_trouble trouble = REDIS_NO_TROUBLE;
	const struct redis_reply *reply;
	struct redis_message message;

	if (strcmp(verb, "call") == 0) {
		trouble = redis_call(redis, deadline, &command, &reply);
		if (trouble == REDIS_NO_TROUBLE)
			print_reply(reply);
	} else if (strcmp(verb, "pipeline") == 0) {
		trouble = run_pipeline(redis, deadline, line);
	} else if (strcmp(verb, "many") == 0) {
		trouble = run_many(
		    redis, deadline, strtoul(line->words[1].ptr, NULL, 10));
	} else if (strcmp(verb, "check") == 0) {
		trouble = redis_check(redis, deadline);
	} else if (strcmp(verb, "pause") == 0) {
		printf("%u", redis_client_pause(redis_client_of(redis)));
	} else if (strcmp(verb, "pin") == 0) {
		redis_pin(redis, line->words[1].ptr[0] == '1');
	} else if (strcmp(verb, "sleep") == 0) {
		(void)usleep((unsigned)atoi(line->words[1].ptr) * 1000);
	} else if (strcmp(verb, "subscribe") == 0) {
		trouble = redis_subscribe(
		    redis, deadline, command.words, command.count);
	} else if (strcmp(verb, "wait") == 0) {
		trouble = redis_wait_message(redis,
		    deadline_in((unsigned)atoi(line->words[1].ptr)), -1,
		    &message);
		if (trouble == REDIS_NO_TROUBLE && message.channel.len > 0)
			print_text(message.text);
	}
	return trouble;
}

/*
 * The store.
 */

static struct store *store;

struct list {
	size_t count;
	size_t most;
	bool is_quiet;
};

static bool
on_entry(void *context, const struct store_entry *entry)
{
	struct list *list = context;

	if (!list->is_quiet && list->count < 20) {
		printf(list->count == 0 ? "" : ",");
		print_text(entry->key);
		printf("=");
		print_text(entry->value);
		printf("/%lu", entry->seconds_left);
	}
	return ++list->count != list->most;
}

static unsigned long
number_of(const struct line *line, size_t i)
{
	return i < line->count ? strtoul(line->words[i].ptr, NULL, 10) : 0;
}

/* Threads' lines are not printed. */
static enum store_result
run_store(const struct line *line, struct arena *arena, bool is_quiet)
{
	const char *verb = line->words[0].ptr;
	slice key = line->count > 1 ? line->words[1] : SLICE("");
	slice value = line->count > 2 ? line->words[2] : SLICE("");
	struct store_entry entry = {.value = {NULL, 0}};
	struct list list = {.most = number_of(line, 2), .is_quiet = is_quiet};
	enum store_result result = STORE_UNAVAILABLE;
	unsigned long count = 0;
	long long total = 0;

	if (strcmp(verb, "claim") == 0)
		result = store_claim(
		    store, key, value, number_of(line, 3), arena, &entry);
	else if (strcmp(verb, "get") == 0)
		result = store_get(store, key, arena, &entry);
	else if (strcmp(verb, "put") == 0)
		result = store_put(store, key, value, number_of(line, 3));
	else if (strcmp(verb, "delete") == 0)
		result = store_delete(store, key);
	else if (strcmp(verb, "list") == 0)
		result = store_list(store, key, on_entry, &list);
	else if (strcmp(verb, "count") == 0)
		result = store_count(store, key, number_of(line, 2), &count);
	else if (strcmp(verb, "add") == 0)
		result = store_add(
		    store, key, atoll(value.ptr), number_of(line, 3), &total);
	if (is_quiet)
		return result;
	if (entry.key.len > 0) {
		print_text(entry.value);
		printf("/%lu", entry.seconds_left);
	} else if (strcmp(verb, "list") == 0) {
		printf(" %zu", list.count);
	} else if (strcmp(verb, "count") == 0) {
		printf("%lu", count);
	} else if (strcmp(verb, "add") == 0) {
		printf("%lld", total);
	}
	return result;
}

enum { THREADS = 8 };

struct work {
	const struct line *line;
	unsigned long count;
	unsigned long results[3];
};

static slice
with_number(struct arena *arena, slice word, unsigned long number)
{
	size_t at = slice_index(word, '%');

	if (at == word.len)
		return word;
	return arena_printf(arena, SLICE_FMT "%lu" SLICE_FMT,
	    SLICE_ARG(slice_first(word, at)), number,
	    SLICE_ARG(slice_from(word, at + 1)));
}

static void *
work(void *context)
{
	struct work *work = context;
	struct line line = {.count = work->line->count - 1};

	for (unsigned long i = 0; i < work->count; i++) {
		struct arena *arena = arena_new(0);

		for (size_t j = 0; j < line.count; j++)
			line.words[j] =
			    with_number(arena, work->line->words[j + 1], i);
		work->results[run_store(&line, arena, true)]++;
		arena_free(arena);
	}
	return NULL;
}

static void
run_threads(const struct line *line)
{
	struct work works[THREADS];
	pthread_t threads[THREADS];
	unsigned long results[3] = {0, 0, 0};

	for (size_t i = 0; i < THREADS; i++) {
		works[i] = (struct work){.line = line,
		    .count = strtoul(line->words[0].ptr + 1, NULL, 10)};
		if (pthread_create(&threads[i], NULL, work, &works[i]) != 0)
			abort();
	}
	for (size_t i = 0; i < THREADS; i++) {
		(void)pthread_join(threads[i], NULL);
		for (size_t j = 0; j < 3; j++)
			results[j] += works[i].results[j];
	}
	printf("yes %lu no %lu unavailable %lu", results[STORE_YES],
	    results[STORE_NO], results[STORE_UNAVAILABLE]);
}

/* False for a line that is not the store's. */
static bool
run_on_store(const struct line *line, long long began)
{
	static const char verbs[] = " claim get put delete list count add ";
	static const char *const names[] = {"yes", "no", "unavailable"};
	struct arena *arena = arena_new(0);
	slice verb =
	    arena_printf(arena, " " SLICE_FMT " ", SLICE_ARG(line->words[0]));
	bool is_store = strstr(verbs, verb.ptr) != NULL;
	const char *result = "yes";
	char why[200] = "";

	if (line->words[0].ptr[0] == '@')
		run_threads(line);
	else if (is_store)
		result = names[run_store(line, arena, false)];
	store_trouble(store, why, sizeof(why));
	arena_free(arena);
	if (!is_store && line->words[0].ptr[0] != '@')
		return false;
	printf("\t%s\t%lld\t%s\n", result, deadline_now() - began, why);
	return true;
}

static void
split(char *text, struct line *ret)
{
	slice rest = slice_from_cstr(text);

	ret->count = 0;
	while (ret->count < MOST_WORDS &&
	       slice_next(&rest, '\t', &ret->words[ret->count])) {
		char *end = text + (ret->words[ret->count].ptr - text) +
			    ret->words[ret->count].len;

		*end = '\0';
		ret->count++;
	}
}

static void
serve(struct redis *redis)
{
	static struct line line;
	static char text[256 * 1024];

	while (fgets(text, sizeof(text), stdin) != NULL) {
		deadline_ms began = deadline_now();
		enum redis_trouble trouble;

		text[strcspn(text, "\n")] = '\0';
		split(text, &line);
		if (!run_on_store(&line, began)) {
			trouble = run(redis, &line);
			printf("\t%s\t%lld\t%s\n", redis_trouble_name(trouble),
			    deadline_now() - began, redis_problem(redis));
		}
		(void)fflush(stdout);
	}
}

int
main(int argc, char **argv)
{
	struct redis_ports ports = {.find_addresses = find_addresses};
	struct error error = {.text = ""};
	struct redis_client *client;
	struct redis *redis;
	char why[1024];

	options.timeout_ms = 250;
	options.prefix = SLICE("mlt:");
	options.sentinels = sentinels;
	for (int i = 1; i < argc; i++) {
		char *equals = strchr(argv[i], '=');

		*equals = '\0';
		set_option(argv[i], slice_from_cstr(equals + 1));
	}
	(void)signal(SIGPIPE, SIG_IGN);
	client = redis_client_new(&options, &ports, &error);
	if (client == NULL) {
		printf("refused\t%s\n", error_format(&error, why, sizeof(why)));
		return 1;
	}
	printf("loaded\n");
	(void)fflush(stdout);
	redis = redis_open(client);
	store = store_redis_open(client);
	serve(redis);
	store_close(store);
	redis_close(redis);
	redis_client_free(client);
	return 0;
}
