/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/intake.h"

#include "base/strbuf.h"
#include "milter/copy_mark.h"
#include "policy/header.h"

#include <stdlib.h>
#include <string.h>

/* Beside the number of recipients, the bytes of their addresses and parameters
 * are bounded: so much for each of them, as an SMTP path may have, and some
 * for a message that has few, with long parameters. */
enum { RECIPIENT_BYTES = 256, RECIPIENT_BYTES_AT_LEAST = 64 * 1024 };
enum { MARK_MAX = 64 };

static slice
join_parameters(struct arena *arena, char *const *parameters)
{
	struct strbuf joined;

	if (parameters == NULL || *parameters == NULL)
		return SLICE("");
	strbuf_init(&joined, arena);
	for (; *parameters != NULL; parameters++) {
		if (joined.len > 0)
			strbuf_add_char(&joined, ' ');
		strbuf_add(&joined, slice_from_cstr(*parameters));
	}
	return strbuf_slice(&joined);
}

void
intake_begin(struct intake *intake, struct arena *arena,
    const struct policy *policy, const struct limits *limits,
    char *const *parameters)
{
	*intake = (struct intake){.arena = arena,
	    .limits = limits,
	    .keeps_fields = policy_rewrites_headers(policy)};
	/* Whether mail is local decides how its header is rewritten. */
	intake->keeps_recipients =
	    intake->keeps_fields || policy_rewrites_recipients(policy);
	if (policy_rewrites_sender(policy))
		intake->sender_parameters = join_parameters(arena, parameters);
}

void
intake_wish(struct intake *intake, const struct intake_wishes *wishes)
{
	intake->keeps_recipients |= wishes->recipients;
	intake->keeps_header = wishes->header;
	intake->keeps_body = wishes->body;
	strbuf_init(&intake->header, intake->arena);
}

void
intake_end(struct intake *intake)
{
	free(intake->body);
	intake->body = NULL;
}

/* Room for one more of `count` things of `size` bytes; doubles. */
static void *
with_room(struct arena *arena, void *list, size_t count, size_t *capacity,
    size_t size)
{
	void *grown;

	if (count < *capacity)
		return list;
	*capacity = *capacity == 0 ? 8 : *capacity * 2;
	grown = arena_alloc(arena, *capacity * size);
	if (count > 0)
		memcpy(grown, list, count * size);
	return grown;
}

static size_t
bytes_of(slice address, char *const *parameters)
{
	size_t bytes = address.len;

	for (; parameters != NULL && *parameters != NULL; parameters++)
		bytes += strlen(*parameters) + 1;
	return bytes;
}

static bool
has_room_for_recipient(const struct intake *intake, size_t bytes)
{
	size_t most = (size_t)intake->limits->recipients;

	return intake->recipient_count < most &&
	       intake->recipient_bytes + bytes <=
		   RECIPIENT_BYTES_AT_LEAST + most * RECIPIENT_BYTES;
}

bool
intake_add_recipient(
    struct intake *intake, slice address, char *const *parameters)
{
	size_t bytes = bytes_of(address, parameters);
	struct intake_recipient *kept;

	if (!intake->keeps_recipients)
		return true;
	if (!has_room_for_recipient(intake, bytes)) {
		intake->has_too_many_recipients = true;
		return false;
	}
	intake->recipients =
	    with_room(intake->arena, intake->recipients,
		intake->recipient_count, &intake->recipient_size,
		sizeof(*intake->recipients));
	intake->recipient_bytes += bytes;
	kept = &intake->recipients[intake->recipient_count++];
	kept->address = arena_copy(intake->arena, address);
	kept->parameters = join_parameters(intake->arena, parameters);
	return true;
}

static unsigned
next_index(const struct intake *intake, slice name)
{
	unsigned index = 1;

	for (size_t i = 0; i < intake->field_count; i++)
		index += slice_eq_nocase(intake->fields[i].name, name);
	return index;
}

/* More than is kept is not kept at all. */
static bool
has_room_for_text(struct intake *intake, size_t bytes)
{
	if (intake->is_too_large ||
	    intake->header.len + intake->body_len + bytes >
		intake->limits->body_kept) {
		intake->is_too_large = true;
		return false;
	}
	return true;
}

static void
add_header_text(struct intake *intake, slice name, slice value)
{
	if (slice_eq_nocase(name, SLICE(COPY_MARK_FIELD))) {
		if (intake->marks++ == 0)
			intake->mark = arena_copy(
			    intake->arena, slice_first(value, MARK_MAX));
		return;
	}
	if (has_room_for_text(intake, name.len + value.len + 3))
		mail_header_add(
		    &intake->header, name, value, !intake->keeps_space);
}

void
intake_add_header(struct intake *intake, slice name, slice value)
{
	struct header_field *kept;

	if (intake->keeps_header)
		add_header_text(intake, name, value);
	if (!intake->keeps_fields || intake->has_too_many_fields ||
	    header_kind(name) == HEADER_OTHER)
		return;
	intake->field_bytes += value.len;
	if (intake->field_count >= (size_t)intake->limits->header_lines ||
	    intake->field_bytes > intake->limits->header_bytes) {
		intake->has_too_many_fields = true;
		return;
	}
	intake->fields = with_room(intake->arena, intake->fields,
	    intake->field_count, &intake->field_size, sizeof(*intake->fields));
	kept = &intake->fields[intake->field_count];
	*kept = (struct header_field){
	    .name = arena_copy(intake->arena, name),
	    .value = arena_copy(intake->arena, value),
	    .index = next_index(intake, name),
	};
	intake->field_count++;
}

static void
add_body_bytes(struct intake *intake, slice bytes)
{
	if (intake->body_len + bytes.len > intake->body_size) {
		intake->body_size = (intake->body_len + bytes.len) * 2;
		intake->body = xrealloc(intake->body, intake->body_size);
	}
	if (bytes.len > 0)
		memcpy(
		    intake->body + intake->body_len, bytes.ptr, bytes.len);
	intake->body_len += bytes.len;
}

/* A CR goes where an LF follows it, in the next chunk maybe. */
void
intake_add_body(struct intake *intake, slice chunk)
{
	if (!intake->keeps_body || chunk.len == 0 ||
	    !has_room_for_text(intake, chunk.len + 1))
		return;
	if (intake->body_ends_in_cr && chunk.ptr[0] != '\n')
		add_body_bytes(intake, SLICE("\r"));
	intake->body_ends_in_cr = chunk.ptr[chunk.len - 1] == '\r';
	if (intake->body_ends_in_cr)
		chunk.len--;
	while (chunk.len > 0) {
		size_t cr = slice_index(chunk, '\r');
		size_t take = cr;

		if (cr + 1 < chunk.len && chunk.ptr[cr + 1] != '\n')
			take = cr + 1;
		add_body_bytes(intake, slice_first(chunk, take));
		chunk = slice_from(chunk, cr + 1);
	}
}

struct mail_text
intake_text(struct intake *intake)
{
	if (intake->body_ends_in_cr)
		add_body_bytes(intake, SLICE("\r"));
	intake->body_ends_in_cr = false;
	return (struct mail_text){
	    .header = arena_join(intake->arena, strbuf_slice(&intake->header),
		SLICE("\n"), SLICE("")),
	    .body = {intake->body == NULL ? "" : intake->body,
		intake->body_len}};
}

struct verdict
intake_too_large(const struct intake *intake, struct arena *arena)
{
	bool has_many_bytes =
	    intake->field_bytes > intake->limits->header_bytes;

	return (struct verdict){
	    .kind = VERDICT_REJECT,
	    .code = 552,
	    .enhanced = SLICE("5.0.0"),
	    .text = has_many_bytes
			? arena_printf(arena, "Headers too large (%lu max)",
			      intake->limits->header_bytes)
			: arena_printf(arena, "Too many header lines (%d max)",
			      intake->limits->header_lines),
	    .rule = "limits",
	};
}

slice
intake_parameters_of(const struct intake *intake, slice recipient)
{
	for (size_t i = 0; i < intake->recipient_count; i++) {
		if (slice_eq(intake->recipients[i].address, recipient))
			return intake->recipients[i].parameters;
	}
	return SLICE("");
}

struct message_input
intake_input(const struct intake *intake, struct arena *arena, slice sender)
{
	slice *recipients =
	    ARENA_ARRAY(arena, slice, intake->recipient_count + 1);

	for (size_t i = 0; i < intake->recipient_count; i++)
		recipients[i] = intake->recipients[i].address;
	return (struct message_input){
	    .sender = sender,
	    .recipients = recipients,
	    .recipient_count = intake->recipient_count,
	    .fields = intake->fields,
	    .field_count = intake->field_count,
	};
}
