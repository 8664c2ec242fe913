/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image is cdb's file format: 256 pairs (position, slots) of hash tables,
 * the records, the hash tables. tinycdb reads it. It is written here, because
 * tinycdb's writer takes time quadratic in the number of entries with one
 * key, which is for ever when the wrong file is named as a map.
 *
 * A record's data is 4 bytes of ordinal, then the value.
 *
 * Before the image lies a filter: three bits for each key, all in one word of
 * 64, 16 bits to an entry. Most keys that are asked for are not there, and of a
 * million entries the filters fit the processor's cache, whereas the slots do
 * not: 98 of 100 such questions end at the one word.
 */
#include "maps/shard.h"

#include "base/write_all.h"

#include <cdb.h>
#include <endian.h>
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
#define LENGTHS_SIZE 8
#define ORDINAL_SIZE 4
#define SLOT_SIZE 8
#define USUAL_ENTRY 24 /* bytes of text */
#define LOST 0U	       /* no record is there */

struct place {
	unsigned hash;
	unsigned position;
};

struct shard_builder {
	unsigned char *image;
	size_t length;
	size_t image_size;
	struct place *places; /* of the entries, by ordinal */
	struct map_origin *origins;
	size_t count;
	size_t room;
	struct place *sorted; /* while the hash tables are made */
	size_t sorted_room;
};

struct shard {
	atomic_size_t holders;
	struct cdb cdb;
	uint64_t *filter;
	size_t filter_words; /* a power of two */
	size_t records_size;
	size_t count;
	size_t longest_key;
	unsigned number; /* of the first entry; SHARDS: others have others */
	struct digest digest;
	uint64_t content;
	struct net_lengths nets;
};

/* cdb's numbers; libcdb has functions for them, which cost more than the rest
 * of what is done with a record. */
static unsigned
number_at(const unsigned char *bytes)
{
	uint32_t number;

	memcpy(&number, bytes, sizeof(number));
	return le32toh(number);
}

static void
put_number(unsigned number, unsigned char *bytes)
{
	uint32_t ordered = htole32(number);

	memcpy(bytes, &ordered, sizeof(ordered));
}

unsigned
shard_hash(slice key)
{
	unsigned hash = 5381;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash + (hash << 5)) ^
		       (unsigned char)ascii_lower(key.ptr[i]);
	return hash;
}

static uint64_t
spread(unsigned hash)
{
	return hash * 0x9e3779b97f4a7c15U;
}

/* Of bits that the filter does not use. */
unsigned
shard_number(unsigned hash)
{
	return (unsigned)(spread(hash) >> 58);
}

/*
 * Building.
 */

struct shard_builder *
shard_builder_new(void)
{
	struct shard_builder *builder = calloc(1, sizeof(*builder));

	if (builder == NULL)
		return NULL;
	builder->image_size = builder->length = HEADER_SIZE;
	builder->image = malloc(HEADER_SIZE);
	if (builder->image == NULL) {
		free(builder);
		return NULL;
	}
	return builder;
}

void
shard_builder_free(struct shard_builder *builder)
{
	if (builder == NULL)
		return;
	free(builder->image);
	free(builder->places);
	free(builder->origins);
	free(builder->sorted);
	free(builder);
}

void
shard_builder_reset(struct shard_builder *builder)
{
	builder->length = HEADER_SIZE;
	builder->count = 0;
}

static bool
reserve_image(struct shard_builder *builder, size_t more)
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
	memory_prefer_large_pages(grown, needed);
	builder->image = grown;
	builder->image_size = needed;
	return true;
}

static bool
reserve_places(struct shard_builder *builder, size_t room)
{
	struct place *places = realloc(builder->places, room * sizeof(*places));
	struct map_origin *origins;

	if (places == NULL)
		return false;
	memory_prefer_large_pages(places, room * sizeof(*places));
	builder->places = places;
	origins = realloc(builder->origins, room * sizeof(*origins));
	if (origins == NULL)
		return false;
	memory_prefer_large_pages(origins, room * sizeof(*origins));
	builder->origins = origins;
	builder->room = room;
	return true;
}

static bool
reserve_place(struct shard_builder *builder)
{
	return builder->count < builder->room ||
	       reserve_places(builder, builder->room * 3 / 2 + 64);
}

void
shard_builder_reserve(struct shard_builder *builder, size_t bytes)
{
	size_t room = builder->count + bytes / USUAL_ENTRY;

	(void)reserve_image(builder, bytes + bytes / 2);
	if (room > builder->room)
		(void)reserve_places(builder, room);
}

/* Also for the slots that an entry will have. */
static bool
reserve_record(
    struct shard_builder *builder, size_t record, struct error *error)
{
	size_t index = (builder->count + 1) * 2 * SLOT_SIZE;

	if (record > UINT_MAX - builder->length ||
	    index > UINT_MAX - builder->length - record)
		return error_set(error, "map is larger than 4 GB");
	if (!reserve_image(builder, record) || !reserve_place(builder))
		return error_set(error, "out of memory");
	return true;
}

static unsigned char *
append(struct shard_builder *builder, const void *bytes, size_t len)
{
	unsigned char *at = builder->image + builder->length;

	if (len > 0 && bytes != NULL)
		memcpy(at, bytes, len);
	builder->length += len;
	return at;
}

static void
append_number(struct shard_builder *builder, size_t number)
{
	put_number((unsigned)number, builder->image + builder->length);
	builder->length += 4;
}

bool
shard_builder_add(struct shard_builder *builder, unsigned hash, slice key,
    slice value, struct map_origin origin, struct error *error)
{
	size_t ordinal = builder->count;

	if (!reserve_record(builder,
		LENGTHS_SIZE + key.len + ORDINAL_SIZE + value.len, error))
		return false;
	builder->places[ordinal] =
	    (struct place){hash, (unsigned)builder->length};
	builder->origins[ordinal] = origin;
	builder->count++;
	append_number(builder, key.len);
	append_number(builder, ORDINAL_SIZE + value.len);
	slice_lower_into((char *)append(builder, NULL, key.len), key);
	append_number(builder, ordinal);
	(void)append(builder, value.ptr, value.len);
	return true;
}

bool
shard_builder_copy(struct shard_builder *builder,
    const struct shard_builder *from, size_t ordinal, struct error *error)
{
	const unsigned char *record =
	    from->image + from->places[ordinal].position;
	size_t key_end = LENGTHS_SIZE + number_at(record);
	size_t size = key_end + number_at(record + 4);
	unsigned char *copy;

	if (!reserve_record(builder, size, error))
		return false;
	builder->places[builder->count] = (struct place){
	    from->places[ordinal].hash, (unsigned)builder->length};
	builder->origins[builder->count] = from->origins[ordinal];
	copy = append(builder, record, size);
	put_number((unsigned)builder->count++, copy + key_end);
	return true;
}

size_t
shard_builder_count(const struct shard_builder *builder)
{
	return builder->count;
}

/* The record at this position of an image. */
static struct shard_entry
entry_at(const unsigned char *image, size_t position)
{
	const unsigned char *record = image + position;
	unsigned key_len = number_at(record);
	const unsigned char *data = record + LENGTHS_SIZE + key_len;

	return (struct shard_entry){
	    .key = {(const char *)record + LENGTHS_SIZE, key_len},
	    .value = {(const char *)data + ORDINAL_SIZE,
		number_at(record + 4) - ORDINAL_SIZE},
	    .ordinal = number_at(data),
	};
}

static size_t
record_size(const struct shard_entry *entry)
{
	return LENGTHS_SIZE + entry->key.len + ORDINAL_SIZE + entry->value.len;
}

static struct shard_entry
entry_of(const struct shard_builder *builder, size_t ordinal)
{
	return entry_at(builder->image, builder->places[ordinal].position);
}

unsigned
shard_builder_hash(const struct shard_builder *builder, size_t ordinal)
{
	return builder->places[ordinal].hash;
}

struct map_origin
shard_builder_origin(const struct shard_builder *builder, size_t ordinal)
{
	return builder->origins[ordinal];
}

/*
 * The hash tables.
 */

/* The places ordered by bucket, and within each in the order they came; those
 * of bucket b are [starts[b], starts[b + 1]). */
static void
sort_into_buckets(struct shard_builder *builder, size_t starts[BUCKETS + 1])
{
	size_t next[BUCKETS];

	if (builder->sorted_room < builder->count) {
		builder->sorted_room = builder->room;
		builder->sorted = xrealloc(builder->sorted,
		    builder->sorted_room * sizeof(*builder->sorted));
	}
	memset(starts, 0, (BUCKETS + 1) * sizeof(*starts));
	for (size_t i = 0; i < builder->count; i++)
		starts[builder->places[i].hash % BUCKETS + 1]++;
	for (size_t b = 0; b < BUCKETS; b++) {
		starts[b + 1] += starts[b];
		next[b] = starts[b];
	}
	for (size_t i = 0; i < builder->count; i++) {
		struct place place = builder->places[i];

		builder->sorted[next[place.hash % BUCKETS]++] = place;
	}
}

static bool
same_key(const unsigned char *image, unsigned a, unsigned b)
{
	unsigned len = number_at(image + a);

	return len == number_at(image + b) &&
	       memcmp(image + a + LENGTHS_SIZE, image + b + LENGTHS_SIZE,
		   len) == 0;
}

/* Gives the entry the first free slot. False: one with its key is met on the
 * way. */
static bool
fill_slot(const unsigned char *image, unsigned char *slots, size_t slot_count,
    struct place place)
{
	size_t at = (place.hash / BUCKETS) % slot_count;

	for (;;) {
		unsigned char *slot = slots + at * SLOT_SIZE;
		unsigned taken_by = number_at(slot + 4);

		if (taken_by == 0) {
			put_number(place.hash, slot);
			put_number(place.position, slot + 4);
			return true;
		}
		if (number_at(slot) == place.hash &&
		    same_key(image, taken_by, place.position))
			return false;
		at = at + 1 == slot_count ? 0 : at + 1;
	}
}

static void
lose(struct shard_builder *builder, unsigned position)
{
	struct shard_entry entry = entry_at(builder->image, position);

	builder->places[entry.ordinal].position = LOST;
}

/* Appended to the records. *ret_lost: how many entries have a key that an
 * earlier one has; their places say LOST. */
static bool
append_index(struct shard_builder *builder, size_t *ret_lost)
{
	size_t starts[BUCKETS + 1];
	size_t index_size = builder->count * 2 * SLOT_SIZE;

	*ret_lost = 0;
	if (!reserve_image(builder, index_size))
		return false;
	memset(builder->image + builder->length, 0, index_size);
	sort_into_buckets(builder, starts);
	for (size_t b = 0; b < BUCKETS; b++) {
		unsigned char *slots = builder->image + builder->length;
		size_t slot_count = (starts[b + 1] - starts[b]) * 2;

		put_number((unsigned)builder->length, builder->image + b * 8);
		put_number((unsigned)slot_count, builder->image + b * 8 + 4);
		for (size_t i = starts[b]; i < starts[b + 1]; i++) {
			struct place place = builder->sorted[i];

			if (!fill_slot(
				builder->image, slots, slot_count, place)) {
				lose(builder, place.position);
				++*ret_lost;
			}
		}
		builder->length += slot_count * SLOT_SIZE;
	}
	return true;
}

static void
move_entry(struct shard_builder *builder, size_t from, size_t to)
{
	struct shard_entry entry = entry_of(builder, from);
	size_t size = record_size(&entry);

	memmove(builder->image + builder->length,
	    builder->image + builder->places[from].position, size);
	put_number((unsigned)to,
	    builder->image + builder->length + LENGTHS_SIZE + entry.key.len);
	builder->places[to] = (struct place){
	    builder->places[from].hash, (unsigned)builder->length};
	builder->origins[to] = builder->origins[from];
	builder->length += size;
}

/* What is lost leaves no trace: the others move together. The first of all is
 * never lost, and the place of a lost record is where the one before it ends.
 */
static void
drop_lost(struct shard_builder *builder, shard_lost *lost, void *context)
{
	size_t count = builder->count;
	size_t position = HEADER_SIZE;

	builder->count = 0;
	builder->length = HEADER_SIZE;
	for (size_t i = 0; i < count; i++) {
		struct shard_entry entry = entry_at(builder->image, position);

		position += record_size(&entry);
		if (builder->places[i].position != LOST)
			move_entry(builder, i, builder->count++);
		else if (lost != NULL)
			lost(context, entry.key, &builder->origins[i]);
	}
}

/*
 * The filter.
 */

static uint64_t *
filter_word(const struct shard *shard, unsigned hash)
{
	return &shard->filter[spread(hash) >> 32 & (shard->filter_words - 1)];
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
make_filter(struct shard *shard, const struct shard_builder *builder)
{
	shard->filter_words = 1;
	while (shard->filter_words * 4 < builder->count)
		shard->filter_words *= 2;
	shard->filter = calloc(shard->filter_words, sizeof(*shard->filter));
	if (shard->filter == NULL)
		return false;
	for (size_t i = 0; i < builder->count; i++) {
		unsigned hash = builder->places[i].hash;

		*filter_word(shard, hash) |= filter_bits(hash);
	}
	return true;
}

static bool
passes_filter(const struct shard *shard, unsigned hash)
{
	uint64_t bits = filter_bits(hash);

	return (*filter_word(shard, hash) & bits) == bits;
}

/*
 * The finished shard.
 */

static bool
map_image(const struct shard_builder *builder, struct cdb *ret_cdb)
{
	slice image = {(const char *)builder->image, builder->length};
	const int seals =
	    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int fd = memfd_create("milterd map", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool done = fd >= 0 && write_all(fd, image) &&
		    fcntl(fd, F_ADD_SEALS, seals) == 0 &&
		    cdb_init(ret_cdb, fd) == 0;
	int why = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = why;
	return done;
}

/* Of what is still warm in the builder. */
static void
survey(struct shard *shard, const struct shard_builder *builder)
{
	shard->count = builder->count;
	shard->digest = digest_of((slice){
	    (const char *)builder->image + HEADER_SIZE, shard->records_size});
	for (size_t i = 0; i < builder->count; i++) {
		struct shard_entry entry = entry_of(builder, i);
		unsigned number = shard_number(builder->places[i].hash);

		if (i == 0)
			shard->number = number;
		else if (number != shard->number)
			shard->number = SHARDS;
		if (entry.key.len > shard->longest_key)
			shard->longest_key = entry.key.len;
		shard->content += shard_entry_digest(entry.key, entry.value);
		net_lengths_add(&shard->nets, entry.key);
	}
}

static struct shard *
make_shard(const struct shard_builder *builder, size_t records_size,
    struct error *error)
{
	struct shard *shard = calloc(1, sizeof(*shard));

	if (shard == NULL || !make_filter(shard, builder)) {
		(void)error_set(error, "out of memory");
		goto failed;
	}
	if (!map_image(builder, &shard->cdb)) {
		(void)error_set(error, "cannot keep the map in memory: %s",
		    strerror(errno));
		if (error != NULL)
			error->exit_code = EX_OSERR;
		goto failed;
	}
	atomic_init(&shard->holders, 1);
	shard->records_size = records_size;
	survey(shard, builder);
	return shard;
failed:
	if (shard != NULL)
		free(shard->filter);
	free(shard);
	return NULL;
}

struct shard *
shard_finish(struct shard_builder *builder, shard_lost *lost, void *context,
    struct error *error)
{
	size_t end = builder->length;
	size_t lost_count;
	bool done = append_index(builder, &lost_count);

	if (done && lost_count > 0) {
		drop_lost(builder, lost, context);
		end = builder->length;
		done = append_index(builder, &lost_count);
	}
	if (done)
		return make_shard(builder, end - HEADER_SIZE, error);
	(void)error_set(error, "out of memory");
	return NULL;
}

/* The length of the record that these bytes begin with; 0: it is none. */
static size_t
sound_record(slice bytes, size_t ordinal)
{
	const unsigned char *record = (const unsigned char *)bytes.ptr;
	size_t key_len;
	size_t data_len;

	if (bytes.len < LENGTHS_SIZE)
		return 0;
	key_len = number_at(record);
	data_len = number_at(record + 4);
	if (data_len < ORDINAL_SIZE || key_len > bytes.len - LENGTHS_SIZE ||
	    data_len > bytes.len - LENGTHS_SIZE - key_len ||
	    number_at(record + LENGTHS_SIZE + key_len) != ordinal)
		return 0;
	return LENGTHS_SIZE + key_len + data_len;
}

static bool
unsound(struct error *error)
{
	(void)error_set(error, "a shard is damaged");
	if (error != NULL)
		error->exit_code = EX_DATAERR;
	return false;
}

static bool
add_records(struct shard_builder *builder, slice records, struct error *error)
{
	static const struct map_origin nowhere;

	while (records.len > 0) {
		size_t size = sound_record(records, builder->count);
		struct shard_entry entry;

		if (size == 0)
			return unsound(error);
		entry = entry_at((const unsigned char *)records.ptr, 0);
		if (!shard_builder_add(builder, shard_hash(entry.key),
			entry.key, entry.value, nowhere, error))
			return false;
		records = slice_from(records, size);
	}
	return true;
}

static struct shard *
finish_records(
    struct shard_builder *builder, slice records, struct error *error)
{
	struct shard *shard = NULL;

	if (add_records(builder, records, error))
		shard = shard_finish(builder, NULL, NULL, error);
	if (shard == NULL || slice_eq(shard_records(shard), records))
		return shard;
	/* Two entries of one key, or capitals, are not of our making. */
	(void)unsound(error);
	shard_release(shard);
	return NULL;
}

struct shard *
shard_of_records(slice records, struct error *error)
{
	struct shard_builder *builder = shard_builder_new();
	struct shard *shard;

	if (builder == NULL) {
		(void)error_set(error, "out of memory");
		return NULL;
	}
	shard = finish_records(builder, records, error);
	shard_builder_free(builder);
	return shard;
}

struct shard *
shard_acquire(struct shard *shard)
{
	(void)atomic_fetch_add_explicit(
	    &shard->holders, 1, memory_order_relaxed);
	return shard;
}

void
shard_release(struct shard *shard)
{
	if (shard == NULL || atomic_fetch_sub_explicit(
				 &shard->holders, 1, memory_order_acq_rel) > 1)
		return;
	cdb_free(&shard->cdb);
	free(shard->filter);
	free(shard);
}

bool
shard_find(const struct shard *shard, unsigned hash, slice key,
    struct shard_entry *ret_entry)
{
	struct cdb at;

	if (!passes_filter(shard, hash))
		return false;
	at = shard->cdb; /* cdb_find() writes into its argument */
	if (cdb_find(&at, key.ptr, (unsigned)key.len) <= 0)
		return false;
	*ret_entry =
	    entry_at(shard->cdb.cdb_mem, cdb_keypos(&at) - LENGTHS_SIZE);
	return true;
}

bool
shard_next(const struct shard *shard, unsigned *position,
    struct shard_entry *ret_entry)
{
	if (*position == 0)
		*position = HEADER_SIZE;
	if (*position >= HEADER_SIZE + shard->records_size)
		return false;
	*ret_entry = entry_at(shard->cdb.cdb_mem, *position);
	*position += (unsigned)record_size(ret_entry);
	return true;
}

bool
shard_is_number(const struct shard *shard, unsigned number)
{
	return shard->count == 0 || shard->number == number;
}

slice
shard_records(const struct shard *shard)
{
	return (slice){(const char *)shard->cdb.cdb_mem + HEADER_SIZE,
	    shard->records_size};
}

struct digest
shard_digest(const struct shard *shard)
{
	return shard->digest;
}

size_t
shard_count(const struct shard *shard)
{
	return shard->count;
}

size_t
shard_bytes(const struct shard *shard)
{
	return shard->cdb.cdb_fsize +
	       shard->filter_words * sizeof(*shard->filter);
}

size_t
shard_longest_key(const struct shard *shard)
{
	return shard->longest_key;
}

const struct net_lengths *
shard_nets(const struct shard *shard)
{
	return &shard->nets;
}

uint64_t
shard_content(const struct shard *shard)
{
	return shard->content;
}

static uint64_t
fnv1a(uint64_t hash, slice s)
{
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (unsigned char)s.ptr[i]) * 0x100000001b3U;
	return hash;
}

uint64_t
shard_entry_digest(slice key, slice value)
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
