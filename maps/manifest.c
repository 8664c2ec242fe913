/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/manifest.h"

#include "maps/image.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

/* "shard ", a digest, " 0" and the end of the line. */
#define SHARD_LINE_MIN (6 + DIGEST_TEXT + 3)

static struct manifest_part
part_of(const struct snapshot_part *part, struct arena *arena)
{
	struct manifest_part made = {
	    .name = arena_copy(arena, part->name),
	    .kind = part->kind,
	    .entries = part->entries - class_own_count(part->words),
	};
	struct image image;
	size_t count = 0;

	image_of_part(part, &image);
	made.image =
	    (struct manifest_blob){digest_of(image_slice(&image)), image.len};
	image_free(&image);
	while (image_shard(part, count) != NULL)
		count++;
	made.shards = ARENA_ARRAY(arena, struct manifest_blob, count + 1);
	made.shard_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct shard *shard = image_shard(part, i);

		made.shards[i] = (struct manifest_blob){
		    shard_digest(shard), shard_records(shard).len};
	}
	return made;
}

void
manifest_of_snapshot(const struct snapshot *snapshot, struct arena *arena,
    struct manifest *ret_manifest)
{
	struct manifest manifest = {
	    .parts =
		ARENA_ARRAY(arena, struct manifest_part, MANIFEST_PARTS_MAX)};

	for (const struct snapshot_part *part = snapshot_parts(snapshot);
	     part != NULL && manifest.part_count < MANIFEST_PARTS_MAX;
	     part = part->next)
		manifest.parts[manifest.part_count++] = part_of(part, arena);
	*ret_manifest = manifest;
}

static void
write_part(const struct manifest_part *part, struct strbuf *out)
{
	strbuf_printf(out, "part %s " SLICE_FMT " " SLICE_FMT " %zu %zu\n",
	    part_kind_text(part->kind), SLICE_ARG(part->name),
	    SLICE_ARG(digest_text(part->image.digest, out->arena)),
	    part->image.bytes, part->entries);
	for (size_t i = 0; i < part->shard_count; i++)
		strbuf_printf(out, "shard " SLICE_FMT " %zu\n",
		    SLICE_ARG(digest_text(part->shards[i].digest, out->arena)),
		    part->shards[i].bytes);
}

static void
write_parts(const struct manifest *manifest, struct strbuf *out)
{
	for (size_t i = 0; i < manifest->part_count; i++)
		write_part(&manifest->parts[i], out);
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

static struct manifest_part
copy_part(const struct manifest_part *part, struct arena *arena)
{
	struct manifest_part copy = *part;

	copy.name = arena_copy(arena, part->name);
	copy.shards =
	    ARENA_ARRAY(arena, struct manifest_blob, part->shard_count + 1);
	for (size_t i = 0; i < part->shard_count; i++)
		copy.shards[i] = part->shards[i];
	return copy;
}

void
manifest_copy(const struct manifest *manifest, struct arena *arena,
    struct manifest *ret_copy)
{
	struct manifest copy = *manifest;

	copy.publisher = arena_copy(arena, manifest->publisher);
	copy.parts =
	    ARENA_ARRAY(arena, struct manifest_part, copy.part_count + 1);
	for (size_t i = 0; i < copy.part_count; i++)
		copy.parts[i] = copy_part(&manifest->parts[i], arena);
	*ret_copy = copy;
}

static const struct manifest_blob *
shard_of(const struct manifest_part *part, struct digest digest)
{
	for (size_t i = 0; i < part->shard_count; i++) {
		if (digest_eq(part->shards[i].digest, digest))
			return &part->shards[i];
	}
	return NULL;
}

bool
manifest_has_blob(const struct manifest *manifest, struct digest digest)
{
	for (size_t i = 0; i < manifest->part_count; i++) {
		if (digest_eq(manifest->parts[i].image.digest, digest) ||
		    shard_of(&manifest->parts[i], digest) != NULL)
			return true;
	}
	return false;
}

/*
 * From blobs to a part.
 */

struct adding {
	const struct manifest_part *part;
	const struct manifest_source *source;
	const struct snapshot_part *have;
};

static bool
damaged(const struct manifest_part *part, struct error *error)
{
	(void)error_set(error, "the image of " SLICE_FMT " is damaged",
	    SLICE_ARG(part->name));
	if (error != NULL)
		error->exit_code = EX_DATAERR;
	return false;
}

static bool
get_blob(const struct adding *adding, const struct manifest_blob *blob,
    struct arena *arena, slice *ret_bytes, struct error *error)
{
	if (!adding->source->get(
		adding->source->context, blob, arena, ret_bytes, error))
		return false;
	if (ret_bytes->len != blob->bytes ||
	    !digest_eq(digest_of(*ret_bytes), blob->digest))
		return damaged(adding->part, error);
	return true;
}

static struct shard *
get_shard(void *context, struct digest digest, struct error *error)
{
	const struct adding *adding = context;
	const struct manifest_blob *blob = shard_of(adding->part, digest);
	struct shard *shard = adding->have == NULL
				  ? NULL
				  : image_find_shard(adding->have, digest);
	struct arena *arena;
	slice bytes;

	if (shard != NULL)
		return shard_acquire(shard);
	if (blob == NULL) {
		(void)damaged(adding->part, error);
		return NULL;
	}
	arena = arena_new(0);
	if (get_blob(adding, blob, arena, &bytes, error))
		shard = shard_of_records(bytes, error);
	arena_free(arena);
	return shard;
}

static bool
is_same_blob(const struct manifest_blob *one, const struct manifest_blob *other)
{
	return one->bytes == other->bytes &&
	       digest_eq(one->digest, other->digest);
}

bool
manifest_part_eq(
    const struct manifest_part *one, const struct manifest_part *other)
{
	if (one->kind != other->kind || one->entries != other->entries ||
	    one->shard_count != other->shard_count ||
	    !is_same_blob(&one->image, &other->image))
		return false;
	for (size_t i = 0; i < one->shard_count; i++) {
		if (!is_same_blob(&one->shards[i], &other->shards[i]))
			return false;
	}
	return true;
}

/* What is kept and given on later is made anew of the part: it must come to
 * what the manifest says of it, shard by shard. */
static bool
is_made(const struct manifest_part *part, const struct snapshot_part *made)
{
	struct arena *arena = arena_new(0);
	struct manifest_part again = part_of(made, arena);
	bool is_same = manifest_part_eq(part, &again);

	arena_free(arena);
	return is_same;
}

static bool
add_image(struct adding *adding, slice image, struct snapshot *snapshot,
    struct error *error)
{
	const struct manifest_part *part = adding->part;
	struct image_source source = {get_shard, adding};

	if (!snapshot_add_image(snapshot, part->name, image, &source, error))
		return false;
	return is_made(part, snapshot_find_part(snapshot, part->name)) ||
	       damaged(part, error);
}

bool
manifest_add_part(const struct manifest_part *part,
    const struct manifest_source *source, const struct snapshot_part *have,
    struct snapshot *snapshot, struct error *error)
{
	struct adding adding = {part, source, have};
	struct arena *arena = arena_new(0);
	slice image;
	bool done = get_blob(&adding, &part->image, arena, &image, error) &&
		    add_image(&adding, image, snapshot, error);

	arena_free(arena);
	return done;
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

/* As many words as there are, and no more. */
static bool
take_words(slice line, slice *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!slice_next(&line, ' ', &words[i]))
			return false;
	}
	return line.len == 0;
}

static bool
take_blob(slice digest, slice bytes, struct manifest_blob *ret_blob)
{
	unsigned long long number;

	if (!digest_parse(digest, &ret_blob->digest) ||
	    !take_number(bytes, &number) || number > UINT32_MAX)
		return false;
	ret_blob->bytes = number;
	return true;
}

static bool
take_part(slice line, struct manifest *manifest, struct manifest_blob *shards)
{
	struct manifest_part *part = &manifest->parts[manifest->part_count];
	unsigned long long entries;
	slice words[6];

	if (manifest->part_count == MANIFEST_PARTS_MAX ||
	    !take_words(line, words, 6) || !slice_eq(words[0], SLICE("part")) ||
	    !take_kind(words[1], &part->kind) || !is_name(words[2]) ||
	    manifest_find(manifest, words[2]) != NULL ||
	    !take_blob(words[3], words[4], &part->image) ||
	    !take_number(words[5], &entries))
		return false;
	part->name = words[2];
	part->entries = entries;
	part->shards = shards;
	manifest->part_count++;
	return true;
}

static bool
take_shard(slice line, struct manifest *manifest)
{
	struct manifest_part *part;
	slice words[3];

	if (manifest->part_count == 0)
		return false;
	part = &manifest->parts[manifest->part_count - 1];
	return part->kind == PART_MAP && take_words(line, words, 3) &&
	       take_blob(
		   words[1], words[2], &part->shards[part->shard_count++]);
}

static bool
is_shard(slice line)
{
	slice word;

	return slice_next(&line, ' ', &word) && slice_eq(word, SLICE("shard"));
}

/* `shards` has room for all of them. */
static bool
take_parts(slice rest, struct manifest *manifest, struct manifest_blob *shards)
{
	slice line;

	while (slice_next(&rest, '\n', &line)) {
		if (slice_eq(line, SLICE("end")))
			return rest.len == 0;
		if (!is_shard(line)) {
			if (!take_part(line, manifest, shards))
				return false;
		} else if (take_shard(line, manifest)) {
			shards++;
		} else {
			return false;
		}
	}
	return false;
}

static bool
is_host(slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] <= ' ' || name.ptr[i] > '~')
			return false;
	}
	return name.len <= 255;
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
	    !is_host(manifest->publisher) ||
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
	struct manifest_blob *shards = ARENA_ARRAY(
	    arena, struct manifest_blob, text.len / SHARD_LINE_MIN + 1);
	unsigned long long schema;
	slice rest = text;
	slice value;

	if (!take_value(&rest, SLICE("milterd-generation"), &value) ||
	    !take_number(value, &schema))
		return MANIFEST_BAD;
	if (schema > MANIFEST_SCHEMA)
		return MANIFEST_NEWER;
	if (schema < 1 || !take_head(&rest, &manifest) ||
	    !take_parts(rest, &manifest, shards))
		return MANIFEST_BAD;
	manifest_copy(&manifest, arena, ret_manifest);
	return MANIFEST_GOOD;
}
