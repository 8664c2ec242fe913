/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/last_good.h"

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

static bool
write_all(int fd, slice bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = slice_from(bytes, (size_t)n);
	}
	return true;
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
write_part(int directory, const struct manifest_part *part,
    const struct snapshot *parts, struct arena *arena)
{
	const char *name = digest_text(part->digest, arena).ptr;
	struct image image;
	struct stat st;
	bool done;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (size_t)st.st_size == part->bytes)
		return true;
	image_of_part(snapshot_find_part(parts, part->name), &image);
	done = write_file(directory, name, image_slice(&image));
	image_free(&image);
	return done;
}

static bool
is_named(const struct manifest *manifest, slice name)
{
	struct digest digest;

	if (!digest_parse(name, &digest))
		return slice_eq(name, SLICE("manifest"));
	for (size_t i = 0; i < manifest->part_count; i++) {
		if (digest_eq(manifest->parts[i].digest, digest))
			return true;
	}
	return false;
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
read_part(const char *directory, const struct manifest_part *part,
    struct snapshot *parts, struct error *error)
{
	struct arena *arena = arena_new(0);
	slice path = arena_printf(arena, "%s/" SLICE_FMT, directory,
	    SLICE_ARG(digest_text(part->digest, arena)));
	struct text_file file;
	bool done = text_file_read(path.ptr, true, arena, &file, error);

	if (done && (file.content.len != part->bytes ||
			!digest_eq(digest_of(file.content), part->digest)))
		done = damaged(error, path.ptr);
	done =
	    done && snapshot_add_image(parts, part->name, file.content, error);
	arena_free(arena);
	return done;
}

struct snapshot *
last_good_read(const char *directory, struct arena *arena,
    struct manifest *ret_manifest, struct error *error)
{
	slice path = arena_printf(arena, "%s/manifest", directory);
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
		if (!read_part(
			directory, &ret_manifest->parts[i], parts, error)) {
			snapshot_release(parts);
			return NULL;
		}
	}
	return parts;
}
