/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/control.h"

#include "milter/dynamic.h"
#include "milter/explain.h"
#include "milter/lookup.h"
#include "milter/log.h"
#include "milter/reload.h"
#include "milter/replica.h"
#include "milter/server.h"
#include "milter/stats.h"
#include "milter/status.h"
#include "milter/vacation_list.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#define GROUPS_MAX 1024

struct control {
	struct service *service;
	struct strbuf *reply;
	struct generation *generation;
	slice arguments;
	slice sessions; /* explain: what follows the line */
};

/* The socket's group stands on its file, which the daemon made; that the mode
 * lets the group write, the kernel has seen to. */
static bool
is_in_sockets_group(int fd)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(sun);
	char path[sizeof(sun.sun_path) + 1] = "";
	gid_t groups[GROUPS_MAX];
	socklen_t bytes = sizeof(groups);
	struct stat st;

	if (getsockname(fd, (struct sockaddr *)&sun, &len) != 0)
		return false;
	memcpy(path, sun.sun_path, sizeof(sun.sun_path));
	if (stat(path, &st) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) != 0)
		return false;
	for (size_t i = 0; i < bytes / sizeof(*groups); i++) {
		if (groups[i] == st.st_gid)
			return true;
	}
	return false;
}

static bool
admit(struct service *service, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	(void)service;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid() ||
	       is_in_sockets_group(fd);
}

static bool
starts_explain(slice input)
{
	slice word = SLICE("explain ");

	return input.len >= word.len &&
	       slice_eq(slice_first(input, word.len), word);
}

static enum frame_result
frame(slice input, bool at_end, size_t *ret_len)
{
	size_t line = slice_index(input, '\n');

	if (memchr(input.ptr, '\0', line) != NULL)
		return FRAME_BAD;
	if (line == input.len)
		return FRAME_PARTIAL;
	*ret_len = input.len;
	if (starts_explain(input))
		return at_end ? FRAME_WHOLE : FRAME_PARTIAL;
	return line + 1 == input.len ? FRAME_WHOLE : FRAME_BAD;
}

static bool
fail(struct control *c, int exit_code, const struct error *error)
{
	char text[1024];

	/* One line, whatever it quotes. */
	(void)error_format(error, text, sizeof(text));
	for (char *p = text; *p != '\0'; p++) {
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	}
	strbuf_printf(c->reply, "error %d %s\n", exit_code, text);
	return true;
}

static bool
bad_usage(struct control *c)
{
	struct error error;

	(void)error_set(&error, "bad arguments");
	return fail(c, EX_USAGE, &error);
}

static bool
succeed(struct control *c)
{
	strbuf_add(c->reply, SLICE("ok\n"));
	return true;
}

/* As after a SIGHUP. */
static void
log_report(slice report)
{
	slice line;

	log_line(LOG_NOTICE, "reloaded");
	while (slice_next(&report, '\n', &line))
		log_line(LOG_INFO, SLICE_FMT, SLICE_ARG(line));
}

static bool
reload_any(struct control *c, bool force, struct error *error)
{
	if (c->service->replica != NULL)
		return replica_reload(c->service, force, c->reply, error);
	return reload(c->service->config_path, c->reply, error);
}

static bool
command_reload(struct control *c)
{
	struct counters *counters = &c->service->counters;
	bool force = slice_eq(c->arguments, SLICE("force"));
	struct error error = {0};
	char text[1024];

	if (c->arguments.len > 0 && !force)
		return bad_usage(c);
	if (reload_any(c, force, &error)) {
		atomic_fetch_add(&counters->reloads, 1);
		log_report(strbuf_slice(c->reply));
		return succeed(c);
	}
	atomic_fetch_add(&counters->failed_reloads, 1);
	log_line(LOG_ERR, "not reloaded, the policy stays as it was: %s",
	    error_format(&error, text, sizeof(text)));
	strbuf_clear(c->reply);
	return fail(c,
	    c->service->replica != NULL && error.exit_code == EX_TEMPFAIL
		? EX_TEMPFAIL
		: 1,
	    &error);
}

static bool
command_nodes(struct control *c)
{
	bool as_json = slice_eq(c->arguments, SLICE("json"));
	struct error error = {0};

	if (!as_json && !slice_eq(c->arguments, SLICE("text")))
		return bad_usage(c);
	if (replica_list_nodes(c->service, as_json, c->reply, &error))
		return succeed(c);
	strbuf_clear(c->reply);
	return fail(c, error.exit_code, &error);
}

static bool
command_status(struct control *c)
{
	if (slice_eq(c->arguments, SLICE("json")))
		status_write_json(c->service, c->generation, c->reply);
	else if (slice_eq(c->arguments, SLICE("text")))
		status_write_text(c->service, c->generation, c->reply);
	else
		return bad_usage(c);
	return succeed(c);
}

static bool
command_stats(struct control *c)
{
	if (slice_eq(c->arguments, SLICE("json")))
		stats_write_json(c->service, c->reply);
	else if (slice_eq(c->arguments, SLICE("text")))
		stats_write_text(c->service, c->reply);
	else
		return bad_usage(c);
	return succeed(c);
}

static bool
is_dynamic(struct control *c, slice map, slice key)
{
	return slice_eq(map, SLICE("access")) &&
	       c->generation->policy->access != NULL &&
	       dynamic_look_up(c->service, key, c->reply);
}

static bool
command_lookup(struct control *c)
{
	size_t blank = slice_index(c->arguments, ' ');
	struct error error = {0};

	if (blank == c->arguments.len)
		return bad_usage(c);
	if (is_dynamic(c, slice_first(c->arguments, blank),
		slice_from(c->arguments, blank + 1)))
		return succeed(c);
	if (lookup_write(c->generation->snapshot,
		slice_first(c->arguments, blank),
		slice_from(c->arguments, blank + 1), c->reply, &error))
		return succeed(c);
	return fail(c, error.exit_code, &error);
}

/* "access add TTL KEY VALUE", whose value may have blanks. */
static bool
access_add(struct control *c)
{
	slice ttl;
	slice key;
	struct error error = {0};

	if (!slice_next(&c->arguments, ' ', &ttl) ||
	    !slice_next(&c->arguments, ' ', &key) || c->arguments.len == 0)
		return bad_usage(c);
	if (c->generation->policy->access == NULL) {
		(void)error_set(&error, "no access map is configured");
		return fail(c, EX_CONFIG, &error);
	}
	if (!dynamic_add(c->service, key, c->arguments, ttl, &error))
		return fail(c, error.exit_code, &error);
	return succeed(c);
}

static bool
command_access(struct control *c)
{
	struct error error = {0};
	slice verb;

	if (!slice_next(&c->arguments, ' ', &verb))
		return bad_usage(c);
	if (slice_eq(verb, SLICE("add")))
		return access_add(c);
	if (slice_eq(verb, SLICE("list"))) {
		dynamic_list(c->service, slice_eq(c->arguments, SLICE("json")),
		    c->reply);
		return succeed(c);
	}
	if (!slice_eq(verb, SLICE("del")))
		return bad_usage(c);
	if (!dynamic_delete(c->service, c->arguments, &error))
		return fail(c, error.exit_code, &error);
	return succeed(c);
}

static bool
vacation_forget_one(struct control *c)
{
	struct error error = {0};
	unsigned long count;
	slice user;

	if (!slice_next(&c->arguments, ' ', &user) || user.len == 0)
		return bad_usage(c);
	if (!vacation_forget(
		c->service->store, user, c->arguments, &count, &error))
		return fail(c, error.exit_code, &error);
	strbuf_printf(c->reply, "forgotten: %lu\n", count);
	return succeed(c);
}

static bool
command_vacation(struct control *c)
{
	struct error error = {0};
	slice verb;

	if (!slice_next(&c->arguments, ' ', &verb))
		return bad_usage(c);
	if (slice_eq(verb, SLICE("forget")))
		return vacation_forget_one(c);
	if (!slice_eq(verb, SLICE("list")))
		return bad_usage(c);
	if (!vacation_list_write(
		c->service->store, c->arguments, c->reply, &error))
		return fail(c, error.exit_code, &error);
	return succeed(c);
}

static struct resolver *
find_resolver(void *context)
{
	const struct control *c = context;

	return c->service->resolver;
}

static bool
emit(void *context, slice answer)
{
	struct control *c = context;

	strbuf_add(c->reply, answer);
	return !server_is_stopping();
}

static bool
command_explain(struct control *c)
{
	struct explain explain = {
	    .generation = c->generation,
	    .find_resolver = find_resolver,
	    .live = c->service->live,
	    .emit = emit,
	    .context = c,
	};
	struct error error = {0};
	slice words[3];
	unsigned long line;

	for (size_t i = 0; i < 3; i++) {
		if (!slice_next(&c->arguments, ' ', &words[i]))
			return bad_usage(c);
	}
	explain.as_json = slice_eq(words[0], SLICE("json"));
	explain.with_trace = slice_eq(words[1], SLICE("trace"));
	if (!slice_is_number(words[2]) || words[2].len > 9)
		return bad_usage(c);
	line = strtoul(words[2].ptr, NULL, 10);
	if (!explain_blocks(&explain, c->sessions, (unsigned)line, &error))
		return fail(c, EX_USAGE, &error);
	if (server_is_stopping()) {
		(void)error_set(&error, "milterd is ending");
		return fail(c, EX_TEMPFAIL, &error);
	}
	return succeed(c);
}

/* clang-format off */
static const struct command {
	slice name;
	bool (*run)(struct control *control);
} commands[] = {
	{SLICE_INIT("reload"), command_reload},
	{SLICE_INIT("nodes"), command_nodes},
	{SLICE_INIT("status"), command_status},
	{SLICE_INIT("stats"), command_stats},
	{SLICE_INIT("lookup"), command_lookup},
	{SLICE_INIT("access"), command_access},
	{SLICE_INIT("vacation"), command_vacation},
	{SLICE_INIT("explain"), command_explain},
};
/* clang-format on */

static bool
run_command(struct control *c, slice name)
{
	struct error error;

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (slice_eq(name, commands[i].name))
			return commands[i].run(c);
	}
	(void)error_set(&error, "no such command");
	return fail(c, EX_USAGE, &error);
}

static bool
answer(struct service *service, struct arena *arena, slice request,
    struct strbuf *reply)
{
	struct control c = {.service = service, .reply = reply};
	slice line = slice_first(request, slice_index(request, '\n'));
	size_t blank = slice_index(line, ' ');
	bool is_answered;
	struct error error;

	(void)arena;
	atomic_fetch_add(&service->counters.control_requests, 1);
	c.arguments = slice_from(line, blank + 1);
	c.sessions = slice_from(request, line.len + 1);
	c.generation = current_acquire();
	if (c.generation == NULL) {
		(void)error_set(&error, "no policy is in force");
		return fail(&c, EX_TEMPFAIL, &error);
	}
	is_answered = run_command(&c, slice_first(line, blank));
	generation_release(c.generation);
	return is_answered;
}

/* A session of explain may hold a request's worker for as long as DNS takes,
 * so there are a few; the input is cut into pieces by milterctl. */
static const struct server_kind base_kind = {
    .name = "control socket",
    .request_max = (size_t)512 * 1024,
    .workers_max = 8,
    .idle_ms = 10 * 1000,
    .request_ms = 10 * 1000,
    .reply_ms = 30 * 1000,
    .is_one_shot = true,
    .excuse = SLICE_INIT("error 64 the request is bad or too long\n"),
    .admit = admit,
    .frame = frame,
    .answer = answer,
};

bool
control_start(struct service *service, const struct settings *settings,
    struct error *error)
{
	struct server_kind kind = base_kind;
	struct socket_owner owner;

	kind.clients_max = (unsigned)settings->limits.control_clients;
	if (settings->control_socket.len == 0)
		return true;
	return socket_owner_from_settings(settings, &owner, error) &&
	       server_open(
		   &kind, service, settings->control_socket, &owner, error);
}
