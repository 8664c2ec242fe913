/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/manifest.h"

#include "maps/image.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

void
manifest_of_snapshot(const struct snapshot *snapshot, struct arena *arena,
    struct manifest *ret_manifest)
{
	struct manifest manifest = {
	    .parts =
		ARENA_ARRAY(arena, struct manifest_part, MANIFEST_PARTS_MAX)};

	for (const struct snapshot_part *part = snapshot_parts(snapshot);
	     part != NULL && manifest.part_count < MANIFEST_PARTS_MAX;
	     part = part->next) {
		struct manifest_part *made =
		    &manifest.parts[manifest.part_count++];
		struct image image;

		image_of_part(part, &image);
		*made = (struct manifest_part){
		    .name = arena_copy(arena, part->name),
		    .kind = part->kind,
		    .digest = digest_of(image_slice(&image)),
		    .bytes = image.len,
		    .entries = part->entries - class_own_count(part->words),
		};
		image_free(&image);
	}
	*ret_manifest = manifest;
}

static void
write_parts(const struct manifest *manifest, struct strbuf *out)
{
	for (size_t i = 0; i < manifest->part_count; i++) {
		const struct manifest_part *part = &manifest->parts[i];

		strbuf_printf(out,
		    "part %s " SLICE_FMT " " SLICE_FMT " %zu %zu\n",
		    part_kind_text(part->kind), SLICE_ARG(part->name),
		    SLICE_ARG(digest_text(part->digest, out->arena)),
		    part->bytes, part->entries);
	}
}

void
manifest_write(const struct manifest *manifest, struct strbuf *out)
{
	strbuf_printf(out,
	    "milterd-generation %d\nnumber %lu\npublisher " SLICE_FMT
	    "\npublished %lld\n",
	    MANIFEST_SCHEMA, manifest->number, SLICE_ARG(manifest->publisher),
	    manifest->published_at);
	write_parts(manifest, out);
	strbuf_add(out, SLICE("end\n"));
}

struct digest
manifest_digest(const struct manifest *manifest)
{
	struct arena *arena = arena_new(0);
	struct strbuf text;
	struct digest digest;

	strbuf_init(&text, arena);
	write_parts(manifest, &text);
	digest = digest_of(strbuf_slice(&text));
	arena_free(arena);
	return digest;
}

const struct manifest_part *
manifest_find(const struct manifest *manifest, slice name)
{
	for (size_t i = 0; i < manifest->part_count; i++) {
		if (slice_eq(manifest->parts[i].name, name))
			return &manifest->parts[i];
	}
	return NULL;
}

void
manifest_copy(const struct manifest *manifest, struct arena *arena,
    struct manifest *ret_copy)
{
	struct manifest copy = *manifest;

	copy.publisher = arena_copy(arena, manifest->publisher);
	copy.parts =
	    ARENA_ARRAY(arena, struct manifest_part, copy.part_count + 1);
	for (size_t i = 0; i < copy.part_count; i++) {
		copy.parts[i] = manifest->parts[i];
		copy.parts[i].name = arena_copy(arena, manifest->parts[i].name);
	}
	*ret_copy = copy;
}

bool
manifest_add_image(const struct manifest_part *part, slice bytes,
    struct snapshot *snapshot, struct error *error)
{
	const struct snapshot_part *made;

	if (bytes.len == part->bytes &&
	    digest_eq(digest_of(bytes), part->digest) &&
	    snapshot_add_image(snapshot, part->name, bytes, NULL)) {
		made = snapshot_find_part(snapshot, part->name);
		if (made->kind == part->kind && made->entries == part->entries)
			return true;
	}
	(void)error_set(error, "the image of " SLICE_FMT " is damaged",
	    SLICE_ARG(part->name));
	if (error != NULL)
		error->exit_code = EX_DATAERR;
	return false;
}

/*
 * Reading.
 */

static bool
take_number(slice text, unsigned long long *ret_number)
{
	char digits[21];

	if (!slice_is_number(text) || text.len >= sizeof(digits))
		return false;
	slice_lower_into(digits, text);
	digits[text.len] = '\0';
	errno = 0;
	*ret_number = strtoull(digits, NULL, 10);
	return errno == 0;
}

/* "keyword value": the value. */
static bool
take_value(slice *rest, slice keyword, slice *ret_value)
{
	slice word;

	return slice_next(rest, '\n', ret_value) &&
	       slice_next(ret_value, ' ', &word) && slice_eq(word, keyword) &&
	       ret_value->len > 0;
}

static bool
take_kind(slice text, enum part_kind *ret_kind)
{
	static const enum part_kind kinds[] = {PART_MAP, PART_CLASS, PART_TEXT};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		*ret_kind = kinds[i];
		if (slice_eq(text, slice_from_cstr(part_kind_text(kinds[i]))))
			return true;
	}
	return false;
}

/* A name is a file's name on disk, and a word in a command. */
static bool
is_name(slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = ascii_lower(name.ptr[i]);

		if ((c < 'a' || c > 'z') && !ascii_is_digit(c) && c != '_' &&
		    c != '-')
			return false;
	}
	return name.len > 0 && name.len <= 64;
}

static bool
take_part(slice line, struct manifest_part *part)
{
	slice words[6];
	unsigned long long bytes;
	unsigned long long entries;

	for (size_t i = 0; i < 6; i++) {
		if (!slice_next(&line, ' ', &words[i]))
			return false;
	}
	if (line.len > 0 || !slice_eq(words[0], SLICE("part")) ||
	    !take_kind(words[1], &part->kind) || !is_name(words[2]) ||
	    !digest_parse(words[3], &part->digest) ||
	    !take_number(words[4], &bytes) || !take_number(words[5], &entries))
		return false;
	part->name = words[2];
	part->bytes = bytes;
	part->entries = entries;
	return true;
}

static bool
take_parts(slice rest, struct manifest *manifest)
{
	slice line;

	while (slice_next(&rest, '\n', &line)) {
		struct manifest_part part;

		if (slice_eq(line, SLICE("end")))
			return rest.len == 0;
		if (manifest->part_count == MANIFEST_PARTS_MAX ||
		    !take_part(line, &part) ||
		    manifest_find(manifest, part.name) != NULL)
			return false;
		manifest->parts[manifest->part_count++] = part;
	}
	return false;
}

static bool
take_head(slice *rest, struct manifest *manifest)
{
	unsigned long long number;
	unsigned long long published;
	slice value;

	if (!take_value(rest, SLICE("number"), &value) ||
	    !take_number(value, &number))
		return false;
	if (!take_value(rest, SLICE("publisher"), &manifest->publisher) ||
	    manifest->publisher.len > 255 ||
	    !take_value(rest, SLICE("published"), &value) ||
	    !take_number(value, &published))
		return false;
	manifest->number = (unsigned long)number;
	manifest->published_at = (long long)published;
	return number > 0 && number < INT64_MAX && published < INT64_MAX;
}

enum manifest_result
manifest_read(slice text, struct arena *arena, struct manifest *ret_manifest)
{
	struct manifest manifest = {
	    .parts =
		ARENA_ARRAY(arena, struct manifest_part, MANIFEST_PARTS_MAX)};
	unsigned long long schema;
	slice rest = text;
	slice value;

	if (!take_value(&rest, SLICE("milterd-generation"), &value) ||
	    !take_number(value, &schema))
		return MANIFEST_BAD;
	if (schema > MANIFEST_SCHEMA)
		return MANIFEST_NEWER;
	if (schema < 1 || !take_head(&rest, &manifest) ||
	    !take_parts(rest, &manifest))
		return MANIFEST_BAD;
	manifest_copy(&manifest, arena, ret_manifest);
	return MANIFEST_GOOD;
}
