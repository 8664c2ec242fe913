/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/socketmap.h"

#include "milter/dynamic.h"
#include "milter/lazy_ports.h"
#include "milter/log_lines.h"
#include "milter/reload.h"
#include "milter/server.h"
#include "milter/tables.h"

#define DIGITS_MAX 5

/* "12:hello world!," */
static enum frame_result
frame(slice input, bool at_end, size_t *ret_len)
{
	size_t colon = slice_index(input, ':');
	slice digits = slice_first(input, colon);
	size_t len = 0;

	(void)at_end;
	if (digits.len > DIGITS_MAX ||
	    (digits.len > 0 && !slice_is_number(digits)) ||
	    (digits.len == 0 && colon < input.len) ||
	    (digits.len > 1 && digits.ptr[0] == '0'))
		return FRAME_BAD;
	if (colon == input.len)
		return FRAME_PARTIAL;
	for (size_t i = 0; i < digits.len; i++)
		len = len * 10 + (size_t)(digits.ptr[i] - '0');
	*ret_len = colon + len + 2;
	if (input.len < *ret_len)
		return FRAME_PARTIAL;
	return input.ptr[*ret_len - 1] == ',' ? FRAME_WHOLE : FRAME_BAD;
}

static struct resolver *
find_resolver(void *context)
{
	const struct service *service = context;

	return service->resolver;
}

static slice
look_up(struct service *service, const struct generation *generation,
    struct arena *arena, slice name, slice key)
{
	struct session nobody = {.size = 0};
	struct lazy_ports lazy;
	struct ports ports;
	struct trace faults;
	struct decision d = {
	    .policy = generation->policy,
	    .ports = &ports,
	    .session = &nobody,
	    .arena = arena,
	    .trace = &faults,
	};
	slice value = SLICE("");

	trace_init(&faults, arena);
	faults.faults_only = true;
	lazy_ports_init(&lazy, find_resolver, service, &ports);
	dynamic_set_ports(service->live, &ports);
	switch (tables_find(&d, generation->snapshot, name, key, &value)) {
	case TABLE_FOUND:
		return arena_printf(arena, "OK " SLICE_FMT, SLICE_ARG(value));
	case TABLE_MISSING:
		return SLICE("NOTFOUND ");
	case TABLE_UNKNOWN:
		return arena_printf(arena, "PERM no map '" SLICE_FMT "'",
		    SLICE_ARG(slice_first(name, 80)));
	case TABLE_TEMPFAIL:
		break;
	}
	log_fault(arena, SLICE(""), &faults);
	return SLICE("TEMP the map cannot answer now");
}

static bool
answer(struct service *service, struct arena *arena, slice request,
    struct strbuf *reply)
{
	slice text = slice_from(request, slice_index(request, ':') + 1);
	size_t blank = slice_index(slice_first(text, text.len - 1), ' ');
	slice result = SLICE("TEMP no policy is in force");
	struct generation *generation;

	atomic_fetch_add(&service->counters.socketmap_requests, 1);
	text = slice_first(text, text.len - 1);
	if (blank == text.len)
		return false;
	generation = current_acquire();
	if (generation != NULL)
		result = look_up(service, generation, arena,
		    slice_first(text, blank), slice_from(text, blank + 1));
	strbuf_printf(reply, "%zu:", result.len);
	strbuf_add(reply, result);
	strbuf_add_char(reply, ',');
	if (generation != NULL)
		generation_release(generation);
	return true;
}

/* Both MTAs keep their connections; sendmail takes a closed one for a
 * temporary failure, so they are not closed while an SMTP session may last. */
static const struct server_kind base_kind = {
    .name = "socketmap service",
    .workers_max = 16,
    .idle_ms = 2 * 3600 * 1000,
    .request_ms = 10 * 1000,
    .reply_ms = 10 * 1000,
    .frame = frame,
    .answer = answer,
};

bool
socketmap_start(struct service *service, const struct settings *settings,
    struct error *error)
{
	struct server_kind kind = base_kind;
	struct socket_owner owner;

	kind.request_max = settings->limits.request_size;
	kind.clients_max = (unsigned)settings->limits.clients;
	return settings->socketmap_socket.len == 0 ||
	       (socket_owner_from_settings(settings, &owner, error) &&
		   server_open(&kind, service, settings->socketmap_socket,
		       &owner, error));
}
