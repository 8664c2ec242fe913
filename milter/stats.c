/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/stats.h"

#include <jansson.h>
#include <stdlib.h>

/* clang-format off */
#define COUNTER(name) {#name, offsetof(struct counters, name)}
static const struct counter_word {
	const char *name;
	size_t offset;
} words[] = {
	COUNTER(connections),
	COUNTER(messages),
	COUNTER(bytes),
	COUNTER(rewritten),
	COUNTER(rejected),
	COUNTER(deferred),
	COUNTER(discarded),
	COUNTER(quarantined),
};
/* clang-format on */

#define WORDS (sizeof(words) / sizeof(*words))

static unsigned long
read_counter(struct service *service, const struct counter_word *word)
{
	char *base = (char *)&service->counters;

	return atomic_load((atomic_ulong *)(void *)(base + word->offset));
}

static const char *
since(const struct service *service, char *buffer, size_t size)
{
	struct tm tm;

	if (gmtime_r(&service->started_at, &tm) == NULL ||
	    strftime(buffer, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		buffer[0] = '\0';
	return buffer;
}

void
stats_write_text(struct service *service, struct strbuf *out)
{
	char when[32];

	strbuf_printf(out, "since: %s\n", since(service, when, sizeof(when)));
	for (size_t i = 0; i < WORDS; i++)
		strbuf_printf(out, "%s: %lu\n", words[i].name,
		    read_counter(service, &words[i]));
}

void
stats_write_json(struct service *service, struct strbuf *out)
{
	json_t *object = json_object();
	char when[32];
	char *text;

	json_object_set_new(
	    object, "since", json_string(since(service, when, sizeof(when))));
	for (size_t i = 0; i < WORDS; i++)
		json_object_set_new(object, words[i].name,
		    json_integer((json_int_t)read_counter(service, &words[i])));
	text = json_dumps(object, JSON_COMPACT);
	if (text != NULL)
		strbuf_add(out, slice_from_cstr(text));
	strbuf_add_char(out, '\n');
	free(text);
	json_decref(object);
}
