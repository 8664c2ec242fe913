/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/last_good.h"

#include "base/write_all.h"
#include "maps/image.h"
#include "maps/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static bool
fail(struct error *error, const char *path, const char *what)
{
	(void)error_at(error, path, 0, "%s: %s", what, strerror(errno));
	if (error != NULL)
		error->exit_code = EX_CANTCREAT;
	return false;
}

/* Aside, to the disk, and into its place. */
static bool
write_file(int directory, const char *name, slice bytes)
{
	int fd = openat(directory, "new",
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool done = fd >= 0 && write_all(fd, bytes) && fsync(fd) == 0;

	if (fd >= 0 && close(fd) != 0)
		done = false;
	return done && renameat(directory, "new", directory, name) == 0;
}

static bool
is_there(int directory, const struct manifest_blob *blob, struct arena *arena)
{
	struct stat st;

	return fstatat(directory, digest_text(blob->digest, arena).ptr, &st,
		   AT_SYMLINK_NOFOLLOW) == 0 &&
	       (size_t)st.st_size == blob->bytes;
}

static bool
write_blob(int directory, const struct manifest_blob *blob, slice bytes,
    struct arena *arena)
{
	return write_file(
	    directory, digest_text(blob->digest, arena).ptr, bytes);
}

static bool
write_image(int directory, const struct manifest_blob *blob,
    const struct snapshot_part *part, struct arena *arena)
{
	struct image image;
	bool done;

	if (is_there(directory, blob, arena))
		return true;
	image_of_part(part, &image);
	done = write_blob(directory, blob, image_slice(&image), arena);
	image_free(&image);
	return done;
}

static bool
write_part(int directory, const struct manifest_part *part,
    const struct snapshot *parts, struct arena *arena)
{
	const struct snapshot_part *made =
	    snapshot_find_part(parts, part->name);

	for (size_t i = 0; i < part->shard_count; i++) {
		const struct manifest_blob *blob = &part->shards[i];

		if (!is_there(directory, blob, arena) &&
		    !write_blob(directory, blob,
			shard_records(image_find_shard(made, blob->digest)),
			arena))
			return false;
	}
	return write_image(directory, &part->image, made, arena);
}

static bool
is_named(const struct manifest *manifest, slice name)
{
	struct digest digest;

	if (!digest_parse(name, &digest))
		return slice_eq(name, SLICE("manifest"));
	return manifest_has_blob(manifest, digest);
}

static void
remove_others(int directory, const struct manifest *manifest)
{
	int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	const struct dirent *entry;

	if (dir == NULL) {
		if (again >= 0)
			(void)close(again);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' &&
		    !is_named(manifest, slice_from_cstr(entry->d_name)))
			(void)unlinkat(directory, entry->d_name, 0);
	}
	(void)closedir(dir);
}

static bool
write_copy(int directory, const struct manifest *manifest,
    const struct snapshot *parts, struct arena *arena)
{
	struct strbuf text;

	for (size_t i = 0; i < manifest->part_count; i++) {
		if (!write_part(directory, &manifest->parts[i], parts, arena))
			return false;
	}
	strbuf_init(&text, arena);
	manifest_write(manifest, &text);
	if (fsync(directory) != 0 ||
	    !write_file(directory, "manifest", strbuf_slice(&text)) ||
	    fsync(directory) != 0)
		return false;
	remove_others(directory, manifest);
	return true;
}

bool
last_good_write(const char *directory, const struct manifest *manifest,
    const struct snapshot *parts, struct error *error)
{
	struct arena *arena;
	int fd;
	bool done;

	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return fail(error, directory, "cannot make");
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(error, directory, "cannot open");
	arena = arena_new(0);
	done = write_copy(fd, manifest, parts, arena);
	if (!done)
		(void)fail(error, directory, "cannot write");
	(void)close(fd);
	arena_free(arena);
	return done;
}

static bool
damaged(struct error *error, const char *path)
{
	(void)error_at(error, path, 0, "the copy is damaged");
	if (error != NULL)
		error->exit_code = EX_DATAERR;
	return false;
}

static bool
read_blob(void *context, const struct manifest_blob *blob, struct arena *arena,
    slice *ret_bytes, struct error *error)
{
	const char *directory = context;
	slice path = arena_printf(arena, "%s/" SLICE_FMT, directory,
	    SLICE_ARG(digest_text(blob->digest, arena)));
	struct text_file file;

	if (!text_file_read(path.ptr, true, arena, &file, error))
		return false;
	*ret_bytes = file.content;
	return file.content.len == blob->bytes || damaged(error, path.ptr);
}

struct snapshot *
last_good_read(const char *directory, struct arena *arena,
    struct manifest *ret_manifest, struct error *error)
{
	slice path = arena_printf(arena, "%s/manifest", directory);
	struct manifest_source source = {read_blob, (void *)directory};
	struct snapshot *parts;
	struct text_file file;

	if (!text_file_read(path.ptr, true, arena, &file, error))
		return NULL;
	if (manifest_read(file.content, arena, ret_manifest) != MANIFEST_GOOD) {
		(void)damaged(error, path.ptr);
		return NULL;
	}
	parts = snapshot_new();
	for (size_t i = 0; i < ret_manifest->part_count; i++) {
		if (!manifest_add_part(
			&ret_manifest->parts[i], &source, NULL, parts, error)) {
			snapshot_release(parts);
			return NULL;
		}
	}
	return parts;
}
