/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/user_recipes.h"

#include "maps/text.h"
#include "policy/recipe.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

/* One directory being read. */
struct gathering {
	struct snapshot *snapshot;
	const struct snapshot_source *source;
	struct arena *arena;
	slice directory; /* with its slash */
	slice ending;	 /* of the files' names */
	size_t left_out;
	struct error *error;
};

/* "/directory/%u.rc": one directory, and names that end alike. */
static bool
split_pattern(slice pattern, slice *ret_directory, slice *ret_ending)
{
	size_t slash = slice_last_index(pattern, '/');
	slice name = slice_from(pattern, slash + 1);
	size_t percent = slice_last_index(name, '%');

	*ret_directory = slice_first(pattern, slash + 1);
	*ret_ending = slice_from(name, percent + 2);
	return pattern.len > 0 && pattern.ptr[0] == '/' &&
	       slice_index(*ret_directory, '%') == ret_directory->len &&
	       percent + 1 < name.len && name.ptr[percent + 1] != '%';
}

__attribute__((format(printf, 2, 3))) static void
warn(const struct gathering *g, const char *format, ...)
{
	va_list args;
	slice text;

	if (g->source->warn == NULL)
		return;
	va_start(args, format);
	text = arena_vprintf(g->arena, format, args);
	va_end(args);
	g->source->warn(g->source->context, text.ptr);
}

static bool
is_of_a_user(const struct gathering *g, const char *path, const char *name,
    size_t *bytes)
{
	slice text = slice_from_cstr(name);
	struct stat st;

	if (name[0] == '.' || text.len <= g->ending.len ||
	    !slice_has_suffix_nocase(text, g->ending) ||
	    lstat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > RECIPE_FILE_MAX)
		return false;
	*bytes += (size_t)st.st_size;
	return true;
}

/* Whatever the locale. */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* What is not root's or ours alone stays here, and what went a moment ago. */
static bool
add_file(struct gathering *g, const char *path)
{
	struct arena *arena = arena_new(0);
	struct error error = {.exit_code = 0};
	struct text_file file;
	bool is_there = text_file_read(
	    path, g->source->allow_unsafe_files, arena, &file, &error);
	bool may_stay =
	    error.exit_code == EX_NOPERM || error.exit_code == EX_NOINPUT;

	if (is_there)
		snapshot_add_text_of(g->snapshot, SLICE(USER_RECIPES_PART),
		    slice_from_cstr(path), file.content);
	else if (may_stay)
		g->left_out++;
	else if (g->error != NULL)
		*g->error = error;
	arena_free(arena);
	return is_there || may_stay;
}

/* In the order of their names, so that the same files make the same image. */
static bool
add_files(struct gathering *g, struct dirent **list, int count)
{
	slice *paths = ARENA_ARRAY(g->arena, slice, (size_t)count + 1);
	size_t files = 0;
	size_t bytes = 0;

	for (int i = 0; i < count; i++) {
		paths[files] = arena_join(g->arena, g->directory,
		    slice_from_cstr(list[i]->d_name), SLICE(""));
		files +=
		    is_of_a_user(g, paths[files].ptr, list[i]->d_name, &bytes);
	}
	if (files > USER_RECIPES_FILES_MAX || bytes > USER_RECIPES_BYTES_MAX) {
		warn(g,
		    SLICE_FMT ": too many files or bytes to be shared with "
			      "the fleet",
		    SLICE_ARG(g->directory));
		return true;
	}
	if (!snapshot_add_text(g->snapshot, SLICE(USER_RECIPES_PART), NULL, 0,
		g->source, g->error))
		return false;
	for (size_t i = 0; i < files; i++) {
		if (!add_file(g, paths[i].ptr))
			return false;
	}
	return true;
}

static bool
add_directory(struct gathering *g)
{
	struct dirent **list = NULL;
	int count =
	    scandir(arena_cstr(g->arena, g->directory), &list, NULL, by_name);
	bool done;

	if (count < 0 && (errno == ENOENT || errno == ENOTDIR))
		return true;
	if (count < 0) {
		if (g->error != NULL)
			g->error->exit_code = EX_NOINPUT;
		return error_set(g->error, "cannot read " SLICE_FMT ": %s",
		    SLICE_ARG(g->directory), strerror(errno));
	}
	done = add_files(g, list, count);
	for (int i = 0; i < count; i++)
		free(list[i]);
	free(list);
	return done;
}

bool
user_recipes_add(struct snapshot *snapshot, slice pattern,
    const struct snapshot_source *source, struct error *error)
{
	struct gathering g = {
	    .snapshot = snapshot, .source = source, .error = error};
	bool done;

	if (!split_pattern(pattern, &g.directory, &g.ending))
		return true;
	g.arena = arena_new(0);
	done = add_directory(&g);
	if (done && g.left_out > 0)
		warn(&g,
		    SLICE_FMT ": %zu files are not root's or ours alone, and "
			      "not shared with the fleet",
		    SLICE_ARG(g.directory), g.left_out);
	arena_free(g.arena);
	return done;
}

bool
user_recipes_find(const struct snapshot *snapshot, slice path, slice *ret_text)
{
	const struct snapshot_text *text =
	    snapshot_find_text(snapshot, SLICE(USER_RECIPES_PART), path);

	if (text == NULL)
		return false;
	*ret_text = text->content;
	return true;
}
