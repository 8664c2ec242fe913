/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/redis_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "maps/safe_file.h"
#include "maps/text.h"

enum {
	PAUSE_FIRST_MS = 100,
	PAUSE_MOST_MS = 5000,	    /* where a try costs the timeout */
	PAUSE_MOST_QUICK_MS = 2000, /* where it is answered at once */
	PAUSE_MOST_LOADING_MS = 1000,
	PAUSE_SETTLED_MS = 10 * 1000, /* where somebody must change something */
};

static slice
copy(struct arena *arena, slice s)
{
	return (slice){arena_cstr(arena, s), s.len};
}

static void
copy_options(struct redis_client *client, const struct redis_options *options)
{
	struct arena *arena = client->arena;
	slice *sentinels =
	    ARENA_ARRAY(arena, slice, options->sentinel_count + 1);

	for (size_t i = 0; i < options->sentinel_count; i++)
		sentinels[i] = copy(arena, options->sentinels[i]);
	client->options = *options;
	client->options.sentinels = sentinels;
	client->options.server = copy(arena, options->server);
	client->options.master = copy(arena, options->master);
	client->options.user = copy(arena, options->user);
	client->options.prefix = copy(arena, options->prefix);
	client->options.tls_server_name = copy(arena, options->tls_server_name);
	client->database = arena_printf(arena, "%d", options->database);
}

static bool
check_server(slice server, bool tls, bool may_be_unix, struct error *error)
{
	const char *problem = redis_judge_server(server);
	bool is_unix = slice_has_prefix_nocase(server, SLICE("unix:"));

	if (problem == NULL && is_unix && tls)
		problem = "is a unix socket, and TLS is for inet servers";
	if (problem == NULL && is_unix && !may_be_unix)
		problem = "is a unix socket, and sentinels are inet servers";
	return problem == NULL || error_set(error, "\"" SLICE_FMT "\" %s",
				      SLICE_ARG(server), problem);
}

static bool
check_options(const struct redis_options *options, struct error *error)
{
	if ((options->sentinel_count > 0) != (options->master.len > 0))
		return error_set(error,
		    "sentinels and master belong together: one is not set");
	if (options->sentinel_count > 0 && options->server.len > 0)
		return error_set(
		    error, "either server or sentinels: both are set");
	if ((options->tls_cert_file.len > 0) != (options->tls_key_file.len > 0))
		return error_set(error,
		    "tls_cert_file and tls_key_file belong together: one is "
		    "not set");
	if (options->sentinel_count == 0)
		return check_server(options->server, options->tls, true, error);
	for (size_t i = 0; i < options->sentinel_count; i++) {
		if (!check_server(
			options->sentinels[i], options->tls, false, error))
			return false;
	}
	return true;
}

/* Anybody who can read a secret's file has it. */
static bool
check_secret(const char *path, const struct stat *st, struct error *error)
{
	if ((st->st_mode & (S_IRWXG | S_IRWXO)) == 0)
		return true;
	(void)error_at(error, path, 0,
	    "group or others may read this file (mode %04o); it must be for "
	    "its owner alone",
	    (unsigned)st->st_mode & 07777);
	if (error != NULL)
		error->exit_code = EX_NOPERM;
	return false;
}

static bool
read_secret(struct redis_client *client, slice file, slice *ret_secret,
    struct error *error)
{
	const char *path = arena_cstr(client->arena, file);
	struct text_file text;
	slice rest;

	if (file.len == 0)
		return true;
	if (!text_file_read(path, client->options.allow_unsafe_files,
		client->arena, &text, error) ||
	    !check_secret(path, &text.stat, error))
		return false;
	rest = text.content;
	if (!slice_next(&rest, '\n', ret_secret) ||
	    slice_trim(*ret_secret).len == 0)
		return error_at(error, path, 1, "no password in this line");
	*ret_secret = copy(client->arena, slice_trim(*ret_secret));
	return true;
}

static bool
check_key_file(struct redis_client *client, slice file, struct error *error)
{
	slice unused = SLICE("");

	return read_secret(client, file, &unused, error);
}

static bool
load_tls(struct redis_client *client, const struct redis_options *options,
    struct error *error)
{
	struct redis_tls_files files = {
	    .ca_file = options->tls_ca_file,
	    .cert_file = options->tls_cert_file,
	    .key_file = options->tls_key_file,
	};

	if (!options->tls)
		return true;
	if (!check_key_file(client, options->tls_key_file, error))
		return false;
	client->tls = redis_tls_config_new(&files, error);
	return client->tls != NULL;
}

struct redis_client *
redis_client_new(const struct redis_options *options,
    const struct redis_ports *ports, struct error *error)
{
	struct arena *arena = arena_new(0);
	struct redis_client *client = ARENA_NEW(arena, struct redis_client);

	client->arena = arena;
	client->ports = *ports;
	copy_options(client, options);
	if (check_options(options, error) &&
	    read_secret(
		client, options->password_file, &client->password, error) &&
	    read_secret(client, options->sentinel_password_file,
		&client->sentinel_password, error) &&
	    load_tls(client, options, error))
		return client;
	arena_free(arena);
	return NULL;
}

void
redis_client_free(struct redis_client *client)
{
	if (client == NULL)
		return;
	redis_tls_config_free(client->tls);
	arena_free(client->arena);
}

slice
redis_client_prefix(const struct redis_client *client)
{
	return client->options.prefix;
}

deadline_ms
redis_client_deadline(const struct redis_client *client)
{
	return deadline_in(client->options.timeout_ms);
}

/*
 * When to try again.
 */

unsigned
redis_client_pause(const struct redis_client *client)
{
	deadline_ms at = atomic_load(&client->retry_at);
	deadline_ms now = deadline_now();

	return at > now ? (unsigned)(at - now) : 0;
}

bool
redis_client_may_try(struct redis_client *client, deadline_ms deadline)
{
	long long at = atomic_load(&client->retry_at);
	deadline_ms now = deadline_now();

	if (at == 0)
		return true;
	if (now < at)
		return false;
	return atomic_compare_exchange_strong(
	    &client->retry_at, &at, deadline > now ? deadline + 1 : now + 1);
}

static unsigned
longest_pause(enum redis_trouble trouble)
{
	if (trouble == REDIS_TIMED_OUT)
		return PAUSE_MOST_MS;
	return trouble == REDIS_LOADING ? PAUSE_MOST_LOADING_MS
					: PAUSE_MOST_QUICK_MS;
}

static unsigned
jitter(unsigned most)
{
	unsigned random = 0;

	(void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return most == 0 ? 0 : random % most;
}

/* Between half of it and all of it, so that a fleet does not come back as one;
 * where somebody must change something first, never less than 10 s. */
static unsigned
pause_after(enum redis_trouble trouble, unsigned failures)
{
	unsigned most = longest_pause(trouble);
	unsigned pause = PAUSE_FIRST_MS;

	if (trouble == REDIS_DENIED || trouble == REDIS_CLUSTER ||
	    trouble == REDIS_BAD_TLS)
		return PAUSE_SETTLED_MS + jitter(PAUSE_SETTLED_MS / 10);
	while (failures-- > 0 && pause < most)
		pause *= 2;
	if (pause > most)
		pause = most;
	return pause / 2 + jitter(pause / 2);
}

/* Connections that fail together count as one. */
void
redis_client_failed(struct redis_client *client, enum redis_trouble trouble)
{
	static const unsigned together_ms = PAUSE_FIRST_MS / 2;
	deadline_ms now = deadline_now();
	unsigned failures = atomic_load(&client->failures);

	if (failures == 0 ||
	    now - atomic_load(&client->failed_at) >= together_ms)
		failures = atomic_fetch_add(&client->failures, 1);
	atomic_store(&client->failed_at, now);
	atomic_store(&client->wire_trouble, (int)trouble);
	atomic_store(&client->retry_at, now + pause_after(trouble, failures));
}

void
redis_client_well(struct redis_client *client)
{
	if (atomic_load(&client->retry_at) == 0)
		return;
	atomic_store(&client->failures, 0);
	atomic_store(&client->retry_at, 0);
}
