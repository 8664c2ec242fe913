/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/folder.h"

#include "base/strbuf.h"

#include <string.h>

enum { FOLDER_MAX = 128 };

static bool
take_prefix(slice *name, slice prefix)
{
	if (prefix.len == 0 || prefix.len > name->len ||
	    memcmp(name->ptr, prefix.ptr, prefix.len) != 0)
		return false;
	*name = slice_from(*name, prefix.len);
	return true;
}

/* "/home/u" of "/home/u/x", not of "/home/ux". */
static void
take_directory(slice *name, slice directory)
{
	slice rest = *name;

	while (directory.len > 1 && directory.ptr[directory.len - 1] == '/')
		directory.len--;
	if (take_prefix(&rest, directory) &&
	    (rest.len == 0 || rest.ptr[0] == '/'))
		*name = rest;
}

static bool
is_name(slice name)
{
	slice rest = name;
	slice part;

	for (size_t i = 0; i < name.len; i++) {
		if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
			return false;
	}
	while (slice_next(&rest, '/', &part)) {
		if (part.len == 0 || slice_eq(part, SLICE("..")))
			return false;
	}
	return name.len > 0 && name.len <= FOLDER_MAX;
}

slice
folder_name(slice written, const struct folder_owner *owner)
{
	slice name = written;

	take_directory(&name, owner->maildir);
	take_directory(&name, owner->home);
	while (
	    take_prefix(&name, SLICE("/")) || take_prefix(&name, SLICE("./")))
		continue;
	(void)take_prefix(&name, SLICE("."));
	while (name.len > 0 &&
	       (name.ptr[name.len - 1] == '/' ||
		   (name.len > 1 && name.ptr[name.len - 1] == '.' &&
		       name.ptr[name.len - 2] == '/')))
		name.len--;
	return is_name(name) ? name : SLICE("");
}

/* RFC 5322, atext and the dot; what is not ASCII as RFC 6532 has it. */
static bool
is_plain(char c)
{
	return (unsigned char)c >= 0x80 || ascii_is_digit(c) ||
	       (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool
is_dot_atom(slice local)
{
	for (size_t i = 0; i < local.len; i++) {
		if (!is_plain(local.ptr[i]))
			return false;
		if (local.ptr[i] == '.' &&
		    (i == 0 || i + 1 == local.len || local.ptr[i - 1] == '.'))
			return false;
	}
	return local.len > 0;
}

static void
add_local(struct strbuf *out, slice local)
{
	if (is_dot_atom(local)) {
		strbuf_add(out, local);
		return;
	}
	strbuf_add_char(out, '"');
	for (size_t i = 0; i < local.len; i++) {
		if (local.ptr[i] == '"' || local.ptr[i] == '\\')
			strbuf_add_char(out, '\\');
		strbuf_add_char(out, local.ptr[i]);
	}
	strbuf_add_char(out, '"');
}

static slice
fill(struct arena *arena, slice pattern, const struct folder_owner *owner,
    slice folder)
{
	struct strbuf out;

	strbuf_init(&out, arena);
	for (size_t i = 0; i < pattern.len; i++) {
		char c = pattern.ptr[i];

		if (c != '%' || i + 1 == pattern.len) {
			strbuf_add_char(&out, c);
			continue;
		}
		c = pattern.ptr[++i];
		if (c == 'u')
			strbuf_add(&out, owner->user);
		else if (c == 'f')
			strbuf_add(&out, folder);
		else if (c == 'd')
			strbuf_add(&out, owner->domain);
		else
			strbuf_add_char(&out, c);
	}
	return strbuf_slice(&out);
}

slice
folder_address(struct arena *arena, slice pattern,
    const struct folder_owner *owner, slice folder)
{
	size_t at = slice_index(pattern, '@');
	struct strbuf out;

	strbuf_init(&out, arena);
	add_local(&out, fill(arena, slice_first(pattern, at), owner, folder));
	strbuf_add_char(&out, '@');
	strbuf_add(
	    &out, fill(arena, slice_from(pattern, at + 1), owner, folder));
	return strbuf_slice(&out);
}

const char *
folder_pattern_problem(slice pattern)
{
	size_t at = slice_index(pattern, '@');
	bool has_user = false;
	bool has_folder = false;

	for (size_t i = 0; i < pattern.len; i++) {
		char c = pattern.ptr[i];

		if (c != '%')
			continue;
		c = i + 1 < pattern.len ? pattern.ptr[++i] : '\0';
		if (c == '\0' || strchr("ufd%", c) == NULL)
			return "has a % that is none of %u, %f, %d and %%";
		has_user |= c == 'u';
		has_folder |= c == 'f';
	}
	if (!has_user || !has_folder)
		return "has no %u and %f";
	if (at == pattern.len || at != slice_last_index(pattern, '@') ||
	    at + 1 == pattern.len)
		return "is no address with one @";
	return NULL;
}
