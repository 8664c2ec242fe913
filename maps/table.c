/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image is cdb's file format: 256 pairs (position, slots) of hash tables,
 * the records, the hash tables. tinycdb reads it. It is written here, because
 * tinycdb's writer takes time quadratic in the number of entries with one
 * key, which is for ever when the wrong file is named as a map.
 *
 * A record's data is 4 bytes of file index, 4 bytes of line, then the value.
 * The records of duplicates that lost stay in the image, marked and without
 * a slot, so that they can be told in file order.
 *
 * Before the image lies a filter: three bits for each key, all in one word of
 * 64, 16 bits to an entry. Most keys that are asked for are not there, and of a
 * million entries the filter fits the processor's cache, whereas the slots do
 * not: 98 of 100 such questions end at the one word.
 */
#include "maps/table.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#define BUCKETS 256
#define HEADER_SIZE (BUCKETS * 8)
#define ORIGIN_SIZE 8
#define SLOT_SIZE 8
#define LOSER 0x80000000U

struct entry {
	unsigned hash;
	unsigned position;
};

struct file_names {
	struct arena *arena;
	const char **names;
	unsigned count;
};

struct table_builder {
	struct file_names files;
	unsigned char *image;
	size_t length;
	size_t image_size;
	struct entry *entries;
	size_t count;
	size_t entries_size;
	size_t longest_key;
};

struct table {
	atomic_size_t holders;
	struct file_names files;
	struct cdb cdb;
	uint64_t *filter;
	size_t filter_words; /* a power of two */
	size_t count;
	size_t longest_key;
	uint64_t digest;
	struct net_lengths nets;
};

/* One record, taken apart. */
struct record {
	slice key;
	slice value;
	unsigned file;
	unsigned line;
	bool lost;
};

static void
free_names(struct file_names *files)
{
	arena_free(files->arena);
	free(files->names);
}

struct table_builder *
table_builder_new(struct error *error)
{
	struct table_builder *builder = calloc(1, sizeof(*builder));

	if (builder != NULL)
		builder->image = malloc(HEADER_SIZE);
	if (builder == NULL || builder->image == NULL) {
		free(builder);
		(void)error_set(error, "out of memory");
		return NULL;
	}
	builder->files.arena = arena_new(0);
	builder->image_size = builder->length = HEADER_SIZE;
	return builder;
}

void
table_builder_free(struct table_builder *builder)
{
	if (builder == NULL)
		return;
	free_names(&builder->files);
	free(builder->image);
	free(builder->entries);
	free(builder);
}

unsigned
table_builder_add_file(struct table_builder *builder, const char *file)
{
	struct file_names *files = &builder->files;

	files->names =
	    xrealloc(files->names, (files->count + 1) * sizeof(*files->names));
	files->names[files->count] =
	    arena_cstr(files->arena, slice_from_cstr(file));
	return files->count++;
}

static bool
reserve_image(struct table_builder *builder, size_t more)
{
	size_t needed = builder->length + more;
	unsigned char *grown;

	if (needed <= builder->image_size)
		return true;
	if (needed < builder->image_size + builder->image_size / 2)
		needed = builder->image_size + builder->image_size / 2;
	grown = realloc(builder->image, needed);
	if (grown == NULL)
		return false;
	builder->image = grown;
	builder->image_size = needed;
	return true;
}

static bool
reserve_entry(struct table_builder *builder)
{
	size_t size = builder->entries_size * 3 / 2 + 64;
	struct entry *grown;

	if (builder->count < builder->entries_size)
		return true;
	grown = realloc(builder->entries, size * sizeof(*grown));
	if (grown == NULL)
		return false;
	builder->entries = grown;
	builder->entries_size = size;
	return true;
}

static bool
reserve_record(
    struct table_builder *builder, size_t record, struct error *error)
{
	size_t index = (builder->count + 1) * 2 * SLOT_SIZE;

	if (record > UINT_MAX - builder->length ||
	    index > UINT_MAX - builder->length - record)
		return error_set(error, "map is larger than 4 GB");
	if (!reserve_image(builder, record) || !reserve_entry(builder))
		return error_set(error, "out of memory");
	return true;
}

static void
append(struct table_builder *builder, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy(builder->image + builder->length, bytes, len);
	builder->length += len;
}

static void
append_number(struct table_builder *builder, size_t number)
{
	cdb_pack((unsigned)number, builder->image + builder->length);
	builder->length += 4;
}

static void
append_folded(struct table_builder *builder, slice key)
{
	slice_lower_into((char *)builder->image + builder->length, key);
	builder->length += key.len;
}

bool
table_builder_add(struct table_builder *builder, slice key, slice value,
    unsigned file, unsigned line, struct error *error)
{
	struct entry *entry;

	if (key.len > INT_MAX || value.len > INT_MAX)
		return error_set(error, "entry is larger than 2 GB");
	if (!reserve_record(
		builder, 8 + key.len + ORIGIN_SIZE + value.len, error))
		return false;
	entry = &builder->entries[builder->count++];
	entry->position = (unsigned)builder->length;
	append_number(builder, key.len);
	append_number(builder, ORIGIN_SIZE + value.len);
	append_folded(builder, key);
	entry->hash = cdb_hash(
	    builder->image + builder->length - key.len, (unsigned)key.len);
	append_number(builder, file);
	append_number(builder, line);
	append(builder, value.ptr, value.len);
	if (key.len > builder->longest_key)
		builder->longest_key = key.len;
	return true;
}

/* The entries ordered by bucket, and within each in the order they came;
 * those of bucket b are [starts[b], starts[b + 1]). */
static struct entry *
sort_into_buckets(
    const struct table_builder *builder, size_t starts[BUCKETS + 1])
{
	struct entry *sorted = xmalloc((builder->count + 1) * sizeof(*sorted));
	size_t next[BUCKETS];

	memset(starts, 0, (BUCKETS + 1) * sizeof(*starts));
	for (size_t i = 0; i < builder->count; i++)
		starts[builder->entries[i].hash % BUCKETS + 1]++;
	for (size_t b = 0; b < BUCKETS; b++) {
		starts[b + 1] += starts[b];
		next[b] = starts[b];
	}
	for (size_t i = 0; i < builder->count; i++) {
		struct entry entry = builder->entries[i];

		sorted[next[entry.hash % BUCKETS]++] = entry;
	}
	return sorted;
}

static bool
same_key(const unsigned char *image, unsigned a, unsigned b)
{
	unsigned len = cdb_unpack(image + a);

	return len == cdb_unpack(image + b) &&
	       memcmp(image + a + 8, image + b + 8, len) == 0;
}

static void
mark_lost(unsigned char *image, unsigned position)
{
	unsigned char *origin =
	    image + position + 8 + cdb_unpack(image + position);

	cdb_pack(cdb_unpack(origin) | LOSER, origin);
}

/* Gives the entry the first free slot, unless one with its key is met on the
 * way. */
static void
fill_slot(unsigned char *image, unsigned char *slots, size_t slot_count,
    struct entry entry)
{
	size_t at = (entry.hash / BUCKETS) % slot_count;

	for (;;) {
		unsigned char *slot = slots + at * SLOT_SIZE;
		unsigned taken_by = cdb_unpack(slot + 4);

		if (taken_by == 0) {
			cdb_pack(entry.hash, slot);
			cdb_pack(entry.position, slot + 4);
			return;
		}
		if (cdb_unpack(slot) == entry.hash &&
		    same_key(image, taken_by, entry.position)) {
			mark_lost(image, entry.position);
			return;
		}
		at = at + 1 == slot_count ? 0 : at + 1;
	}
}

static bool
append_index(struct table_builder *builder, struct error *error)
{
	size_t starts[BUCKETS + 1];
	size_t index_size = builder->count * 2 * SLOT_SIZE;
	struct entry *sorted;

	if (!reserve_image(builder, index_size))
		return error_set(error, "out of memory");
	memset(builder->image + builder->length, 0, index_size);
	sorted = sort_into_buckets(builder, starts);
	for (size_t b = 0; b < BUCKETS; b++) {
		unsigned char *slots = builder->image + builder->length;
		size_t slot_count = (starts[b + 1] - starts[b]) * 2;

		cdb_pack((unsigned)builder->length, builder->image + b * 8);
		cdb_pack((unsigned)slot_count, builder->image + b * 8 + 4);
		for (size_t i = starts[b]; i < starts[b + 1]; i++)
			fill_slot(builder->image, slots, slot_count, sorted[i]);
		builder->length += slot_count * SLOT_SIZE;
	}
	free(sorted);
	return true;
}

static bool
write_all(int fd, const unsigned char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
map_image(const struct table_builder *builder, struct cdb *ret_cdb)
{
	const int seals =
	    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int fd = memfd_create("milterd map", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool done = fd >= 0 && write_all(fd, builder->image, builder->length) &&
		    fcntl(fd, F_ADD_SEALS, seals) == 0 &&
		    cdb_init(ret_cdb, fd) == 0;
	int why = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = why;
	return done;
}

static struct record
record_at(const struct table *table, const struct cdb *at)
{
	const unsigned char *key = table->cdb.cdb_mem + cdb_keypos(at);
	const unsigned char *data = table->cdb.cdb_mem + cdb_datapos(at);
	unsigned file = cdb_unpack(data);

	return (struct record){
	    .key = {(const char *)key, cdb_keylen(at)},
	    .value = {(const char *)data + ORIGIN_SIZE,
		cdb_datalen(at) - ORIGIN_SIZE},
	    .file = file & ~LOSER,
	    .line = cdb_unpack(data + 4),
	    .lost = (file & LOSER) != 0,
	};
}

static struct map_hit
hit_of(const struct table *table, const struct record *record)
{
	return (struct map_hit){.value = record->value,
	    .file = table->files.names[record->file],
	    .line = record->line};
}

static void
tell_duplicate(const struct table *table, const struct record *lost,
    void (*on_duplicate)(void *context, const struct table_duplicate *),
    void *context)
{
	struct table_duplicate duplicate = {.key = lost->key,
	    .file = table->files.names[lost->file],
	    .line = lost->line};
	struct map_hit first;

	if (table_find(table, lost->key, &first) != MAP_FOUND)
		return;
	duplicate.first_file = first.file;
	duplicate.first_line = first.line;
	on_duplicate(context, &duplicate);
}

static void
survey(struct table *table,
    void (*on_duplicate)(void *context, const struct table_duplicate *),
    void *context)
{
	struct cdb at = table->cdb;
	unsigned position;

	cdb_seqinit(&position, &at);
	while (cdb_seqnext(&position, &at) > 0) {
		struct record record = record_at(table, &at);

		if (!record.lost) {
			table->count++;
			table->digest +=
			    table_entry_digest(record.key, record.value);
			net_lengths_add(&table->nets, record.key);
		} else if (on_duplicate != NULL) {
			tell_duplicate(table, &record, on_duplicate, context);
		}
	}
}

/* The filter. */

static uint64_t
spread(unsigned hash)
{
	return hash * 0x9e3779b97f4a7c15U;
}

static uint64_t *
filter_word(const struct table *table, unsigned hash)
{
	return &table->filter[spread(hash) >> 32 & (table->filter_words - 1)];
}

static uint64_t
filter_bits(unsigned hash)
{
	uint64_t bits = spread(hash);

	return (uint64_t)1 << (bits >> 8 & 63) |
	       (uint64_t)1 << (bits >> 14 & 63) |
	       (uint64_t)1 << (bits >> 20 & 63);
}

static bool
make_filter(struct table *table, const struct table_builder *builder)
{
	table->filter_words = 1;
	while (table->filter_words * 4 < builder->count)
		table->filter_words *= 2;
	table->filter = calloc(table->filter_words, sizeof(*table->filter));
	if (table->filter == NULL)
		return false;
	for (size_t i = 0; i < builder->count; i++) {
		unsigned hash = builder->entries[i].hash;

		*filter_word(table, hash) |= filter_bits(hash);
	}
	return true;
}

static bool
passes_filter(const struct table *table, slice key)
{
	unsigned hash = cdb_hash(key.ptr, (unsigned)key.len);
	uint64_t bits = filter_bits(hash);

	return (*filter_word(table, hash) & bits) == bits;
}

static struct table *
make_table(struct table_builder *builder, struct error *error)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table == NULL || !make_filter(table, builder)) {
		(void)error_set(error, "out of memory");
		goto failed;
	}
	if (!map_image(builder, &table->cdb)) {
		(void)error_set(error, "cannot keep the map in memory: %s",
		    strerror(errno));
		if (error != NULL)
			error->exit_code = EX_OSERR;
		goto failed;
	}
	atomic_init(&table->holders, 1);
	table->files = builder->files;
	table->longest_key = builder->longest_key;
	builder->files = (struct file_names){0};
	return table;
failed:
	if (table != NULL)
		free(table->filter);
	free(table);
	return NULL;
}

struct table *
table_finish(struct table_builder *builder,
    void (*on_duplicate)(void *context, const struct table_duplicate *),
    void *context, struct error *error)
{
	struct table *table = NULL;

	if (append_index(builder, error))
		table = make_table(builder, error);
	if (table != NULL)
		survey(table, on_duplicate, context);
	table_builder_free(builder);
	return table;
}

struct table *
table_acquire(struct table *table)
{
	(void)atomic_fetch_add_explicit(
	    &table->holders, 1, memory_order_relaxed);
	return table;
}

void
table_release(struct table *table)
{
	if (table == NULL || atomic_fetch_sub_explicit(&table->holders, 1,
				 memory_order_acq_rel) > 1)
		return;
	cdb_free(&table->cdb);
	free(table->filter);
	free_names(&table->files);
	free(table);
}

enum map_result
table_find(const struct table *table, slice key, struct map_hit *ret_hit)
{
	struct cdb at;
	struct record record;

	if (key.len > table->longest_key || !passes_filter(table, key))
		return MAP_MISSING;
	at = table->cdb; /* cdb_find() writes into its argument */
	if (cdb_find(&at, key.ptr, (unsigned)key.len) <= 0)
		return MAP_MISSING;
	record = record_at(table, &at);
	*ret_hit = hit_of(table, &record);
	return MAP_FOUND;
}

size_t
table_count(const struct table *table)
{
	return table->count;
}

size_t
table_bytes(const struct table *table)
{
	return table->cdb.cdb_fsize +
	       table->filter_words * sizeof(*table->filter);
}

size_t
table_longest_key(const struct table *table)
{
	return table->longest_key;
}

const struct net_lengths *
table_nets(const struct table *table)
{
	return &table->nets;
}

uint64_t
table_digest(const struct table *table)
{
	return table->digest;
}

static uint64_t
fnv1a(uint64_t hash, slice s)
{
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (unsigned char)s.ptr[i]) * 0x100000001b3U;
	return hash;
}

uint64_t
table_entry_digest(slice key, slice value)
{
	uint64_t hash = 0xcbf29ce484222325U;

	hash = fnv1a(hash, key);
	hash = fnv1a(hash, (slice){"", 1});
	hash = fnv1a(hash, value);
	/* Sums of plain FNV-1a values would cancel out too easily. */
	hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdU;
	hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53U;
	return hash ^ (hash >> 33);
}

void
table_walk(const struct table *table,
    bool (*each)(void *context, slice key, const struct map_hit *hit),
    void *context)
{
	struct cdb at = table->cdb;
	unsigned position;

	cdb_seqinit(&position, &at);
	while (cdb_seqnext(&position, &at) > 0) {
		struct record record = record_at(table, &at);
		struct map_hit hit = hit_of(table, &record);

		if (!record.lost && !each(context, record.key, &hit))
			return;
	}
}
