/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/image.h"

#include "maps/last_good.h"
#include "maps/manifest.h"
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

static struct snapshot *
copy_of(struct snapshot *from)
{
	struct snapshot *copy = snapshot_new();
	struct error error = {0};

	for (const struct snapshot_part *part = snapshot_parts(from);
	     part != NULL; part = part->next) {
		struct image image;

		image_of_part(part, &image);
		ck_assert_msg(snapshot_add_image(copy, part->name,
				  image_slice(&image), &error),
		    "%s", error.text);
		image_free(&image);
	}
	return copy;
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
	ck_assert_str_eq(hit.file, scratch_path(file));
	ck_assert_uint_eq(hit.line, line);
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

	for (const struct snapshot_part *part = snapshot_parts(made);
	     part != NULL; part = part->next)
		snapshot_share_part(copy, part);
	snapshot_release(made);
	expect_all(copy);
	made = copy;
}
END_TEST

/* Every bit turned, and every length: refused, or good all the same, but
 * never anything worse. The digest refuses all of them. */
START_TEST(damaged_images)
{
	struct manifest manifest;

	manifest_of_snapshot(made, arena, &manifest);
	for (size_t p = 0; p < manifest.part_count; p++) {
		struct manifest_part *part = &manifest.parts[p];
		struct image image;

		image_of_part(snapshot_find_part(made, part->name), &image);
		for (size_t bit = 0; bit < image.len * 8; bit++) {
			struct snapshot *to = snapshot_new();
			struct snapshot *checked = snapshot_new();

			image.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
			(void)snapshot_add_image(
			    to, part->name, image_slice(&image), NULL);
			ck_assert(!manifest_add_image(
			    part, image_slice(&image), checked, NULL));
			image.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
			snapshot_release(to);
			snapshot_release(checked);
		}
		for (size_t len = 0; len < image.len; len++) {
			struct snapshot *to = snapshot_new();
			struct error error;

			ck_assert(!snapshot_add_image(to, part->name,
			    slice_first(image_slice(&image), len), &error));
			ck_assert_int_eq(error.exit_code, EX_DATAERR);
			snapshot_release(to);
		}
		image_free(&image);
	}
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
#define PART "part map a 00000000000000000000000000000000 1 1\n"

static const struct {
	const char *text;
	enum manifest_result result;
} manifests[] = {
    {HEAD "end\n", MANIFEST_GOOD},
    {HEAD PART "end\n", MANIFEST_GOOD},
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
	    SLICE_ARG(digest_text(manifest.parts[0].digest, arena)));
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
	tcase_add_test(tcase, damaged_images);
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
