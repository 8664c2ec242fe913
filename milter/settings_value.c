/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The values of milterd.conf: what each kind may be, from text into struct
 * settings and back.
 */
#include "milter/settings_private.h"

#include <assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/strbuf.h"
#include "policy/folder.h"
#include "maps/redis.h"
#include "milter/user_file.h"

static void *
field_of(struct settings *settings, const struct settings_word *word)
{
	return (char *)settings + word->field->at;
}

static const void *
const_field_of(
    const struct settings *settings, const struct settings_word *word)
{
	return (const char *)settings + word->field->at;
}

static bool
has_blank(slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (ascii_is_space(s.ptr[i]))
			return true;
	}
	return false;
}

static bool
has_control(slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
			return true;
	}
	return false;
}

const char *
settings_judge_path(slice value)
{
	return value.ptr[0] == '/' ? NULL : "is not a path that begins with /";
}

const char *
settings_judge_folder_address(slice value)
{
	return folder_pattern_problem(value);
}

static bool
is_port(slice s)
{
	return slice_is_number(s) && s.len <= 5 && atoi(s.ptr) > 0 &&
	       atoi(s.ptr) <= 65535;
}

const char *
settings_judge_socket(slice value)
{
	static const char shape[] = "is neither unix:/path nor inet:port@host";
	slice rest;
	size_t at;

	if (slice_has_prefix_nocase(value, SLICE("unix:/"))) {
		rest = slice_from(value, strlen("unix:"));
		return rest.len < sizeof(((struct sockaddr_un *)0)->sun_path)
			   ? NULL
			   : "is too long for a socket's path";
	}
	if (!slice_has_prefix_nocase(value, SLICE("inet:")))
		return shape;
	rest = slice_from(value, strlen("inet:"));
	at = slice_index(rest, '@');
	if (at + 1 >= rest.len || has_blank(rest))
		return shape;
	return is_port(slice_first(rest, at))
		   ? NULL
		   : "has no port between 1 and 65535 before its @";
}

const char *
settings_judge_account(slice value)
{
	return has_blank(value) || slice_index(value, ':') < value.len
		   ? "is not one name"
		   : NULL;
}

static bool
is_host_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       ascii_is_digit(c) || c == '-' || c == '_' || c == '.';
}

const char *
settings_judge_hostname(slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		if (!is_host_character(value.ptr[i]))
			return "is not a host name";
		if (value.ptr[i] == '.' && (i == 0 || value.ptr[i - 1] == '.'))
			return "is not a host name";
	}
	return NULL;
}

const char *
settings_judge_name(slice value)
{
	if (value.len == 0)
		return "is empty";
	if (value.ptr[0] != '/' && has_blank(value))
		return "has a blank in it: one name is one item";
	return NULL;
}

static slice
without_map_type(slice value)
{
	slice text = SLICE("text:");

	return slice_has_prefix_nocase(value, text)
		   ? slice_from(value, text.len)
		   : value;
}

const char *
settings_judge_map(slice value)
{
	slice path = without_map_type(value);

	if (slice_has_prefix_nocase(value, SLICE("pcre:")))
		path = slice_from(value, 5);
	return path.len > 0 && path.ptr[0] == '/'
		   ? NULL
		   : "is neither /path nor text:/path nor pcre:/path";
}

const char *
settings_judge_user_file(slice value)
{
	return user_file_check_pattern(value);
}

/* policy/vacation_template.h: "a@b", "@domain", "@.domain" or "a". */
const char *
settings_judge_sender(slice value)
{
	if (value.len == 0)
		return "is empty";
	if (value.ptr[0] == '/' || has_blank(value))
		return "is not a sender: user@domain, @domain, @.domain or "
		       "user";
	return NULL;
}

const char *
settings_judge_luser_relay(slice value)
{
	size_t colon = slice_index(value, ':');
	slice place = colon < value.len ? slice_from(value, colon + 1) : value;
	bool is_error = slice_has_prefix_nocase(value, SLICE("error:"));

	if (place.len == 0 || colon == 0 || (has_blank(value) && !is_error))
		return "is neither host, mailer:host, local:user nor "
		       "error:text";
	return NULL;
}

const char *
settings_check_dnsbl(slice item)
{
	size_t end = 0;

	if (has_control(item))
		return "has a control character in it";
	while (end < item.len && !ascii_is_space(item.ptr[end]))
		end++;
	if (end == 0 || settings_judge_hostname(slice_first(item, end)) != NULL)
		return "does not begin with a zone's name";
	return NULL;
}

const char *
settings_judge_dnsbl(slice value)
{
	return value.len > 0 && value.ptr[0] == '/'
		   ? NULL
		   : settings_check_dnsbl(value);
}

static bool
is_address(slice s, int family)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char address[sizeof(struct in6_addr)];

	if (s.len == 0 || s.len >= sizeof(text))
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	return inet_pton(family, text, address) == 1;
}

/* 192.0.2.1, 192.0.2.1:53, 2001:db8::1, [2001:db8::1], [2001:db8::1]:53 */
const char *
settings_judge_resolver(slice value)
{
	static const char shape[] = "is not address:port";
	size_t end;

	if (is_address(value, AF_INET6))
		return NULL;
	if (value.ptr[0] == '[') {
		end = slice_index(value, ']');
		if (end == value.len ||
		    !is_address(
			slice_from(slice_first(value, end), 1), AF_INET6))
			return shape;
		value = slice_from(value, end + 1);
		end = 0;
	} else {
		end = slice_index(value, ':');
		if (!is_address(slice_first(value, end), AF_INET))
			return shape;
	}
	if (end == value.len)
		return NULL;
	return value.ptr[end] == ':' && is_port(slice_from(value, end + 1))
		   ? NULL
		   : shape;
}

const char *
settings_judge_facility(slice value)
{
	static const slice facilities[] = {
	    SLICE_INIT("mail"),
	    SLICE_INIT("daemon"),
	    SLICE_INIT("user"),
	    SLICE_INIT("auth"),
	    SLICE_INIT("authpriv"),
	    SLICE_INIT("local0"),
	    SLICE_INIT("local1"),
	    SLICE_INIT("local2"),
	    SLICE_INIT("local3"),
	    SLICE_INIT("local4"),
	    SLICE_INIT("local5"),
	    SLICE_INIT("local6"),
	    SLICE_INIT("local7"),
	};

	for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]);
	     i++) {
		if (slice_eq(value, facilities[i]))
			return NULL;
	}
	return "is none of mail, daemon, user, auth, authpriv, local0 to "
	       "local7";
}

const char *
settings_judge_redis_server(slice value)
{
	return redis_judge_server(value);
}

const char *
settings_judge_redis_sentinel(slice value)
{
	if (slice_has_prefix_nocase(value, SLICE("unix:")))
		return "is a unix socket, and a sentinel is at inet:port@host";
	return redis_judge_server(value);
}

/* It stands in the rules of who may use which keys, where a pattern would be
 * one. */
const char *
settings_judge_redis_prefix(slice value)
{
	if (has_blank(value))
		return "has a blank in it";
	for (size_t i = 0; i < value.len; i++) {
		if (strchr("*?[]\\", value.ptr[i]) != NULL)
			return "has one of * ? [ ] \\ in it";
	}
	return NULL;
}

const char *
settings_judge_redis_name(slice value)
{
	return is_address(value, AF_INET) || is_address(value, AF_INET6)
		   ? NULL
		   : settings_judge_hostname(value);
}

void
string_list_add(struct arena *arena, struct string_list *list, slice item)
{
	/* Full whenever the count is a power of two. */
	if ((list->count & (list->count - 1)) == 0) {
		size_t room = list->count == 0 ? 1 : list->count * 2;
		slice *items = ARENA_ARRAY(arena, slice, room);

		if (list->count > 0)
			memcpy(
			    items, list->items, list->count * sizeof(*items));
		list->items = items;
	}
	list->items[list->count++] = arena_copy(arena, item);
}

static bool
set_choice(struct reading *reading, const struct settings_word *word,
    slice value, unsigned line)
{
	bool is_bool = word->field->type == FIELD_BOOL;

	for (const struct choice *c = word->field->choices; c->text != NULL;
	     c++) {
		if (!slice_eq_nocase(value, slice_from_cstr(c->text)))
			continue;
		if (is_bool)
			*(bool *)field_of(reading->settings, word) = c->value;
		else
			memcpy(field_of(reading->settings, word), &c->value,
			    sizeof(c->value));
		return true;
	}
	return settings_refuse(reading, line, "%s: \"" SLICE_FMT "\" is not %s",
	    word->name, SLICE_ARG(value), is_bool ? "yes or no" : word->type);
}

static bool
set_number(struct reading *reading, const struct settings_word *word,
    slice value, unsigned line)
{
	bool is_mode = word->field->type == FIELD_MODE;
	char *end;
	long number;

	errno = 0;
	number = strtol(value.ptr, &end, is_mode ? 8 : 10);
	if (errno != 0 || *end != '\0' || !ascii_is_digit(value.ptr[0]))
		return settings_refuse(reading, line,
		    "%s: \"" SLICE_FMT "\" is not %s", word->name,
		    SLICE_ARG(value), is_mode ? "an octal mode" : "a number");
	if (number < word->field->min || number > word->field->max)
		return settings_refuse(reading, line,
		    is_mode ? "%s: " SLICE_FMT " is not between 0%lo and 0%lo"
			    : "%s: " SLICE_FMT " is not between %ld and %ld",
		    word->name, SLICE_ARG(value), word->field->min,
		    word->field->max);
	if (is_mode)
		*(mode_t *)field_of(reading->settings, word) = (mode_t)number;
	else
		memcpy(field_of(reading->settings, word), &(int){(int)number},
		    sizeof(int));
	return true;
}

static unsigned long
size_unit(const char *suffix)
{
	if (suffix[0] != '\0' && suffix[1] != '\0')
		return 0;
	switch (ascii_lower(suffix[0])) {
	case '\0':
		return 1;
	case 'k':
		return 1024UL;
	case 'm':
		return 1024UL * 1024;
	case 'g':
		return 1024UL * 1024 * 1024;
	}
	return 0;
}

static bool
set_size(struct reading *reading, const struct settings_word *word, slice value,
    unsigned line)
{
	unsigned long *field = field_of(reading->settings, word);
	unsigned long number;
	unsigned long unit;
	char *end;

	errno = 0;
	number = strtoul(value.ptr, &end, 10);
	unit = size_unit(end);
	if (!ascii_is_digit(value.ptr[0]) || unit == 0)
		return settings_refuse(reading, line,
		    "%s: \"" SLICE_FMT "\" is not a size: a number, and k, M "
		    "or G behind it",
		    word->name, SLICE_ARG(value));
	if (errno != 0 || number > LONG_MAX / unit)
		return settings_refuse(reading, line,
		    "%s: " SLICE_FMT " is too large", word->name,
		    SLICE_ARG(value));
	*field = number * unit;
	return true;
}

static const struct {
	const char *suffix;
	unsigned long ms;
} units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60UL * 1000}, {"h", 3600UL * 1000},
    {"d", 86400UL * 1000}, {"w", 7 * 86400UL * 1000}};

static unsigned long
duration_unit(const char *suffix)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(suffix, units[i].suffix) == 0)
			return units[i].ms;
	}
	return 0;
}

/* In the largest unit that gives a whole number, weeks apart. */
static slice
duration_text(struct arena *arena, unsigned long ms)
{
	size_t i = sizeof(units) / sizeof(*units) - 2;

	while (i > 0 && (ms == 0 || ms % units[i].ms != 0))
		i--;
	return arena_printf(
	    arena, "%lu%s", ms / units[i].ms, units[i].suffix);
}

static bool
set_duration(struct reading *reading, const struct settings_word *word,
    slice value, unsigned line)
{
	const struct settings_field *field = word->field;
	unsigned long number;
	unsigned long unit;
	char *end;

	errno = 0;
	number = strtoul(value.ptr, &end, 10);
	unit = duration_unit(end);
	if (!ascii_is_digit(value.ptr[0]) || unit == 0)
		return settings_refuse(reading, line,
		    "%s: \"" SLICE_FMT "\" is not a time: a number, and ms, "
		    "s, m, h, d or w behind it",
		    word->name, SLICE_ARG(value));
	if (errno != 0 || number > (unsigned long)field->max / unit ||
	    number * unit < (unsigned long)field->min)
		return settings_refuse(reading, line,
		    "%s: " SLICE_FMT " is not between %ldms and %ldms",
		    word->name, SLICE_ARG(value), field->min, field->max);
	*(unsigned long *)field_of(reading->settings, word) = number * unit;
	return true;
}

static bool
set_text(struct reading *reading, const struct settings_word *word, slice value,
    unsigned line)
{
	void *field = field_of(reading->settings, word);
	const char *problem = NULL;

	if (value.len > 0 || word->field->type == FIELD_LIST)
		problem = word->field->judge(value);
	if (problem != NULL)
		return settings_refuse(reading, line,
		    "%s: \"" SLICE_FMT "\" %s", word->name, SLICE_ARG(value),
		    problem);
	if (word->field->judge == settings_judge_map)
		value = without_map_type(value);
	if (word->field->type == FIELD_LIST)
		string_list_add(reading->arena, field, value);
	else
		*(slice *)field = arena_copy(reading->arena, value);
	return true;
}

/* `value` is NUL-terminated behind its end. */
bool
settings_set(struct reading *reading, const struct settings_word *word,
    slice value, unsigned line)
{
	if (has_control(value))
		return settings_refuse(reading, line,
		    "%s: control characters are not allowed in a value",
		    word->name);
	switch (word->field->type) {
	case FIELD_STRING:
	case FIELD_LIST:
		return set_text(reading, word, value, line);
	case FIELD_BOOL:
	case FIELD_CHOICE:
		return set_choice(reading, word, value, line);
	case FIELD_NUMBER:
	case FIELD_MODE:
		return set_number(reading, word, value, line);
	case FIELD_SIZE:
		return set_size(reading, word, value, line);
	case FIELD_DURATION:
		return set_duration(reading, word, value, line);
	}
	return false;
}

static slice
list_text(const struct string_list *list, struct arena *arena)
{
	struct strbuf text;

	strbuf_init(&text, arena);
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			strbuf_add(&text, SLICE(", "));
		strbuf_add(&text, list->items[i]);
	}
	return strbuf_slice(&text);
}

static slice
choice_text(const struct choice *choices, int value)
{
	while (choices->text != NULL && choices->value != value)
		choices++;
	return slice_from_cstr(choices->text);
}

slice
settings_value(const struct settings *settings,
    const struct settings_word *word, struct arena *arena)
{
	const void *field = const_field_of(settings, word);
	int number;

	switch (word->field->type) {
	case FIELD_STRING:
		return *(const slice *)field;
	case FIELD_LIST:
		return list_text(field, arena);
	case FIELD_BOOL:
		return choice_text(word->field->choices, *(const bool *)field);
	case FIELD_CHOICE:
		memcpy(&number, field, sizeof(number));
		return choice_text(word->field->choices, number);
	case FIELD_NUMBER:
		memcpy(&number, field, sizeof(number));
		return arena_printf(arena, "%d", number);
	case FIELD_SIZE:
		return arena_printf(
		    arena, "%lu", *(const unsigned long *)field);
	case FIELD_DURATION:
		return duration_text(arena, *(const unsigned long *)field);
	case FIELD_MODE:
		return arena_printf(
		    arena, "%04o", (unsigned)*(const mode_t *)field);
	}
	return SLICE("");
}

static void
keep_list(
    struct string_list *to, const struct string_list *from, struct arena *arena)
{
	*to = (struct string_list){NULL, 0};
	for (size_t i = 0; i < from->count; i++)
		string_list_add(arena, to, from->items[i]);
}

static void
keep_field(
    enum field_type type, void *to, const void *from, struct arena *arena)
{
	switch (type) {
	case FIELD_STRING:
		*(slice *)to = arena_copy(arena, *(const slice *)from);
		return;
	case FIELD_NUMBER:
		memcpy(to, from, sizeof(int));
		return;
	case FIELD_SIZE:
	case FIELD_DURATION:
		memcpy(to, from, sizeof(unsigned long));
		return;
	case FIELD_MODE:
		memcpy(to, from, sizeof(mode_t));
		return;
	case FIELD_LIST:
		keep_list(to, from, arena);
		return;
	case FIELD_BOOL:
		memcpy(to, from, sizeof(bool));
		return;
	case FIELD_CHOICE:
		break;
	}
	assert(false); /* no such word is fixed */
}

void
settings_keep_fixed(struct settings *settings, const struct settings *in_force,
    struct arena *arena)
{
	for (const struct settings_word *word = settings_words();
	     word->name != NULL; word++) {
		void *to = field_of(settings, word);
		const void *from = const_field_of(in_force, word);

		if (word->is_fixed)
			keep_field(word->field->type, to, from, arena);
	}
}

static void
copy_list(struct string_list *list, struct arena *arena)
{
	struct string_list from = *list;

	*list = (struct string_list){0};
	for (size_t i = 0; i < from.count; i++)
		string_list_add(
		    arena, list, arena_copy(arena, from.items[i]));
}

void
settings_copy(const struct settings *settings, struct arena *arena,
    struct settings *ret_copy)
{
	*ret_copy = *settings;
	ret_copy->path = arena_cstr(arena, slice_from_cstr(settings->path));
	for (const struct settings_word *word = settings_words();
	     word->name != NULL; word++) {
		void *field = field_of(ret_copy, word);

		if (word->field->type == FIELD_STRING)
			*(slice *)field = arena_copy(arena, *(slice *)field);
		else if (word->field->type == FIELD_LIST)
			copy_list(field, arena);
	}
}
