/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/dns_answer.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	HEADER_SIZE = 12,
	NAME_MAX_LEN = 253,
	LABEL_MAX = 63,
	RECORDS_MAX = 512,
	TYPE_CNAME = 5,
	TYPE_SOA = 6,
	CLASS_IN = 1,
	RCODE_NXDOMAIN = 3,
};

/* A name that cannot be written as text stands as this: no host name, and
 * equal to no owner. */
#define UNSPEAKABLE SLICE("\\")

struct reader {
	struct arena *arena;
	const unsigned char *data;
	size_t len;
	size_t at;
	bool failed;
};

struct record {
	slice owner;
	unsigned type;
	unsigned ttl_s;
	size_t data_at;
	size_t data_len;
};

struct message {
	struct reader reader;
	unsigned rcode;
	struct record *records; /* of the type wanted, CNAME, SOA */
	size_t count;
};

static unsigned
read_number(struct reader *reader, size_t bytes)
{
	unsigned number = 0;

	if (reader->failed || reader->len - reader->at < bytes) {
		reader->failed = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | reader->data[reader->at++];
	return number;
}

static void
skip(struct reader *reader, size_t bytes)
{
	if (reader->failed || reader->len - reader->at < bytes)
		reader->failed = true;
	else
		reader->at += bytes;
}

static bool
is_speakable(const unsigned char *label, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (label[i] <= ' ' || label[i] >= 0x7f || label[i] == '.' ||
		    label[i] == '\\')
			return false;
	}
	return true;
}

/*
 * A name, perhaps compressed (RFC 1035, 4.1.4). A pointer must lead to before
 * the place where the last run of labels began, so that every jump shortens
 * what is left and no chain of them is endless.
 */
static slice
read_name(struct reader *reader)
{
	char text[NAME_MAX_LEN];
	size_t text_len = 0;
	size_t at = reader->at;
	size_t run = at;
	bool jumped = false;
	bool speakable = true;

	while (!reader->failed) {
		size_t len = at < reader->len ? reader->data[at] : 0xff;

		if (len >= 0xc0) {
			size_t to;

			if (at + 2 > reader->len)
				break;
			to = (len & 0x3f) << 8 | reader->data[at + 1];
			if (!jumped)
				reader->at = at + 2;
			jumped = true;
			if (to >= run)
				break;
			at = run = to;
			continue;
		}
		if (len > LABEL_MAX || len >= reader->len - at)
			break;
		if (len == 0) {
			if (!jumped)
				reader->at = at + 1;
			if (!speakable)
				return UNSPEAKABLE;
			return arena_copy_lower(
			    reader->arena, (slice){text, text_len});
		}
		if (text_len + (text_len > 0) + len > NAME_MAX_LEN)
			break;
		speakable =
		    speakable && is_speakable(reader->data + at + 1, len);
		if (text_len > 0)
			text[text_len++] = '.';
		memcpy(text + text_len, reader->data + at + 1, len);
		text_len += len;
		at += 1 + len;
	}
	reader->failed = true;
	return UNSPEAKABLE;
}

/* TTLs above 2^31 count as 0: RFC 2181, 8. */
static unsigned
sane_ttl(unsigned ttl_s)
{
	if (ttl_s > 0x7fffffffU || ttl_s == 0)
		return 1;
	return ttl_s < DNS_TTL_MAX_S ? ttl_s : DNS_TTL_MAX_S;
}

static void
read_record(struct message *message, enum dns_type wanted)
{
	struct reader *reader = &message->reader;
	struct record record = {.owner = read_name(reader)};
	unsigned class;

	record.type = read_number(reader, 2);
	class = read_number(reader, 2);
	record.ttl_s = sane_ttl(read_number(reader, 4));
	record.data_len = read_number(reader, 2);
	record.data_at = reader->at;
	skip(reader, record.data_len);
	if (reader->failed || class != CLASS_IN ||
	    message->count == RECORDS_MAX)
		return;
	if (record.type == (unsigned)wanted || record.type == TYPE_CNAME ||
	    record.type == TYPE_SOA)
		message->records[message->count++] = record;
}

/* Answer and authority sections; the additional one is not asked. */
static bool
read_message(struct message *message, enum dns_type wanted)
{
	struct reader *reader = &message->reader;
	unsigned questions;
	unsigned records;

	skip(reader, 2);
	message->rcode = read_number(reader, 2) & 0xf;
	questions = read_number(reader, 2);
	records = read_number(reader, 2);
	records += read_number(reader, 2);
	skip(reader, 2);
	while (questions-- > 0 && !reader->failed) {
		(void)read_name(reader);
		skip(reader, 4);
	}
	while (records-- > 0 && !reader->failed)
		read_record(message, wanted);
	return !reader->failed;
}

static slice
name_in(
    const struct message *message, const struct record *record, size_t offset)
{
	struct reader reader = message->reader;
	slice name;

	if (record->data_len <= offset)
		return UNSPEAKABLE;
	reader.at = record->data_at + offset;
	name = read_name(&reader);
	return reader.at == record->data_at + record->data_len ? name
							       : UNSPEAKABLE;
}

static unsigned
number_in(const struct message *message, const struct record *record,
    size_t offset, size_t bytes)
{
	struct reader reader = message->reader;

	if (record->data_len < offset + bytes)
		return 0;
	reader.at = record->data_at + offset;
	return read_number(&reader, bytes);
}

static const struct record *
find_record(const struct message *message, unsigned type, slice owner)
{
	for (size_t i = 0; i < message->count; i++) {
		if (message->records[i].type == type &&
		    slice_eq(message->records[i].owner, owner))
			return &message->records[i];
	}
	return NULL;
}

static void
shorten_ttl(struct dns_answer *answer, unsigned ttl_s)
{
	if (ttl_s < answer->ttl_s)
		answer->ttl_s = ttl_s;
}

/* False when the chain has no end. */
static bool
follow_cnames(const struct message *message, struct dns_answer *answer)
{
	for (int i = 0; i <= DNS_CNAMES_MAX; i++) {
		const struct record *alias =
		    find_record(message, TYPE_CNAME, answer->canonical);

		if (alias == NULL)
			return true;
		answer->canonical = name_in(message, alias, 0);
		shorten_ttl(answer, alias->ttl_s);
		if (slice_eq(answer->canonical, UNSPEAKABLE))
			return false;
	}
	return false;
}

/* The SOA's own TTL or its MINIMUM, the lesser: RFC 2308, 5. */
static void
set_negative_ttl(const struct message *message, struct dns_answer *answer)
{
	for (size_t i = 0; i < message->count; i++) {
		const struct record *soa = &message->records[i];

		if (soa->type != TYPE_SOA || soa->data_len < 4)
			continue;
		shorten_ttl(answer, soa->ttl_s);
		shorten_ttl(answer,
		    sane_ttl(number_in(message, soa, soa->data_len - 4, 4)));
		return;
	}
	shorten_ttl(answer, DNS_TTL_NEGATIVE_S);
}

static slice
ipv4_text(struct arena *arena, const unsigned char *b)
{
	return arena_printf(arena, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
}

static slice
ipv6_text(struct arena *arena, const unsigned char *b)
{
	unsigned g[8];

	for (size_t i = 0; i < 8; i++)
		g[i] = (unsigned)b[2 * i] << 8 | b[2 * i + 1];
	return arena_printf(arena, "IPv6:%x:%x:%x:%x:%x:%x:%x:%x", g[0], g[1],
	    g[2], g[3], g[4], g[5], g[6], g[7]);
}

static void
add_address(struct message *message, const struct record *record,
    struct dns_answer *answer)
{
	const unsigned char *data = message->reader.data + record->data_at;
	struct arena *arena = message->reader.arena;

	if (answer->count == DNS_ADDRESSES_MAX)
		return;
	if (record->type == DNS_A && record->data_len == 4)
		answer->values[answer->count++] = ipv4_text(arena, data);
	if (record->type == DNS_AAAA && record->data_len == 16)
		answer->values[answer->count++] = ipv6_text(arena, data);
}

static bool
is_null_exchanger(slice name)
{
	return name.len == 0;
}

/* Keeps `values` in the order of `preferences`. */
static void
insert_exchanger(struct dns_answer *answer, unsigned *preferences,
    unsigned preference, slice name)
{
	size_t at = answer->count;

	while (at > 0 && preferences[at - 1] > preference) {
		preferences[at] = preferences[at - 1];
		answer->values[at] = answer->values[at - 1];
		at--;
	}
	preferences[at] = preference;
	answer->values[at] = name;
	answer->count++;
}

static void
collect_addresses(
    struct message *message, enum dns_type type, struct dns_answer *answer)
{
	for (size_t i = 0; i < message->count; i++) {
		const struct record *record = &message->records[i];

		if (record->type != (unsigned)type ||
		    !slice_eq(record->owner, answer->canonical))
			continue;
		answer->status = DNS_FOUND;
		shorten_ttl(answer, record->ttl_s);
		add_address(message, record, answer);
	}
}

static void
collect_exchangers(struct message *message, struct dns_answer *answer)
{
	unsigned preferences[DNS_EXCHANGERS_MAX];

	for (size_t i = 0; i < message->count; i++) {
		const struct record *record = &message->records[i];
		slice name;

		if (record->type != DNS_MX ||
		    !slice_eq(record->owner, answer->canonical))
			continue;
		answer->status = DNS_FOUND;
		shorten_ttl(answer, record->ttl_s);
		name = name_in(message, record, 2);
		if (answer->count < DNS_EXCHANGERS_MAX &&
		    (is_null_exchanger(name) || dns_is_host_name(name)))
			insert_exchanger(answer, preferences,
			    number_in(message, record, 0, 2), name);
	}
}

static void
collect_pointer(struct message *message, struct dns_answer *answer)
{
	const struct record *record =
	    find_record(message, DNS_PTR, answer->canonical);
	slice name;

	if (record == NULL)
		return;
	answer->status = DNS_FOUND;
	shorten_ttl(answer, record->ttl_s);
	name = name_in(message, record, 0);
	if (name.len == 0)
		name = SLICE(".");
	else if (!dns_is_host_name(name))
		return;
	answer->values[answer->count++] = name;
}

static void
collect(struct message *message, enum dns_type type, struct dns_answer *answer)
{
	answer->values =
	    ARENA_ARRAY(message->reader.arena, slice, DNS_ADDRESSES_MAX);
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		collect_addresses(message, type, answer);
		break;
	case DNS_MX:
		collect_exchangers(message, answer);
		break;
	case DNS_PTR:
		collect_pointer(message, answer);
		break;
	}
}

void
dns_answer_parse(struct arena *arena, enum dns_type type, slice name,
    slice packet, struct dns_answer *ret_answer)
{
	struct message message = {
	    .reader = {.arena = arena,
		.data = (const unsigned char *)packet.ptr,
		.len = packet.len},
	    .records = ARENA_ARRAY(arena, struct record, RECORDS_MAX),
	};

	*ret_answer = (struct dns_answer){
	    .status = DNS_BROKEN,
	    .canonical = arena_copy_lower(arena, name),
	    .ttl_s = DNS_TTL_MAX_S,
	};
	if (!read_message(&message, type))
		return;
	if (message.rcode != 0 && message.rcode != RCODE_NXDOMAIN)
		return;
	ret_answer->status = DNS_NO_DATA;
	if (!follow_cnames(&message, ret_answer) ||
	    message.rcode == RCODE_NXDOMAIN)
		ret_answer->status = DNS_NO_NAME;
	else
		collect(&message, type, ret_answer);
	if (ret_answer->status != DNS_FOUND)
		set_negative_ttl(&message, ret_answer);
}

size_t
dns_answer_size(const struct dns_answer *answer)
{
	size_t size = sizeof(*answer) + answer->canonical.len +
		      answer->count * sizeof(slice);

	for (size_t i = 0; i < answer->count; i++)
		size += answer->values[i].len;
	return size;
}

static slice
copy_text(char **at, slice text)
{
	slice copy = {*at, text.len};

	if (text.len > 0)
		memcpy(*at, text.ptr, text.len);
	*at += text.len;
	return copy;
}

struct dns_answer *
dns_answer_copy(void *memory, const struct dns_answer *answer)
{
	struct dns_answer *copy = memory;
	char *text;

	*copy = *answer;
	copy->values = (slice *)(void *)(copy + 1);
	text = (char *)(copy->values + answer->count);
	copy->canonical = copy_text(&text, answer->canonical);
	for (size_t i = 0; i < answer->count; i++)
		copy->values[i] = copy_text(&text, answer->values[i]);
	return copy;
}

static bool
is_label(slice label)
{
	if (label.len == 0 || label.len > LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.len; i++) {
		char c = ascii_lower(label.ptr[i]);

		if (!(c >= 'a' && c <= 'z') && !ascii_is_digit(c) && c != '-' &&
		    c != '_')
			return false;
	}
	return true;
}

static bool
is_dotted_address(slice name)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr address;

	if (name.len >= sizeof(text))
		return false;
	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	return inet_pton(AF_INET, text, &address) == 1;
}

bool
dns_is_host_name(slice name)
{
	slice rest = name;
	slice label;

	if (name.len == 0 || name.len > NAME_MAX_LEN || name.ptr[0] == '-' ||
	    name.ptr[name.len - 1] == '.')
		return false;
	while (slice_next(&rest, '.', &label)) {
		if (!is_label(label))
			return false;
	}
	return !is_dotted_address(name);
}
