/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/redis_state.h"

#include "milter/log.h"
#include "milter/threads.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>

enum {
	/* Nothing of it was heard for so long: it is over. One answer in time
	 * among many that are late is no sign of that. */
	TROUBLE_OVER_MS = 2 * 1000,
	REFUSALS_OVER_MS = 10 * 1000,
	QUIET_MS = 60 * 1000, /* between two lines about two troubles */
	LOOK_MS = 1000,
	MOST_ADDRESSES = 8,
};

struct redis_state {
	struct redis_client *client;
	struct resolver *resolver;
	pthread_mutex_t lock; /* of what follows */
	struct redis_report report;
	deadline_ms heard_at;  /* the last trouble */
	deadline_ms logged_at; /* the last line */
};

bool
redis_is_configured(const struct settings *settings)
{
	return settings->redis.server.len > 0 ||
	       settings->redis.sentinels.count > 0;
}

/*
 * Names.
 */

static bool
to_sockaddr(slice text, struct redis_address *ret)
{
	bool six = slice_has_prefix_nocase(text, SLICE("IPv6:"));
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&ret->at;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&ret->at;
	char address[INET6_ADDRSTRLEN];

	text = slice_from(text, six ? strlen("IPv6:") : 0);
	(void)snprintf(address, sizeof(address), SLICE_FMT, SLICE_ARG(text));
	memset(ret, 0, sizeof(*ret));
	ret->at.ss_family = six ? AF_INET6 : AF_INET;
	ret->size = six ? sizeof(*in6) : sizeof(*in);
	return six ? inet_pton(AF_INET6, address, &in6->sin6_addr) == 1
		   : inet_pton(AF_INET, address, &in->sin_addr) == 1;
}

static size_t
find_addresses(void *context, slice host, deadline_ms deadline,
    struct redis_address *ret, size_t most)
{
	struct redis_state *state = context;
	struct arena *arena = arena_new(0);
	slice texts[MOST_ADDRESSES];
	size_t found = resolver_find_addresses(state->resolver, arena, deadline,
	    host, texts, most < MOST_ADDRESSES ? most : MOST_ADDRESSES);
	size_t count = 0;

	for (size_t i = 0; i < found; i++) {
		if (to_sockaddr(texts[i], &ret[count]))
			count++;
	}
	arena_free(arena);
	return count;
}

/*
 * How it is.
 */

static bool
is_refusal(enum redis_trouble trouble)
{
	return trouble >= REDIS_DENIED;
}

static bool
is_over(const struct redis_state *state)
{
	return !state->report.is_tried ||
	       deadline_now() - state->heard_at >=
		   (is_refusal(state->report.trouble) ? REFUSALS_OVER_MS
						      : TROUBLE_OVER_MS);
}

static int
priority_of(enum redis_trouble trouble)
{
	if (trouble == REDIS_NO_TROUBLE)
		return LOG_NOTICE;
	return trouble == REDIS_DENIED || trouble == REDIS_CLUSTER ||
		       trouble == REDIS_BAD_TLS
		   ? LOG_ERR
		   : LOG_WARNING;
}

struct line {
	int priority;
	char text[600]; /* empty: nothing to log */
};

static void
write_well(const struct redis_report *report, struct line *ret)
{
	const char *server = report->server;

	if (!report->is_tried)
		(void)snprintf(ret->text, sizeof(ret->text),
		    "redis: %s: connected", server);
	else
		(void)snprintf(ret->text, sizeof(ret->text),
		    "redis: %s: well again after %lld s (%s)", server,
		    (long long)(time(NULL) - report->since),
		    redis_trouble_name(report->trouble));
}

static void
write_trouble(enum redis_trouble trouble, const char *problem,
    const struct redis_report *report, struct line *ret)
{
	(void)snprintf(ret->text, sizeof(ret->text),
	    "redis: %s: %s: %s; mail goes on with what this node has",
	    report->server, redis_trouble_name(trouble), problem);
}

/* Is this a change to tell? Then `ret` is the line. */
static void
change(struct redis_state *state, enum redis_trouble trouble,
    const char *problem, struct line *ret)
{
	struct redis_report *report = &state->report;
	bool was_well =
	    !report->is_tried || report->trouble == REDIS_NO_TROUBLE;

	if (report->is_tried && report->trouble == trouble)
		return;
	if (trouble == REDIS_NO_TROUBLE)
		write_well(report, ret);
	else if (was_well || deadline_passed(state->logged_at + QUIET_MS))
		write_trouble(trouble, problem, report, ret);
	if (trouble == REDIS_NO_TROUBLE || was_well)
		report->since = time(NULL);
	report->trouble = trouble;
	report->is_tried = true;
	ret->priority = priority_of(trouble);
	if (ret->text[0] != '\0')
		state->logged_at = deadline_now();
}

static void
note_trouble(
    struct redis_state *state, enum redis_trouble trouble, const char *problem)
{
	struct redis_report *report = &state->report;

	state->heard_at = deadline_now();
	report->troubles++;
	report->last_trouble = trouble;
	report->last_trouble_at = time(NULL);
	(void)snprintf(
	    report->last_problem, sizeof(report->last_problem), "%s", problem);
}

static void
on_outcome(void *context, enum redis_trouble trouble, const char *problem,
    const char *server)
{
	struct redis_state *state = context;
	struct line line = {.text = ""};

	(void)pthread_mutex_lock(&state->lock);
	state->report.requests++;
	if (server[0] != '\0')
		(void)snprintf(state->report.server,
		    sizeof(state->report.server), "%s", server);
	if (trouble != REDIS_NO_TROUBLE)
		note_trouble(state, trouble, problem);
	if (trouble != REDIS_NO_TROUBLE || is_over(state))
		change(state, trouble, problem, &line);
	(void)pthread_mutex_unlock(&state->lock);
	if (line.text[0] != '\0')
		log_line(line.priority, "%s", line.text);
}

struct redis_report
redis_state_report(struct redis_state *state)
{
	struct redis_report report;

	(void)pthread_mutex_lock(&state->lock);
	report = state->report;
	(void)pthread_mutex_unlock(&state->lock);
	return report;
}

/*
 * The client.
 */

static struct redis_options
options_from(const struct settings *settings)
{
	const struct redis_settings *redis = &settings->redis;

	return (struct redis_options){
	    .server = redis->server,
	    .sentinels = redis->sentinels.items,
	    .sentinel_count = redis->sentinels.count,
	    .master = redis->master,
	    .user = redis->user,
	    .password_file = redis->password_file,
	    .sentinel_password_file = redis->sentinel_password_file,
	    .database = redis->database,
	    .prefix = redis->prefix,
	    .timeout_ms = (unsigned)redis->timeout_ms,
	    .tls = redis->tls,
	    .tls_ca_file = redis->tls_ca_file,
	    .tls_cert_file = redis->tls_cert_file,
	    .tls_key_file = redis->tls_key_file,
	    .tls_server_name = redis->tls_server_name,
	    .allow_unsafe_files = settings->allow_unsafe_files,
	};
}

/*
 * The thread.
 */

static void *
run(void *context)
{
	struct redis_state *state = context;
	struct redis *redis = redis_open(state->client);

	for (;;) {
		unsigned pause;

		(void)redis_check(redis, redis_client_deadline(state->client));
		pause = redis_client_pause(state->client);
		if (pause == 0 || pause > LOOK_MS)
			pause = LOOK_MS;
		(void)poll(NULL, 0, (int)pause);
	}
	return NULL;
}

bool
redis_state_start(struct redis_state *state, struct error *error)
{
	return threads_start(NULL, run, state, error);
}

struct redis_state *
redis_state_new(const struct settings *settings, struct resolver *resolver,
    struct error *error)
{
	struct redis_options options = options_from(settings);
	struct redis_state *state = xmalloc(sizeof(*state));
	struct redis_ports ports = {
	    .context = state,
	    .find_addresses = resolver == NULL ? NULL : find_addresses,
	    .on_outcome = on_outcome,
	};

	*state = (struct redis_state){.resolver = resolver};
	(void)pthread_mutex_init(&state->lock, NULL);
	(void)snprintf(state->report.server, sizeof(state->report.server),
	    SLICE_FMT,
	    SLICE_ARG(settings->redis.server.len > 0
			  ? settings->redis.server
			  : settings->redis.sentinels.items[0]));
	state->client = redis_client_new(&options, &ports, error);
	if (state->client != NULL)
		return state;
	if (error != NULL && error->exit_code == 0)
		error->exit_code = EX_CONFIG;
	redis_state_free(state);
	return NULL;
}

void
redis_state_free(struct redis_state *state)
{
	if (state == NULL)
		return;
	redis_client_free(state->client);
	(void)pthread_mutex_destroy(&state->lock);
	free(state);
}

struct redis_client *
redis_state_client(struct redis_state *state)
{
	return state->client;
}
