/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A directory of the test's own and files in it. Nothing below /tmp is safe in
 * the eyes of maps/safe_file.h, so tests of unsafe files can rely on it, and
 * the others set allow_unsafe_files or ask for a safe directory.
 */
#ifndef TESTS_UNIT_FILES_H
#define TESTS_UNIT_FILES_H

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct files {
	char directory[128];
};

static inline void
files_make(struct files *files)
{
	(void)snprintf(files->directory, sizeof(files->directory),
	    "/tmp/milterd-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(files->directory));
	ck_assert_int_eq(chmod(files->directory, 0755), 0);
}

/* Where only root and this user can write; false when there is no such place
 * (no root, and no home). */
static inline bool
files_make_safe(struct files *files)
{
	const char *home = geteuid() == 0 ? "/run" : getenv("HOME");

	if (home == NULL)
		return false;
	(void)snprintf(files->directory, sizeof(files->directory),
	    "%.80s/milterd-test-XXXXXX", home);
	return mkdtemp(files->directory) != NULL;
}

static inline void
files_remove(struct files *files)
{
	DIR *directory = opendir(files->directory);
	struct dirent *entry;

	ck_assert_ptr_nonnull(directory);
	while ((entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			ck_assert_int_eq(
			    unlinkat(dirfd(directory), entry->d_name,
				entry->d_type == DT_DIR ? AT_REMOVEDIR : 0),
			    0);
	}
	(void)closedir(directory);
	ck_assert_int_eq(rmdir(files->directory), 0);
}

/* The path of a name in the directory, in one of a few static buffers. */
static inline const char *
files_path(const struct files *files, const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", files->directory, name);
	return path;
}

/* Replaces the file as a whole. */
static inline const char *
files_write_bytes(
    const struct files *files, const char *name, const char *bytes, size_t len)
{
	const char *made = files_path(files, "being-written");
	const char *path = files_path(files, name);
	FILE *file = fopen(made, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(made, 0644), 0);
	ck_assert_int_eq(rename(made, path), 0);
	return path;
}

static inline const char *
files_write(const struct files *files, const char *name, const char *text)
{
	return files_write_bytes(files, name, text, strlen(text));
}

#endif
