/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/status.h"

#include "milter/dynamic.h"
#include "milter/log.h"
#include "milter/replica.h"
#include "milter/spool.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

/* clang-format off */
#define COUNTER(name) {#name, offsetof(struct counters, name)}
static const struct counter_word {
	const char *name;
	size_t offset;
} counter_words[] = {
	COUNTER(connections),
	COUNTER(open_sessions),
	COUNTER(open_messages),
	COUNTER(messages),
	COUNTER(bytes),
	COUNTER(rejected),
	COUNTER(deferred),
	COUNTER(discarded),
	COUNTER(quarantined),
	COUNTER(rewritten),
	COUNTER(policy_requests),
	COUNTER(socketmap_requests),
	COUNTER(control_requests),
	COUNTER(reloads),
	COUNTER(failed_reloads),
};
/* clang-format on */

#define COUNTER_WORDS (sizeof(counter_words) / sizeof(*counter_words))

static unsigned long
read_counter(struct service *service, const struct counter_word *word)
{
	char *base = (char *)&service->counters;

	return atomic_load((atomic_ulong *)(void *)(base + word->offset));
}

static const char *
utc(time_t when, char *buffer, size_t size)
{
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(buffer, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		buffer[0] = '\0';
	return buffer;
}

static long long
seconds_since(time_t when)
{
	time_t now = time(NULL);

	return now > when ? (long long)(now - when) : 0;
}

static void
write_part(const struct snapshot_part *part, struct strbuf *out)
{
	char when[32];

	strbuf_printf(out, "%s " SLICE_FMT ": %zu %s, %zu bytes\n",
	    part_kind_text(part->kind), SLICE_ARG(part->name), part->entries,
	    part_kind_unit(part->kind), part->bytes);
	for (const struct snapshot_file *file = part->files; file != NULL;
	     file = file->next)
		strbuf_printf(out, "  %s: %s, %lld bytes\n", file->path,
		    utc(file->modified.tv_sec, when, sizeof(when)),
		    (long long)file->size);
}

static void
write_resolver(struct service *service, struct strbuf *out)
{
	struct resolver_stats stats = resolver_get_stats(service->resolver);

	strbuf_printf(out,
	    "resolver: %lu questions, %lu from the cache, %lu timeouts, "
	    "%lu failures\n",
	    stats.questions, stats.cache_hits, stats.timeouts, stats.failures);
}

static void
write_spool(struct strbuf *out)
{
	struct spool_status status = spool_get_status();
	char when[32];

	if (!status.is_open)
		return;
	strbuf_printf(out,
	    "spool: %lu entries, %lu bytes, oldest %s, %lu sent, "
	    "%lu dropped, %lu failed\n",
	    status.entries, status.bytes,
	    status.oldest == 0 ? "none"
			       : utc(status.oldest, when, sizeof(when)),
	    status.sent, status.dropped, status.failed);
}

static void
write_store(struct service *service, struct strbuf *out)
{
	char trouble[128];
	size_t keys;

	strbuf_printf(out, "dynamic_entries: %zu\n", dynamic_count(service));
	if (service->store == NULL) {
		strbuf_add(out, SLICE("store: none\n"));
		return;
	}
	strbuf_printf(out, "store: %s", store_kind_name(service->store));
	if (store_key_count(service->store, &keys))
		strbuf_printf(out, ", %zu keys", keys);
	strbuf_add_char(out, '\n');
	store_trouble(service->store, trouble, sizeof(trouble));
	if (trouble[0] != '\0')
		strbuf_printf(out, "store_last_trouble: %s\n", trouble);
}

static const char *
redis_word(const struct redis_report *report)
{
	if (!report->is_tried)
		return "not asked yet";
	return report->trouble == REDIS_NO_TROUBLE
		   ? "connected"
		   : redis_trouble_name(report->trouble);
}

static void
write_redis(struct service *service, struct strbuf *out)
{
	struct redis_report report;
	char when[32];

	if (service->redis == NULL) {
		strbuf_add(out, SLICE("redis: not configured\n"));
		return;
	}
	report = redis_state_report(service->redis);
	strbuf_printf(out, "redis: %s: %s", report.server, redis_word(&report));
	if (report.is_tried)
		strbuf_printf(
		    out, " since %s", utc(report.since, when, sizeof(when)));
	strbuf_printf(out, ", %lu requests, %lu failed\n", report.requests,
	    report.troubles);
	if (report.last_trouble_at != 0)
		strbuf_printf(out, "redis_last_trouble: %s: %s: %s\n",
		    utc(report.last_trouble_at, when, sizeof(when)),
		    redis_trouble_name(report.last_trouble),
		    report.last_problem);
}

static void
write_fleet(struct service *service, const struct generation *generation,
    struct strbuf *out)
{
	const struct manifest *manifest = generation->manifest;
	struct replica_report report;
	char when[32];

	if (service->replica == NULL)
		return;
	report = replica_report(service->replica);
	if (manifest == NULL)
		strbuf_add(out, SLICE("fleet generation: none\n"));
	else
		strbuf_printf(out,
		    "fleet generation: %lu\nfleet digest: " SLICE_FMT
		    "\npublished: %s by " SLICE_FMT "\n",
		    manifest->number,
		    SLICE_ARG(
			digest_text(manifest_digest(manifest), out->arena)),
		    utc((time_t)manifest->published_at, when, sizeof(when)),
		    SLICE_ARG(manifest->publisher));
	strbuf_printf(out, "fleet in step: %s\nfleet confirmed: ",
	    report.is_current ? "yes" : "no");
	if (report.confirmed_ago < 0)
		strbuf_add(out, SLICE("never\n"));
	else
		strbuf_printf(out, "%lld s ago\n", report.confirmed_ago);
}

void
status_write_text(struct service *service, const struct generation *generation,
    struct strbuf *out)
{
	char when[32];

	strbuf_printf(
	    out, "version: %s\npid: %ld\n", PACKAGE_VERSION, (long)getpid());
	strbuf_printf(out, "started: %s\nuptime: %lld s\n",
	    utc(service->started_at, when, sizeof(when)),
	    seconds_since(service->started_at));
	strbuf_printf(out, "configuration: %s\n", service->config_path);
	strbuf_printf(out, "generation: %lu\nloaded: %s\nage: %lld s\n",
	    generation->number, utc(generation->loaded_at, when, sizeof(when)),
	    seconds_since(generation->loaded_at));
	write_fleet(service, generation, out);
	for (const struct snapshot_part *part =
		 snapshot_parts(generation->snapshot);
	     part != NULL; part = part->next)
		write_part(part, out);
	for (size_t i = 0; i < generation->warning_count; i++)
		strbuf_printf(out, "warning: " SLICE_FMT "\n",
		    SLICE_ARG(generation->warnings[i]));
	for (size_t i = 0; i < COUNTER_WORDS; i++)
		strbuf_printf(out, "%s: %lu\n", counter_words[i].name,
		    read_counter(service, &counter_words[i]));
	write_resolver(service, out);
	write_spool(out);
	write_store(service, out);
	write_redis(service, out);
	strbuf_printf(out, "log_lines_dropped: %lu\n", log_dropped());
}

static json_t *
json_slice(slice text)
{
	json_t *json = json_stringn(text.len == 0 ? "" : text.ptr, text.len);

	return json == NULL ? json_null() : json;
}

static json_t *
json_number(unsigned long long number)
{
	return json_integer((json_int_t)number);
}

static json_t *
json_time(time_t when)
{
	char buffer[32];

	return json_string(utc(when, buffer, sizeof(buffer)));
}

static json_t *
json_file(const struct snapshot_file *file)
{
	json_t *object = json_object();

	json_object_set_new(
	    object, "path", json_slice(slice_from_cstr(file->path)));
	json_object_set_new(
	    object, "modified", json_time(file->modified.tv_sec));
	json_object_set_new(object, "bytes", json_integer(file->size));
	return object;
}

static json_t *
json_part(const struct snapshot_part *part)
{
	json_t *object = json_object();
	json_t *files = json_array();
	char digest[17];

	for (const struct snapshot_file *file = part->files; file != NULL;
	     file = file->next)
		json_array_append_new(files, json_file(file));
	(void)snprintf(digest, sizeof(digest), "%016" PRIx64, part->digest);
	json_object_set_new(object, "name", json_slice(part->name));
	json_object_set_new(
	    object, "kind", json_string(part_kind_text(part->kind)));
	json_object_set_new(object, "entries", json_number(part->entries));
	json_object_set_new(object, "bytes", json_number(part->bytes));
	json_object_set_new(object, "digest", json_string(digest));
	json_object_set_new(object, "files", files);
	return object;
}

static json_t *
json_parts(const struct generation *generation)
{
	json_t *array = json_array();

	for (const struct snapshot_part *part =
		 snapshot_parts(generation->snapshot);
	     part != NULL; part = part->next)
		json_array_append_new(array, json_part(part));
	return array;
}

static json_t *
json_warnings(const struct generation *generation)
{
	json_t *array = json_array();

	for (size_t i = 0; i < generation->warning_count; i++)
		json_array_append_new(
		    array, json_slice(generation->warnings[i]));
	return array;
}

static json_t *
json_counters(struct service *service)
{
	json_t *object = json_object();

	for (size_t i = 0; i < COUNTER_WORDS; i++)
		json_object_set_new(object, counter_words[i].name,
		    json_number(read_counter(service, &counter_words[i])));
	json_object_set_new(
	    object, "log_lines_dropped", json_number(log_dropped()));
	return object;
}

static json_t *
json_resolver(struct service *service)
{
	struct resolver_stats stats = resolver_get_stats(service->resolver);
	json_t *object = json_object();

	json_object_set_new(object, "questions", json_number(stats.questions));
	json_object_set_new(
	    object, "cache_hits", json_number(stats.cache_hits));
	json_object_set_new(object, "timeouts", json_number(stats.timeouts));
	json_object_set_new(object, "failures", json_number(stats.failures));
	return object;
}

static json_t *
json_spool(void)
{
	struct spool_status status = spool_get_status();
	json_t *object = json_object();

	json_object_set_new(object, "entries", json_number(status.entries));
	json_object_set_new(object, "bytes", json_number(status.bytes));
	json_object_set_new(object, "oldest",
	    status.oldest == 0 ? json_null() : json_time(status.oldest));
	json_object_set_new(object, "sent", json_number(status.sent));
	json_object_set_new(object, "dropped", json_number(status.dropped));
	json_object_set_new(object, "failed", json_number(status.failed));
	return object;
}

static json_t *
json_store(struct service *service)
{
	char trouble[128];
	json_t *object;
	size_t keys;

	if (service->store == NULL)
		return json_null();
	store_trouble(service->store, trouble, sizeof(trouble));
	object = json_object();
	json_object_set_new(
	    object, "kind", json_string(store_kind_name(service->store)));
	json_object_set_new(object, "keys",
	    store_key_count(service->store, &keys) ? json_number(keys)
						   : json_null());
	json_object_set_new(object, "last_trouble",
	    trouble[0] == '\0' ? json_null() : json_string(trouble));
	return object;
}

static json_t *
json_redis(struct service *service)
{
	struct redis_report report;
	json_t *object;

	if (service->redis == NULL)
		return json_null();
	report = redis_state_report(service->redis);
	object = json_object();
	json_object_set_new(object, "server", json_string(report.server));
	json_object_set_new(object, "state", json_string(redis_word(&report)));
	json_object_set_new(object, "connected",
	    json_boolean(
		report.is_tried && report.trouble == REDIS_NO_TROUBLE));
	json_object_set_new(object, "since",
	    report.is_tried ? json_time(report.since) : json_null());
	json_object_set_new(object, "requests", json_number(report.requests));
	json_object_set_new(object, "failed", json_number(report.troubles));
	json_object_set_new(object, "last_trouble",
	    report.last_trouble_at == 0
		? json_null()
		: json_string(redis_trouble_name(report.last_trouble)));
	json_object_set_new(object, "last_trouble_at",
	    report.last_trouble_at == 0 ? json_null()
					: json_time(report.last_trouble_at));
	json_object_set_new(
	    object, "last_problem", json_string(report.last_problem));
	return object;
}

static json_t *
json_fleet(struct service *service, const struct generation *generation)
{
	const struct manifest *manifest = generation->manifest;
	struct replica_report report = replica_report(service->replica);
	json_t *object = json_object();

	if (manifest != NULL) {
		struct arena *arena = arena_new(0);

		json_object_set_new(
		    object, "generation", json_number(manifest->number));
		json_object_set_new(object, "digest",
		    json_slice(digest_text(manifest_digest(manifest), arena)));
		json_object_set_new(
		    object, "publisher", json_slice(manifest->publisher));
		json_object_set_new(object, "published",
		    json_time((time_t)manifest->published_at));
		arena_free(arena);
	}
	json_object_set_new(object, "in_step", json_boolean(report.is_current));
	json_object_set_new(
	    object, "confirmed_s", json_integer(report.confirmed_ago));
	return object;
}

void
status_write_json(struct service *service, const struct generation *generation,
    struct strbuf *out)
{
	json_t *object = json_object();
	char *text;

	json_object_set_new(object, "version", json_string(PACKAGE_VERSION));
	json_object_set_new(object, "pid", json_integer(getpid()));
	json_object_set_new(object, "started", json_time(service->started_at));
	json_object_set_new(object, "uptime_s",
	    json_integer(seconds_since(service->started_at)));
	json_object_set_new(object, "configuration",
	    json_slice(slice_from_cstr(service->config_path)));
	json_object_set_new(
	    object, "generation", json_number(generation->number));
	json_object_set_new(object, "loaded", json_time(generation->loaded_at));
	json_object_set_new(object, "age_s",
	    json_integer(seconds_since(generation->loaded_at)));
	json_object_set_new(object, "maps", json_parts(generation));
	if (service->replica != NULL)
		json_object_set_new(
		    object, "fleet", json_fleet(service, generation));
	json_object_set_new(object, "warnings", json_warnings(generation));
	json_object_set_new(object, "counters", json_counters(service));
	json_object_set_new(object, "resolver", json_resolver(service));
	if (spool_is_open())
		json_object_set_new(object, "spool", json_spool());
	json_object_set_new(object, "store", json_store(service));
	json_object_set_new(
	    object, "dynamic_entries", json_number(dynamic_count(service)));
	json_object_set_new(object, "redis", json_redis(service));
	text = json_dumps(object, JSON_COMPACT);
	if (text != NULL)
		strbuf_add(out, slice_from_cstr(text));
	strbuf_add_char(out, '\n');
	free(text);
	json_decref(object);
}
