/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/alias_includes.h"

#include "maps/text.h"
#include "milter/include_file.h"
#include "policy/alias.h"
#include "policy/alias_list.h"

#include <sys/stat.h>
#include <sysexits.h>

/* The files being read. */
struct gathering {
	struct snapshot *snapshot;
	const struct decision *decision;
	const struct snapshot_source *source;
	size_t files;
	size_t bytes;
	bool is_full;
	bool has_failed;
	struct error *error;
};

static void
warn(const struct gathering *g, const char *path, const char *why)
{
	if (g->source->warn != NULL)
		g->source->warn(g->source->context,
		    arena_printf(g->decision->arena,
			":include:%s: not shared with the fleet: %s", path, why)
			.ptr);
}

static bool
has_room(struct gathering *g, const char *path, size_t bytes)
{
	if (g->files < ALIAS_INCLUDES_FILES_MAX &&
	    bytes <= ALIAS_INCLUDES_BYTES_MAX - g->bytes)
		return true;
	if (!g->is_full)
		warn(g, path, "too many files or bytes, and so with the next");
	g->is_full = true;
	return false;
}

/* Refused as milter/include_file.c refuses it where it is asked for. */
static void
keep(struct gathering *g, const char *path, slice text)
{
	if (slice_index(text, '\0') < text.len) {
		warn(g, path, "has a NUL byte in it");
		return;
	}
	if (!has_room(g, path, text.len))
		return;
	snapshot_add_text_of(g->snapshot, SLICE(ALIAS_INCLUDES_PART),
	    slice_from_cstr(path), text);
	g->files++;
	g->bytes += text.len;
}

static void
read_file(struct gathering *g, const char *path)
{
	struct arena *arena = arena_new(0);
	struct error error = {.exit_code = 0};
	struct text_file file;

	if (text_file_read(
		path, g->source->allow_unsafe_files, arena, &file, &error)) {
		keep(g, path, file.content);
	} else if (error.exit_code == EX_NOPERM ||
		   error.exit_code == EX_NOINPUT) {
		warn(g, path, error.text);
	} else {
		g->has_failed = true;
		if (g->error != NULL)
			*g->error = error;
	}
	arena_free(arena);
}

static void
add_file(struct gathering *g, slice name)
{
	const char *path = arena_cstr(g->decision->arena, name);
	struct stat st;

	if (snapshot_find_text(g->snapshot, SLICE(ALIAS_INCLUDES_PART), name) !=
	    NULL)
		return;
	if (path[0] != '/')
		warn(g, path, "does not begin with /");
	else if (stat(path, &st) == 0 && st.st_size > INCLUDE_FILE_MAX)
		warn(g, path, "is larger than 1 MB");
	else
		read_file(g, path);
}

static void
add_files_of(struct gathering *g, slice list)
{
	slice member;
	slice path;

	if (slice_index(list, ':') == list.len)
		return;
	while (!g->has_failed && alias_list_next(&list, &member)) {
		if (slice_index(member, ':') < member.len &&
		    alias_include(g->decision, member, &path))
			add_file(g, path);
	}
}

static bool
add_files_of_entry(void *context, slice key, const struct map_hit *hit)
{
	struct gathering *g = context;

	(void)key;
	add_files_of(g, hit->value);
	return !g->has_failed;
}

bool
alias_includes_add(struct snapshot *snapshot, const struct decision *d,
    const struct snapshot_source *source, struct error *error)
{
	struct gathering g = {.snapshot = snapshot,
	    .decision = d,
	    .source = source,
	    .error = error};
	const struct snapshot_text *text;

	if (!snapshot_add_text(
		snapshot, SLICE(ALIAS_INCLUDES_PART), NULL, 0, source, error))
		return false;
	map_walk(d->policy->aliases, add_files_of_entry, &g);
	text = snapshot_find_part(snapshot, SLICE(ALIAS_INCLUDES_PART))->texts;
	/* What they name is added at the end, and comes up in its turn. */
	for (; text != NULL && !g.has_failed; text = text->next) {
		slice rest = text->content;
		slice line;

		while (include_next_line(&rest, &line))
			add_files_of(&g, line);
	}
	return !g.has_failed;
}

bool
alias_includes_find(
    const struct snapshot *snapshot, slice path, slice *ret_text)
{
	const struct snapshot_text *text =
	    snapshot == NULL ? NULL
			     : snapshot_find_text(
				   snapshot, SLICE(ALIAS_INCLUDES_PART), path);

	if (text == NULL)
		return false;
	*ret_text = text->content;
	return true;
}
