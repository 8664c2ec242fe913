/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What comes from Redis or from a last good copy. The first letter says what
 * the rest is: the text of a manifest (m), the records of a shard (r), or the
 * image of a part (i), whose shards are made here: the first byte of a digest
 * says how many entries. What must hold: what is taken is the same when it is
 * written and read again; every entry of it is found, with a place.
 */
#include "tests/fuzz/fuzz.h"

#include "maps/image.h"
#include "maps/manifest.h"

#include <stdlib.h>
#include <string.h>

static void
check_manifest(slice text)
{
	struct arena *arena = arena_new(0);
	struct manifest manifest;
	struct manifest again;
	struct strbuf written;

	if (manifest_read(text, arena, &manifest) == MANIFEST_GOOD) {
		strbuf_init(&written, arena);
		manifest_write(&manifest, &written);
		if (manifest_read(strbuf_slice(&written), arena, &again) !=
			MANIFEST_GOOD ||
		    again.number != manifest.number ||
		    !digest_eq(
			manifest_digest(&again), manifest_digest(&manifest)))
			abort();
	}
	arena_free(arena);
}

static void
check_entries(const struct shard *shard)
{
	struct shard_entry entry;
	struct shard_entry found;
	unsigned position = 0;
	size_t count = 0;

	while (shard_next(shard, &position, &entry)) {
		if (entry.ordinal != count++ ||
		    entry.key.len > shard_longest_key(shard) ||
		    !shard_find(
			shard, shard_hash(entry.key), entry.key, &found) ||
		    found.ordinal != entry.ordinal ||
		    !slice_eq(found.value, entry.value))
			abort();
	}
	if (count != shard_count(shard))
		abort();
}

static void
check_records(slice records)
{
	struct shard *shard = shard_of_records(records, NULL);

	if (shard == NULL)
		return;
	if (!slice_eq(shard_records(shard), records))
		abort();
	check_entries(shard);
	shard_release(shard);
}

static struct shard *
make_shard(void *context, struct digest digest, struct error *error)
{
	struct shard_builder *builder = shard_builder_new();
	struct shard *shard;
	char key = 'a';

	(void)context;
	for (unsigned n = digest.word[0] % 4; n > 0; n--, key++) {
		slice text = {&key, 1};

		if (!shard_builder_add(builder, shard_hash(text), text, text,
			(struct map_origin){0, 0}, error))
			abort();
	}
	shard = shard_finish(builder, NULL, NULL, error);
	shard_builder_free(builder);
	return shard;
}

static void
check_found(const struct snapshot_part *part)
{
	for (char key = 'a'; part->map != NULL && key < 'e'; key++) {
		struct arena *arena = arena_new(0);
		struct map_hit hit = {.origin = NULL};

		if (map_find(part->map, (slice){&key, 1}, arena, &hit) ==
			MAP_FOUND &&
		    map_hit_file(&hit) == NULL)
			abort();
		arena_free(arena);
	}
}

static struct shard *
lend_shard(void *context, struct digest digest, struct error *error)
{
	struct shard *shard = image_find_shard(context, digest);

	(void)error;
	if (shard == NULL)
		abort();
	return shard_acquire(shard);
}

/* What is made of an image gives an image that gives the same again. */
static void
check_again(const struct snapshot_part *part)
{
	struct image_source source = {lend_shard, (void *)part};
	struct snapshot *to = snapshot_new();
	struct image first;
	struct image second;

	image_of_part(part, &first);
	if (!snapshot_add_image(
		to, part->name, image_slice(&first), &source, NULL))
		abort();
	image_of_part(snapshot_parts(to), &second);
	if (!slice_eq(image_slice(&first), image_slice(&second)))
		abort();
	image_free(&first);
	image_free(&second);
	snapshot_release(to);
}

static void
check_image(slice image)
{
	struct image_source source = {make_shard, NULL};
	struct snapshot *snapshot = snapshot_new();

	if (snapshot_add_image(snapshot, SLICE("part"), image, &source, NULL)) {
		check_found(snapshot_parts(snapshot));
		check_again(snapshot_parts(snapshot));
	}
	snapshot_release(snapshot);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice input = {(const char *)data, size};

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'm':
		check_manifest(slice_from(input, 1));
		break;
	case 'r':
		check_records(slice_from(input, 1));
		break;
	default:
		check_image(slice_from(input, 1));
		break;
	}
	return 0;
}
