/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/image.h"

#include "maps/last_good.h"
#include "maps/manifest.h"
#include "maps/table.h"
#include "tests/unit/scratch.h"

#include <check.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

static struct arena *arena;
static struct snapshot *made;
static const struct snapshot_source source = {.allow_unsafe_files = true};

static slice
file_of(const char *name, const char *content)
{
	(void)scratch_write(name, slice_from_cstr(content));
	return arena_copy(arena, slice_from_cstr(scratch_path(name)));
}

static void
set_up(void)
{
	slice paths[3];
	slice items[2];
	struct class *words;

	scratch_make("/tmp");
	arena = arena_new(0);
	made = snapshot_new();
	paths[0] = file_of("one", "# c\nABC.com\tRELAY\nb 2\nb 3\n\n\nc 4\n");
	paths[1] = file_of("two", "d 5\na 6\n");
	paths[2] = arena_join(arena, SLICE("pcre:"),
	    file_of("patterns", "/^x(.*)$/ OK $1\n"), SLICE(""));
	ck_assert_ptr_nonnull(
	    snapshot_add_map(made, SLICE("access"), paths, 3, &source, NULL));
	items[0] = SLICE("Word");
	items[1] = file_of("words", "one\ntwo\n");
	words = snapshot_add_class(
	    made, SLICE("local_domain"), items, 2, &source, NULL);
	class_add_own(words, SLICE("mx1"));
	class_add_own(words, SLICE("two"));
	ck_assert(
	    snapshot_add_text(made, SLICE("recipes"), paths, 2, &source, NULL));
}

static void
tear_down(void)
{
	snapshot_release(made);
	arena_free(arena);
	scratch_remove();
}

/* Blobs as another machine has them: what is asked for is made anew. */
struct shelf {
	const struct snapshot *from;
	const struct manifest *manifest;
	size_t asked;
	size_t
	    damage; /* this bit, from 1, of the blob asked for the n-th time */
	size_t damaged_blob;
	size_t cut; /* so many bytes fewer */
};

static slice
blob_of(const struct shelf *shelf, struct digest digest, struct arena *into)
{
	for (size_t p = 0; p < shelf->manifest->part_count; p++) {
		const struct manifest_part *part = &shelf->manifest->parts[p];
		const struct snapshot_part *made =
		    snapshot_find_part(shelf->from, part->name);
		const struct shard *shard = image_find_shard(made, digest);
		struct image image;
		slice bytes;

		if (shard != NULL)
			return arena_copy(into, shard_records(shard));
		if (!digest_eq(part->image.digest, digest))
			continue;
		image_of_part(made, &image);
		bytes = arena_copy(into, image_slice(&image));
		image_free(&image);
		return bytes;
	}
	ck_abort_msg("no such blob");
	return SLICE("");
}

static bool
take_blob(void *context, const struct manifest_blob *blob, struct arena *into,
    slice *ret_bytes, struct error *error)
{
	struct shelf *shelf = context;

	(void)error;
	*ret_bytes = blob_of(shelf, blob->digest, into);
	if (shelf->asked++ == shelf->damaged_blob) {
		if (shelf->damage > 0)
			((char *)ret_bytes->ptr)[(shelf->damage - 1) / 8] ^=
			    (char)(1 << (shelf->damage - 1) % 8);
		ret_bytes->len -= shelf->cut;
	}
	return true;
}

static struct snapshot *
copy_with(struct snapshot *from, const struct snapshot *have, size_t *ret_asked)
{
	struct snapshot *copy = snapshot_new();
	struct manifest manifest;
	struct shelf shelf = {.from = from, .manifest = &manifest};
	struct manifest_source blobs = {take_blob, &shelf};
	struct error error = {0};

	manifest_of_snapshot(from, arena, &manifest);
	for (size_t i = 0; i < manifest.part_count; i++) {
		const struct manifest_part *part = &manifest.parts[i];
		const struct snapshot_part *mine =
		    have == NULL ? NULL : snapshot_find_part(have, part->name);

		ck_assert_msg(
		    manifest_add_part(part, &blobs, mine, copy, &error), "%s",
		    error.text);
	}
	*ret_asked = shelf.asked;
	return copy;
}

static struct snapshot *
copy_of(struct snapshot *from)
{
	size_t asked;

	return copy_with(from, NULL, &asked);
}

static void
expect(const struct snapshot *in, const char *key, const char *value,
    const char *file, unsigned line)
{
	const struct map *map = snapshot_find_part(in, SLICE("access"))->map;
	struct map_hit hit;

	ck_assert_int_eq(
	    map_find(map, slice_from_cstr(key), arena, &hit), MAP_FOUND);
	ck_assert(slice_eq(hit.value, slice_from_cstr(value)));
	ck_assert_str_eq(map_hit_file(&hit), scratch_path(file));
	ck_assert_uint_eq(map_hit_line(&hit), line);
}

static void
expect_all(const struct snapshot *in)
{
	const struct class *words =
	    snapshot_find_part(in, SLICE("local_domain"))->words;
	slice path = slice_from_cstr(scratch_path("two"));

	expect(in, "abc.COM", "RELAY", "one", 2);
	expect(in, "b", "2", "one", 3);
	expect(in, "c", "4", "one", 7);
	expect(in, "d", "5", "two", 1);
	expect(in, "xyz", "OK yz", "patterns", 1);
	ck_assert_uint_eq(class_count(words), 3);
	ck_assert(!class_has(words, SLICE("mx1")));
	ck_assert_ptr_null(class_find(words, SLICE("word"))->file);
	ck_assert_str_eq(
	    class_find(words, SLICE("two"))->file, scratch_path("words"));
	ck_assert_uint_eq(class_find(words, SLICE("two"))->line, 2);
	ck_assert_str_eq(
	    snapshot_find_text(in, SLICE("recipes"), path)->content.ptr,
	    "d 5\na 6\n");
}

START_TEST(image_and_back)
{
	struct snapshot *copy = copy_of(made);
	struct snapshot *again = copy_of(copy);
	struct manifest first;
	struct manifest second;

	expect_all(copy);
	manifest_of_snapshot(made, arena, &first);
	manifest_of_snapshot(again, arena, &second);
	ck_assert(digest_eq(manifest_digest(&first), manifest_digest(&second)));
	ck_assert_uint_eq(first.part_count, 3);
	snapshot_release(copy);
	expect_all(again);
	snapshot_release(again);
}
END_TEST

START_TEST(parts_shared)
{
	struct snapshot *copy = snapshot_new();
	struct manifest first;
	struct manifest second;

	for (const struct snapshot_part *part = snapshot_parts(made);
	     part != NULL; part = part->next)
		snapshot_share_part(copy, part);
	manifest_of_snapshot(made, arena, &first);
	manifest_of_snapshot(copy, arena, &second);
	ck_assert(digest_eq(manifest_digest(&first), manifest_digest(&second)));
	snapshot_release(made);
	expect_all(copy);
	made = copy;
}
END_TEST

static bool
is_refused(struct shelf shelf, const struct manifest_part *part)
{
	struct manifest_source blobs = {take_blob, &shelf};
	struct snapshot *to = snapshot_new();
	struct error error = {0};
	bool refused = !manifest_add_part(part, &blobs, NULL, to, &error);

	ck_assert(!refused || error.exit_code == EX_DATAERR);
	snapshot_release(to);
	return refused;
}

/* Every bit turned, and every length, of every blob: the digest refuses all of
 * them. */
START_TEST(damaged_blobs)
{
	struct manifest manifest;

	manifest_of_snapshot(made, arena, &manifest);
	for (size_t p = 0; p < manifest.part_count; p++) {
		const struct manifest_part *part = &manifest.parts[p];

		for (size_t b = 0; b <= part->shard_count; b++) {
			size_t len = b == 0 ? part->image.bytes
					    : part->shards[b - 1].bytes;
			struct shelf shelf = {.from = made,
			    .manifest = &manifest,
			    .damaged_blob = b};

			ck_assert(!is_refused(shelf, part));
			for (shelf.cut = 1; shelf.cut <= len; shelf.cut++)
				ck_assert(is_refused(shelf, part));
			shelf.cut = 0;
			for (shelf.damage = 1; shelf.damage <= len * 8;
			     shelf.damage++)
				ck_assert(is_refused(shelf, part));
		}
	}
}
END_TEST

/* A manifest that names a shard too many, or one too few though it is at hand,
 * or another length. */
START_TEST(shards_that_are_none)
{
	struct manifest manifest;
	struct manifest_part part;
	struct shelf shelf = {
	    .from = made, .manifest = &manifest, .damaged_blob = SIZE_MAX};
	struct manifest_source blobs = {take_blob, &shelf};

	manifest_of_snapshot(made, arena, &manifest);
	for (int change = 0; change < 4; change++) {
		struct snapshot *to = snapshot_new();
		struct manifest_blob shards[8] = {{.bytes = 0}};
		struct error error = {0};

		part = *manifest_find(&manifest, SLICE("access"));
		ck_assert_uint_eq(part.shard_count, 1);
		shards[0] = shards[1] = part.shards[0];
		part.shards = shards;
		if (change == 1)
			part.shard_count++;
		else if (change == 2)
			part.shard_count--;
		else if (change == 3)
			shards[0].bytes++;
		ck_assert_int_eq(
		    manifest_add_part(&part, &blobs,
			snapshot_find_part(made, part.name), to, &error),
		    change == 0);
		ck_assert(change == 0 || error.exit_code == EX_DATAERR);
		snapshot_release(to);
	}
}
END_TEST

static struct shard *
lend_shard(void *context, struct digest digest, struct error *error)
{
	struct shard *shard = image_find_shard(context, digest);

	(void)error_set(error, "no such shard");
	return shard == NULL ? NULL : shard_acquire(shard);
}

/* Where nobody looks at digests: refused, or good all the same, but never
 * anything worse. */
START_TEST(damaged_images)
{
	for (const struct snapshot_part *part = snapshot_parts(made);
	     part != NULL; part = part->next) {
		struct image_source source_of = {lend_shard, (void *)part};
		struct image image;

		image_of_part(part, &image);
		for (size_t bit = 0; bit < image.len * 8; bit++) {
			struct snapshot *to = snapshot_new();

			image.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
			(void)snapshot_add_image(to, part->name,
			    image_slice(&image), &source_of, NULL);
			image.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
			snapshot_release(to);
		}
		for (size_t len = 0; len < image.len; len++) {
			struct snapshot *to = snapshot_new();
			struct error error = {0};

			ck_assert(!snapshot_add_image(to, part->name,
			    slice_first(image_slice(&image), len), &source_of,
			    &error));
			snapshot_release(to);
		}
		image_free(&image);
	}
}
END_TEST

/* cdb's records: lengths of key and data, key, data, which begins with the
 * ordinal. */
static const struct {
	slice records;
	bool is_good;
} records[] = {
    {SLICE_INIT(""), true},
    {SLICE_INIT("\1\0\0\0\5\0\0\0a\0\0\0\0v"), true},
    {SLICE_INIT("\1\0\0\0\4\0\0\0a\0\0\0\0"
		"\1\0\0\0\4\0\0\0b\1\0\0\0"),
	true},
    /* An ordinal that is another's, one key twice, a capital. */
    {SLICE_INIT("\1\0\0\0\5\0\0\0a\1\0\0\0v"), false},
    {SLICE_INIT("\1\0\0\0\4\0\0\0a\0\0\0\0"
		"\1\0\0\0\4\0\0\0a\1\0\0\0"),
	false},
    {SLICE_INIT("\1\0\0\0\5\0\0\0A\0\0\0\0v"), false},
    /* Lengths that are too long, or too short. */
    {SLICE_INIT("\1\0\0\0\6\0\0\0a\0\0\0\0v"), false},
    {SLICE_INIT("\1\0\0\0\3\0\0\0a\0\0\0"), false},
    {SLICE_INIT("\377\377\377\377\4\0\0\0a\0\0\0\0"), false},
    {SLICE_INIT("\1\0\0\0\377\377\377\377a\0\0\0\0"), false},
    {SLICE_INIT("\1\0\0"), false},
    {SLICE_INIT("\1\0\0\0\4\0\0\0a\0\0\0\0x"), false},
};

START_TEST(shards_of_records)
{
	struct error error = {0};
	struct shard *shard = shard_of_records(records[_i].records, &error);

	ck_assert_int_eq(shard != NULL, records[_i].is_good);
	if (shard == NULL) {
		ck_assert_int_eq(error.exit_code, EX_DATAERR);
		ck_assert_str_eq(error.text, "a shard is damaged");
		return;
	}
	ck_assert(slice_eq(shard_records(shard), records[_i].records));
	shard_release(shard);
}
END_TEST

enum { MANY = TABLE_SHARDED_FROM + 5000 };

/* One line more, at this place. */
static struct snapshot *
large_map(unsigned more_at)
{
	struct snapshot *large = snapshot_new();
	struct strbuf text;
	slice path;

	strbuf_init(&text, arena);
	for (unsigned n = 1; n <= MANY; n++) {
		if (n == more_at)
			strbuf_add(&text, SLICE("one.more RELAY\n"));
		strbuf_printf(&text, "host%u.abc.com value %u\n", n, n);
	}
	(void)scratch_write("large", strbuf_slice(&text));
	path = arena_copy(arena, slice_from_cstr(scratch_path("large")));
	ck_assert_ptr_nonnull(
	    snapshot_add_map(large, SLICE("access"), &path, 1, &source, NULL));
	return large;
}

static void
expect_large(const struct snapshot *large, unsigned more_at)
{
	for (unsigned n = 1; n <= MANY; n++) {
		slice key = arena_printf(arena, "host%u.abc.com", n);
		slice value = arena_printf(arena, "value %u", n);

		expect(large, key.ptr, value.ptr, "large",
		    more_at > 0 && n >= more_at ? n + 1 : n);
	}
	if (more_at > 0)
		expect(large, "one.more", "RELAY", "large", more_at);
}

/* A line more costs the image, and the one shard that has it; the others are
 * those that were there, and yet every entry tells its line. */
START_TEST(a_line_more)
{
	struct snapshot *before = large_map(0);
	struct snapshot *after = large_map(777);
	struct snapshot *copy;
	struct snapshot *next;
	size_t asked;

	copy = copy_with(before, NULL, &asked);
	ck_assert_uint_eq(asked, 1 + SHARDS);
	expect_large(copy, 0);
	next = copy_with(after, copy, &asked);
	ck_assert_uint_eq(asked, 1 + 1);
	snapshot_release(copy);
	expect_large(next, 777);
	ck_assert_uint_eq(
	    snapshot_find_part(next, SLICE("access"))->entries, MANY + 1);
	snapshot_release(next);
	snapshot_release(before);
	snapshot_release(after);
}
END_TEST

START_TEST(manifest_and_back)
{
	struct manifest manifest;
	struct manifest read;
	struct strbuf text;

	manifest_of_snapshot(made, arena, &manifest);
	manifest.number = 12;
	manifest.publisher = SLICE("mx1.example.com");
	manifest.published_at = 1764360000;
	strbuf_init(&text, arena);
	manifest_write(&manifest, &text);
	ck_assert_int_eq(
	    manifest_read(strbuf_slice(&text), arena, &read), MANIFEST_GOOD);
	ck_assert_uint_eq(read.number, 12);
	ck_assert(slice_eq(read.publisher, manifest.publisher));
	ck_assert(
	    digest_eq(manifest_digest(&read), manifest_digest(&manifest)));
	for (size_t len = 0; len + 1 < text.len; len++)
		ck_assert_int_eq(
		    manifest_read(
			slice_first(strbuf_slice(&text), len), arena, &read),
		    MANIFEST_BAD);
}
END_TEST

#define HEAD "milterd-generation 1\nnumber 1\npublisher a\npublished 1\n"
#define SHARD "shard 00000000000000000000000000000000 1\n"
#define PART "part map a 00000000000000000000000000000000 1 1\n"

static const struct {
	const char *text;
	enum manifest_result result;
} manifests[] = {
    {HEAD "end\n", MANIFEST_GOOD},
    {HEAD PART "end\n", MANIFEST_GOOD},
    {HEAD PART SHARD SHARD "end\n", MANIFEST_GOOD},
    {HEAD SHARD "end\n", MANIFEST_BAD},
    {HEAD PART "shard 00000000000000000000000000000000\nend\n", MANIFEST_BAD},
    {HEAD PART "shard 0 1\nend\n", MANIFEST_BAD},
    {HEAD "part class a 00000000000000000000000000000000 1 1\n" SHARD "end\n",
	MANIFEST_BAD},
    {HEAD PART PART "end\n", MANIFEST_BAD},
    {HEAD "part map ../a 00000000000000000000000000000000 1 1\nend\n",
	MANIFEST_BAD},
    {HEAD "part door a 00000000000000000000000000000000 1 1\nend\n",
	MANIFEST_BAD},
    {HEAD "part map a 0000000000000000000000000000000g 1 1\nend\n",
	MANIFEST_BAD},
    {HEAD "part map a 00000000000000000000000000000000 -1 1\nend\n",
	MANIFEST_BAD},
    {HEAD "end\nmore\n", MANIFEST_BAD},
    {HEAD PART "shard 00000000000000000000000000000000 4294967296\nend\n",
	MANIFEST_BAD},
    {"milterd-generation 1\nnumber 1\npublisher a\tb\npublished 1\nend\n",
	MANIFEST_BAD},
    {"milterd-generation 2\nwhatever\n", MANIFEST_NEWER},
    {"milterd-generation 0\n", MANIFEST_BAD},
    {"", MANIFEST_BAD},
};

START_TEST(manifests_read)
{
	struct manifest read;

	ck_assert_int_eq(
	    manifest_read(slice_from_cstr(manifests[_i].text), arena, &read),
	    manifests[_i].result);
}
END_TEST

START_TEST(last_good_copy)
{
	char *directory = xstrdup(scratch_path("maps"));
	struct manifest manifest;
	struct manifest read;
	struct snapshot *copy;
	struct error error = {0};
	slice part;

	ck_assert_ptr_null(last_good_read(directory, arena, &read, &error));
	ck_assert_int_eq(error.exit_code, EX_NOINPUT);
	manifest_of_snapshot(made, arena, &manifest);
	manifest.number = 3;
	manifest.publisher = SLICE("mx1");
	ck_assert(last_good_write(directory, &manifest, made, &error));
	ck_assert(last_good_write(directory, &manifest, made, &error));
	copy = last_good_read(directory, arena, &read, &error);
	ck_assert_msg(copy != NULL, "%s: %s", error.file, error.text);
	ck_assert_uint_eq(read.number, 3);
	expect_all(copy);
	snapshot_release(copy);
	part = arena_printf(arena, "%s/" SLICE_FMT, directory,
	    SLICE_ARG(digest_text(manifest.parts[0].shards[0].digest, arena)));
	ck_assert_int_eq(truncate(part.ptr, 30), 0);
	ck_assert_ptr_null(last_good_read(directory, arena, &read, &error));
	ck_assert_int_eq(error.exit_code, EX_DATAERR);
	free(directory);
}
END_TEST

static Suite *
image_suite(void)
{
	Suite *suite = suite_create("image");
	TCase *tcase = tcase_create("image");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, image_and_back);
	tcase_add_test(tcase, parts_shared);
	tcase_add_test(tcase, damaged_blobs);
	tcase_add_test(tcase, shards_that_are_none);
	tcase_add_test(tcase, damaged_images);
	tcase_add_loop_test(tcase, shards_of_records, 0,
	    (int)(sizeof(records) / sizeof(*records)));
	tcase_add_test(tcase, a_line_more);
	tcase_add_test(tcase, manifest_and_back);
	tcase_add_loop_test(tcase, manifests_read, 0,
	    (int)(sizeof(manifests) / sizeof(*manifests)));
	tcase_add_test(tcase, last_good_copy);
	suite_add_tcase(suite, tcase);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(image_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
