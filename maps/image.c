/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An image is the magic, a letter for the kind, and the rest in numbers (seven
 * bits a byte, the low ones first, the high bit set on all but the last) and
 * texts (a number of bytes, and they):
 *
 *	map	sections: 'T' and a table, 'P' and path and text of patterns,
 *		'.' at the end
 *	table	how many shards, and each: digest (16 bytes), how many entries;
 *		then of each entry: file, line less the one before as a number
 *		that alternates in sign
 *	class	how many words, and each: file, line, word; sorted
 *	text	how many files, and each: path, content
 *
 * A file is a number; the number after the last known one is a new file, whose
 * name follows. Files of words count from 1; 0 is the configuration.
 */
#include "maps/image.h"

#include "maps/snapshot_private.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define MAGIC "mdpart2\n"
#define FILES_MAX 10000
#define SECTIONS_MAX 1000

/*
 * Writing.
 */

struct writer {
	struct image *image;
	const char **names; /* of files, as they came */
	unsigned name_count;
};

static void
put(struct image *image, const void *bytes, size_t len)
{
	if (image->len + len > image->size) {
		image->size = (image->len + len) * 3 / 2;
		image->bytes = xrealloc(image->bytes, image->size);
	}
	if (len > 0)
		memcpy(image->bytes + image->len, bytes, len);
	image->len += len;
}

static void
put_number(struct image *image, uint64_t number)
{
	unsigned char bytes[10];
	size_t len = 0;

	for (; number >= 0x80; number >>= 7)
		bytes[len++] = (unsigned char)(number | 0x80);
	bytes[len++] = (unsigned char)number;
	put(image, bytes, len);
}

static void
put_text(struct image *image, slice text)
{
	put_number(image, text.len);
	put(image, text.ptr, text.len);
}

/* Most entries are of the file of the entry before them. A class that is held
 * in common has a copy of the name for each word. */
static void
put_file(struct writer *writer, const char *name, unsigned first)
{
	unsigned at = 0;

	while (at < writer->name_count && writer->names[at] != name &&
	       strcmp(writer->names[at], name) != 0)
		at++;
	put_number(writer->image, at + first);
	if (at < writer->name_count)
		return;
	put_text(writer->image, slice_from_cstr(name));
	writer->names = xrealloc(
	    writer->names, (writer->name_count + 1) * sizeof(*writer->names));
	writer->names[writer->name_count++] = name;
}

static void
put_origins(struct image *image, const struct table *table)
{
	const struct map_origin *origins = table_origins(table);
	struct writer writer = {.image = image};
	unsigned before = 0;

	for (size_t i = 0; i < table_count(table); i++) {
		int64_t step = (int64_t)origins[i].line - (int64_t)before;

		put_file(&writer, table_file(table, origins[i].file), 0);
		put_number(image,
		    step < 0 ? (uint64_t)(-step) * 2 - 1 : (uint64_t)step * 2);
		before = origins[i].line;
	}
	free(writer.names);
}

static void
put_digest(struct image *image, struct digest digest)
{
	uint64_t words[] = {htole64(digest.word[0]), htole64(digest.word[1])};

	put(image, words, sizeof(words));
}

static void
put_table(struct image *image, const struct table *table)
{
	size_t count = table_shard_count(table);

	put(image, "T", 1);
	put_number(image, count);
	for (size_t i = 0; i < count; i++) {
		const struct shard *shard = table_shard(table, i);

		put_digest(image, shard_digest(shard));
		put_number(image, shard_count(shard));
	}
	put_origins(image, table);
}

static void
put_map(struct image *image, const struct map *map)
{
	for (size_t i = 0; i < map->part_count; i++) {
		const struct pattern_list *patterns = map->parts[i].patterns;

		if (patterns == NULL) {
			put_table(image, map->parts[i].table);
			continue;
		}
		put(image, "P", 1);
		put_text(image, slice_from_cstr(pattern_list_path(patterns)));
		put_text(image, pattern_list_text(patterns));
	}
	put(image, ".", 1);
}

struct word_list {
	const struct class_word **words;
	size_t count;
};

static bool
gather_word(void *context, const struct class_word *word)
{
	struct word_list *list = context;

	if (!word->is_own)
		list->words[list->count++] = word;
	return true;
}

static int
compare_words(const void *a, const void *b)
{
	slice one = (*(const struct class_word *const *)a)->word;
	slice other = (*(const struct class_word *const *)b)->word;
	size_t len = one.len < other.len ? one.len : other.len;
	int order = memcmp(one.ptr, other.ptr, len);

	if (order != 0)
		return order;
	return (one.len > other.len) - (one.len < other.len);
}

static void
put_class(struct image *image, const struct class *set)
{
	struct word_list list = {
	    .words = xmalloc((class_count(set) + 1) * sizeof(*list.words))};
	struct writer writer = {.image = image};

	class_walk_words(set, gather_word, &list);
	qsort(list.words, list.count, sizeof(*list.words), compare_words);
	put_number(image, list.count);
	for (size_t i = 0; i < list.count; i++) {
		const struct class_word *word = list.words[i];

		if (word->file == NULL)
			put_number(image, 0);
		else
			put_file(&writer, word->file, 1);
		put_number(image, word->line);
		put_text(image, word->word);
	}
	free(writer.names);
	free(list.words);
}

static void
put_texts(struct image *image, const struct snapshot_part *part)
{
	put_number(image, part->entries);
	for (const struct snapshot_text *text = part->texts; text != NULL;
	     text = text->next) {
		put_text(image, slice_from_cstr(text->path));
		put_text(image, text->content);
	}
}

void
image_of_part(const struct snapshot_part *part, struct image *ret_image)
{
	static const char letters[] = {'m', 'c', 't'};
	size_t guess = part->kind == PART_MAP ? part->entries * 4 : part->bytes;
	struct image image = {.size = guess + 4096};

	image.bytes = xmalloc(image.size);
	put(&image, MAGIC, sizeof(MAGIC) - 1);
	put(&image, &letters[part->kind], 1);
	switch (part->kind) {
	case PART_MAP:
		put_map(&image, part->map);
		break;
	case PART_CLASS:
		put_class(&image, part->words);
		break;
	case PART_TEXT:
		put_texts(&image, part);
		break;
	}
	*ret_image = image;
}

void
image_free(struct image *image)
{
	free(image->bytes);
	*image = (struct image){0};
}

slice
image_slice(const struct image *image)
{
	return (slice){(const char *)image->bytes, image->len};
}

struct shard *
image_shard(const struct snapshot_part *part, size_t number)
{
	for (size_t p = 0; part->map != NULL && p < part->map->part_count;
	     p++) {
		const struct table *table = part->map->parts[p].table;
		size_t count = table == NULL ? 0 : table_shard_count(table);

		if (number < count)
			return table_shard(table, number);
		number -= count;
	}
	return NULL;
}

struct shard *
image_find_shard(const struct snapshot_part *part, struct digest digest)
{
	struct shard *shard;
	size_t number = 0;

	while ((shard = image_shard(part, number++)) != NULL &&
	       !digest_eq(shard_digest(shard), digest))
		continue;
	return shard;
}

/*
 * Reading. Once something is wrong all that follows is empty.
 */

struct reader {
	struct snapshot *snapshot;
	const struct image_source *source;
	slice rest;
	bool is_bad;
	bool is_told; /* the source has said what is wrong */
	const char **names;
	unsigned name_count;
	struct error *error;
};

static void
fail(struct reader *reader)
{
	reader->is_bad = true;
	reader->rest = SLICE("");
}

static uint64_t
get_number(struct reader *reader)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < reader->rest.len && i < 9; i++) {
		unsigned char byte = (unsigned char)reader->rest.ptr[i];

		number |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			reader->rest = slice_from(reader->rest, i + 1);
			return number;
		}
	}
	fail(reader);
	return 0;
}

static slice
get_bytes(struct reader *reader, uint64_t len)
{
	slice bytes;

	if (len > reader->rest.len) {
		fail(reader);
		return SLICE("");
	}
	bytes = slice_first(reader->rest, (size_t)len);
	reader->rest = slice_from(reader->rest, (size_t)len);
	return bytes;
}

static slice
get_text(struct reader *reader)
{
	return get_bytes(reader, get_number(reader));
}

/* A name without a NUL, that lives as long as the snapshot. */
static const char *
get_name(struct reader *reader)
{
	slice name = get_text(reader);

	if (slice_index(name, '\0') < name.len)
		fail(reader);
	return arena_cstr(reader->snapshot->arena, name);
}

static unsigned
get_line(struct reader *reader)
{
	uint64_t line = get_number(reader);

	if (line > UINT32_MAX)
		fail(reader);
	return (unsigned)line;
}

/* The file's number; *ret_is_new: reader->names has got it. */
static unsigned
get_file(struct reader *reader, unsigned first, bool *ret_is_new)
{
	uint64_t number = get_number(reader);

	*ret_is_new = number == reader->name_count + first;
	if (number > reader->name_count + first || number > FILES_MAX) {
		*ret_is_new = false;
		fail(reader);
	}
	if (*ret_is_new) {
		reader->names = xrealloc(reader->names,
		    (reader->name_count + 1) * sizeof(*reader->names));
		reader->names[reader->name_count++] = get_name(reader);
	}
	return (unsigned)number;
}

static void
forget_names(struct reader *reader)
{
	free(reader->names);
	reader->names = NULL;
	reader->name_count = 0;
}

static struct shard *
get_shard(struct reader *reader)
{
	slice bytes = get_bytes(reader, sizeof(struct digest));
	uint64_t count = get_number(reader);
	struct digest digest;
	struct shard *shard;

	if (reader->is_bad)
		return NULL;
	memcpy(&digest, bytes.ptr, sizeof(digest));
	digest.word[0] = le64toh(digest.word[0]);
	digest.word[1] = le64toh(digest.word[1]);
	shard =
	    reader->source->get(reader->source->context, digest, reader->error);
	if (shard == NULL)
		reader->is_told = true;
	if (shard == NULL || shard_count(shard) != count)
		fail(reader);
	return shard;
}

struct shard_list {
	struct shard *shards[SHARDS];
	size_t count;
	size_t entries;
};

static void
get_shards(struct reader *reader, struct shard_list *list)
{
	uint64_t count = get_number(reader);

	if (count > SHARDS)
		fail(reader);
	for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
		struct shard *shard = get_shard(reader);

		if (shard == NULL)
			continue;
		list->shards[list->count++] = shard;
		list->entries += shard_count(shard);
	}
}

static struct map_origin
get_origin(struct reader *reader, unsigned *line)
{
	bool is_new;
	unsigned file = get_file(reader, 0, &is_new);
	uint64_t step = get_number(reader);

	*line += step % 2 == 0 ? (unsigned)(step / 2)
			       : 0U - (unsigned)((step + 1) / 2);
	return (struct map_origin){file, *line};
}

/* Two bytes at least for each entry. */
static struct map_origin *
get_origins(struct reader *reader, size_t count)
{
	struct map_origin *origins;
	unsigned line = 0;

	if (count > reader->rest.len / 2)
		fail(reader);
	if (reader->is_bad)
		return NULL;
	origins = xmalloc((count + 1) * sizeof(*origins));
	for (size_t i = 0; i < count; i++)
		origins[i] = get_origin(reader, &line);
	return origins;
}

static struct table *
get_table(struct reader *reader)
{
	struct shard_list list = {0};
	struct map_origin *origins;
	struct table *table = NULL;

	get_shards(reader, &list);
	origins = get_origins(reader, list.entries);
	if (!reader->is_bad)
		table = table_of_shards(list.shards, list.count, origins,
		    reader->names, reader->name_count);
	else
		table_release_shards(list.shards, list.count);
	if (reader->is_bad)
		free(origins);
	if (table == NULL)
		fail(reader);
	forget_names(reader);
	return table;
}

static struct pattern_list *
get_patterns(struct reader *reader)
{
	struct pattern_source source = {.path = get_name(reader)};
	struct pattern_list *list;

	source.text = get_text(reader);
	if (reader->is_bad)
		return NULL;
	list = pattern_list_new(&source, NULL);
	if (list == NULL)
		fail(reader);
	return list;
}

static bool
get_section(struct reader *reader, struct owned *owned)
{
	slice letter = get_bytes(reader, 1);
	struct map_part part = {0};

	if (letter.len == 0 || letter.ptr[0] == '.')
		return false;
	if (letter.ptr[0] == 'T')
		part.table = get_table(reader);
	else if (letter.ptr[0] == 'P')
		part.patterns = get_patterns(reader);
	else
		fail(reader);
	if (part.table == NULL && part.patterns == NULL)
		return false;
	owned->parts[owned->part_count++] = part;
	if (owned->part_count == SECTIONS_MAX)
		fail(reader);
	return !reader->is_bad;
}

static void
get_map(struct reader *reader, struct owned *owned)
{
	owned->parts =
	    ARENA_ARRAY(reader->snapshot->arena, struct map_part, SECTIONS_MAX);
	while (get_section(reader, owned))
		continue;
	if (reader->is_bad || owned->part_count == 0) {
		fail(reader);
		snapshot_drop_map(owned);
		return;
	}
	snapshot_append_map(reader->snapshot, owned);
}

static void
get_class(struct reader *reader, struct owned *owned)
{
	struct class *set = class_new(owned->part.name);
	uint64_t count = get_number(reader);

	for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
		bool is_new;
		unsigned file = get_file(reader, 1, &is_new);
		unsigned line = get_line(reader);
		slice word = get_text(reader);

		if (!reader->is_bad)
			class_add(set, word,
			    file == 0 ? NULL : reader->names[file - 1], line);
	}
	forget_names(reader);
	snapshot_append_class(reader->snapshot, owned, set);
	if (class_count(set) != count)
		fail(reader);
}

static void
get_texts(struct reader *reader, struct owned *owned)
{
	uint64_t count = get_number(reader);

	owned->part.kind = PART_TEXT;
	snapshot_append(reader->snapshot, owned);
	for (uint64_t i = 0; i < count && !reader->is_bad; i++) {
		slice path = get_text(reader);
		slice content = get_text(reader);

		if (slice_index(path, '\0') < path.len)
			fail(reader);
		if (!reader->is_bad)
			snapshot_keep_text(
			    reader->snapshot, owned, path, content);
	}
}

bool
snapshot_add_image(struct snapshot *snapshot, slice name, slice image,
    const struct image_source *source, struct error *error)
{
	struct owned *owned = snapshot_new_part(snapshot, name);
	struct reader reader = {.snapshot = snapshot,
	    .source = source,
	    .rest = image,
	    .error = error};
	slice magic = get_bytes(&reader, sizeof(MAGIC) - 1);
	slice letter = get_bytes(&reader, 1);

	if (!slice_eq(magic, SLICE(MAGIC)) || letter.len == 0)
		fail(&reader);
	else if (letter.ptr[0] == 'm')
		get_map(&reader, owned);
	else if (letter.ptr[0] == 'c')
		get_class(&reader, owned);
	else if (letter.ptr[0] == 't')
		get_texts(&reader, owned);
	else
		fail(&reader);
	if (!reader.is_bad && reader.rest.len == 0)
		return true;
	if (reader.is_told)
		return false;
	(void)error_set(
	    error, "the image of " SLICE_FMT " is damaged", SLICE_ARG(name));
	if (error != NULL)
		error->exit_code = EX_DATAERR;
	return false;
}

/*
 * Sharing.
 */

struct sharing {
	struct snapshot *snapshot;
	struct class *set;
};

static bool
share_word(void *context, const struct class_word *word)
{
	struct sharing *sharing = context;
	struct arena *arena = sharing->snapshot->arena;
	const char *file = word->file;

	if (file != NULL)
		file = arena_cstr(arena, slice_from_cstr(file));
	if (!word->is_own)
		class_add(sharing->set, word->word, file, word->line);
	return true;
}

static void
share_map(struct snapshot *snapshot, struct owned *owned, const struct map *map)
{
	owned->parts =
	    ARENA_ARRAY(snapshot->arena, struct map_part, map->part_count);
	for (size_t i = 0; i < map->part_count; i++) {
		struct map_part part = map->parts[i];

		if (part.table != NULL)
			(void)table_acquire(part.table);
		else
			(void)pattern_list_acquire(part.patterns);
		owned->parts[owned->part_count++] = part;
	}
	snapshot_append_map(snapshot, owned);
}

void
snapshot_share_part(struct snapshot *snapshot, const struct snapshot_part *part)
{
	struct owned *owned = snapshot_new_part(snapshot, part->name);
	struct sharing sharing = {.snapshot = snapshot};

	switch (part->kind) {
	case PART_MAP:
		share_map(snapshot, owned, part->map);
		return;
	case PART_CLASS:
		sharing.set = class_new(part->name);
		class_walk_words(part->words, share_word, &sharing);
		snapshot_append_class(snapshot, owned, sharing.set);
		return;
	case PART_TEXT:
		break;
	}
	owned->part.kind = PART_TEXT;
	snapshot_append(snapshot, owned);
	for (const struct snapshot_text *text = part->texts; text != NULL;
	     text = text->next)
		snapshot_keep_text(snapshot, owned, slice_from_cstr(text->path),
		    text->content);
}
