/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/load.h"

#include <stddef.h>
#include <string.h>
#include <sysexits.h>

#include "maps/text.h"
#include "milter/own_names.h"
#include "policy/alias.h"

/* The maps warn of few lines per file; this bounds the files. */
#define MOST_WARNINGS 1000

/* One generation being built. Everything goes into the snapshot's arena. */
struct loading {
	struct arena *arena;
	struct generation *generation;
	struct settings *settings;
	struct policy *policy;
	struct string_list warnings;
	size_t left_out; /* warnings beyond the most */
	struct snapshot_source source;
	struct error *error;
};

static void
on_warning(void *context, const char *text)
{
	struct loading *loading = context;

	if (loading->warnings.count < MOST_WARNINGS)
		string_list_add(
		    loading->arena, &loading->warnings, slice_from_cstr(text));
	else
		loading->left_out++;
}

static void
warn_of_hostname(struct loading *loading)
{
	slice hostname = loading->policy->hostname;
	slice text;

	if (slice_index(hostname, '.') < hostname.len)
		return;
	text = arena_printf(loading->arena,
	    "%s: hostname \"" SLICE_FMT "\" is not fully qualified",
	    loading->settings->path, SLICE_ARG(hostname));
	on_warning(loading, text.ptr);
}

static void
end_warnings(struct loading *loading)
{
	struct arena *arena = loading->arena;

	if (loading->left_out > 0)
		string_list_add(arena, &loading->warnings,
		    arena_printf(
			arena, "and %zu more warnings", loading->left_out));
	loading->generation->warnings = loading->warnings.items;
	loading->generation->warning_count = loading->warnings.count;
}

static slice
without_dot(slice name)
{
	if (name.len > 1 && name.ptr[name.len - 1] == '.')
		name.len--;
	return name;
}

/*
 * Classes.
 */

static void
add_list(struct arena *arena, struct string_list *list, struct string_list more)
{
	for (size_t i = 0; i < more.count; i++)
		string_list_add(arena, list, more.items[i]);
}

static const struct class *
add_class(struct loading *loading, slice name, struct string_list items)
{
	return snapshot_add_class(loading->generation->snapshot, name,
	    items.items, items.count, &loading->source, loading->error);
}

/* Class w. Whoever blocks bad HELO needs the IPv6 loopback in it, as in
 * feature/block_bad_helo.m4; the same below for class R. */
static bool
load_local(struct loading *loading, const struct own_names *own)
{
	struct arena *arena = loading->arena;
	struct string_list items = {0};
	slice hostname = loading->policy->hostname;

	string_list_add(arena, &items, hostname);
	string_list_add(
	    arena, &items, slice_first(hostname, slice_index(hostname, '.')));
	string_list_add(arena, &items, SLICE("localhost"));
	string_list_add(arena, &items, SLICE("[127.0.0.1]"));
	add_list(arena, &items, own->names);
	if (loading->policy->block_bad_helo) {
		string_list_add(arena, &items, SLICE("[IPv6:0:0:0:0:0:0:0:1]"));
		string_list_add(arena, &items, SLICE("[IPv6:::1]"));
	}
	add_list(arena, &items, loading->settings->local_domain);
	loading->policy->local =
	    add_class(loading, SLICE("local_domain"), items);
	return loading->policy->local != NULL;
}

static bool
load_relay(struct loading *loading)
{
	struct arena *arena = loading->arena;
	struct string_list items = {0};

	if (loading->policy->block_bad_helo) {
		string_list_add(arena, &items, SLICE("127.0.0.1"));
		string_list_add(arena, &items, SLICE("IPv6:0:0:0:0:0:0:0:1"));
		string_list_add(arena, &items, SLICE("IPv6:::1"));
	}
	add_list(arena, &items, loading->settings->relay_domain);
	/* VIRTUSER_DOMAIN() does this as well. */
	add_list(arena, &items, loading->settings->virtuser_domain);
	loading->policy->relay =
	    add_class(loading, SLICE("relay_domain"), items);
	return loading->policy->relay != NULL;
}

/* A list of the settings and the part of the policy it makes. */
struct part {
	slice name;
	bool has_nets;
	size_t list; /* in struct settings */
	size_t made; /* in struct policy */
};

/* clang-format off */
#define PART(field) NET_PART(field, false)
#define NET_PART(field, nets) {SLICE_INIT(#field), nets, \
	offsetof(struct settings, field), offsetof(struct policy, field)}
/* clang-format on */

static const struct part classes[] = {
    PART(trust_auth_mech),
    PART(virtuser_domain),
    PART(generics_domain),
    PART(masquerade_domain),
    PART(masquerade_exception),
    PART(exposed_user),
};

static const struct part maps[] = {
    NET_PART(access, true),
    PART(domaintable),
    PART(virtusertable),
    PART(genericstable),
    PART(mailertable),
};

static struct string_list
part_list(const struct loading *loading, const struct part *part)
{
	const char *settings = (const char *)loading->settings;

	return *(
	    const struct string_list *)(const void *)(settings + part->list);
}

static void
part_set(struct loading *loading, const struct part *part, const void *made)
{
	memcpy((char *)loading->policy + part->made, &made, sizeof(made));
}

static bool
load_classes(struct loading *loading)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		struct string_list items = part_list(loading, &classes[i]);
		const struct class *set;

		if (items.count == 0)
			continue;
		set = add_class(loading, classes[i].name, items);
		if (set == NULL)
			return false;
		part_set(loading, &classes[i], set);
	}
	return true;
}

/*
 * Maps.
 */

static bool
load_maps(struct loading *loading)
{
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		struct string_list paths = part_list(loading, &maps[i]);
		struct snapshot_source source = loading->source;
		const struct map *map;

		if (paths.count == 0)
			continue;
		source.has_nets = maps[i].has_nets;
		map = snapshot_add_map(loading->generation->snapshot,
		    maps[i].name, paths.items, paths.count, &source,
		    loading->error);
		if (map == NULL)
			return false;
		part_set(loading, &maps[i], map);
	}
	return true;
}

/* While a file of aliases is read its names are asked of nobody. */
static enum world_answer
find_nothing(void *context, struct arena *arena, slice name, slice *ret_found)
{
	(void)context;
	(void)arena;
	(void)name;
	(void)ret_found;
	return WORLD_NONE;
}

static const char *
make_alias_key(void *context, struct arena *arena, slice name, slice *ret_key)
{
	static const struct ports nobody = {.find_host = find_nothing};
	static const struct session nothing = {0};
	const struct decision d = {.policy = context,
	    .ports = &nobody,
	    .session = &nothing,
	    .arena = arena};

	return alias_key(&d, name, ret_key);
}

/* After class w and the virtusertable, which say what is an alias' name. */
static bool
load_aliases(struct loading *loading)
{
	struct string_list paths = loading->settings->aliases;
	struct policy policy = *loading->policy;
	struct snapshot_keys keys = {make_alias_key, &policy};

	if (paths.count == 0)
		return true;
	policy.nocanonify = true;
	loading->policy->aliases = snapshot_add_aliases(
	    loading->generation->snapshot, SLICE("aliases"), paths.items,
	    paths.count, &keys, &loading->source, loading->error);
	return loading->policy->aliases != NULL;
}

/*
 * DNS lists. An item is "zone" or "zone message"; a file has one a line.
 */

struct dnsbl_list {
	struct dnsbl *items;
	size_t count;
	bool is_enhanced; /* of those that are added now */
};

static void
dnsbl_add(struct arena *arena, struct dnsbl_list *list, slice item)
{
	size_t end = 0;

	if ((list->count & (list->count - 1)) == 0) {
		size_t room = list->count == 0 ? 1 : list->count * 2;
		struct dnsbl *items = ARENA_ARRAY(arena, struct dnsbl, room);

		if (list->count > 0)
			memcpy(
			    items, list->items, list->count * sizeof(*items));
		list->items = items;
	}
	while (end < item.len && !ascii_is_space(item.ptr[end]))
		end++;
	list->items[list->count++] = (struct dnsbl){
	    .zone =
		without_dot(arena_copy_lower(arena, slice_first(item, end))),
	    .message = slice_trim(slice_from(item, end)),
	    .enhanced = list->is_enhanced,
	};
}

static bool
bad_dnsbl_line(struct loading *loading, const struct text_file *file,
    unsigned number, const char *problem)
{
	(void)error_at(loading->error, file->path, number, "%s", problem);
	if (loading->error != NULL)
		loading->error->exit_code = EX_DATAERR;
	return false;
}

static bool
load_dnsbl_file(struct loading *loading, struct dnsbl_list *list, slice path)
{
	struct text_file file;
	unsigned number = 0;
	slice line;

	if (!text_file_read(arena_cstr(loading->arena, path),
		loading->settings->allow_unsafe_files, loading->arena, &file,
		loading->error))
		return false;
	while (slice_next(&file.content, '\n', &line)) {
		const char *problem;

		number++;
		line = slice_trim(line);
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		problem = settings_check_dnsbl(line);
		if (problem != NULL)
			return bad_dnsbl_line(loading, &file, number, problem);
		dnsbl_add(loading->arena, list, line);
	}
	return true;
}

static bool
load_dnsbl_items(
    struct loading *loading, struct dnsbl_list *list, struct string_list items)
{
	for (size_t i = 0; i < items.count; i++) {
		slice item = items.items[i];

		if (item.ptr[0] != '/')
			dnsbl_add(loading->arena, list, item);
		else if (!load_dnsbl_file(loading, list, item))
			return false;
	}
	return true;
}

static bool
load_dnsbl(struct loading *loading)
{
	struct dnsbl_list list = {0};

	if (!load_dnsbl_items(loading, &list, loading->settings->dnsbl))
		return false;
	list.is_enhanced = true;
	if (!load_dnsbl_items(loading, &list, loading->settings->enhdnsbl))
		return false;
	loading->policy->dnsbl = list.items;
	loading->policy->dnsbl_count = list.count;
	return true;
}

/*
 * Recipes.
 */

static bool
load_recipe_file(struct loading *loading, slice path)
{
	struct filters *filters = &loading->generation->filters;
	struct text_file file;
	struct recipe_file *recipes;

	if (!text_file_read(arena_cstr(loading->arena, path),
		loading->settings->allow_unsafe_files, loading->arena, &file,
		loading->error))
		return false;
	recipes = recipe_file_read(loading->arena, file.path, file.content,
	    on_warning, loading, loading->error);
	if (recipes == NULL)
		return false;
	filters->recipes[filters->recipe_count++] = recipes;
	filters->wishes.body |= recipe_file_needs_body(recipes);
	return true;
}

static bool
load_recipes(struct loading *loading)
{
	struct filters *filters = &loading->generation->filters;
	const struct settings *settings = loading->settings;
	bool has_recipes =
	    settings->recipes.count > 0 || settings->user_recipes.len > 0;
	bool wants_mail =
	    has_recipes || settings->vacation.message.len > 0;

	filters->wishes = (struct intake_wishes){.recipients = wants_mail,
	    .header = wants_mail,
	    .body = settings->user_recipes.len > 0};
	if (has_recipes && settings->state_directory.len == 0)
		return error_at(loading->error, settings->path, 0,
		    "recipes need a state_directory");
	filters->recipes = ARENA_ARRAY(
	    loading->arena, struct recipe_file *, settings->recipes.count + 1);
	for (size_t i = 0; i < settings->recipes.count; i++) {
		if (!load_recipe_file(loading, settings->recipes.items[i]))
			return false;
	}
	return true;
}

static void
free_recipes(struct generation *generation)
{
	for (size_t i = 0; i < generation->filters.recipe_count; i++)
		recipe_file_free(generation->filters.recipes[i]);
}

/*
 * The whole.
 */

static void
begin_policy(struct loading *loading, const struct own_names *own)
{
	slice hostname = loading->settings->hostname;

	loading->policy = ARENA_NEW(loading->arena, struct policy);
	*loading->policy = loading->settings->options;
	loading->policy->allow_unsafe_files =
	    loading->settings->allow_unsafe_files;
	loading->policy->hostname = without_dot(
	    hostname.len == 0 ? own->hostname
			      : arena_copy_lower(loading->arena, hostname));
}

static bool
load_all(struct loading *loading, const char *config_path)
{
	struct own_names own;

	if (!settings_read(
		config_path, loading->arena, loading->settings, loading->error))
		return false;
	own_names_find(loading->arena, NULL, NULL, &own);
	begin_policy(loading, &own);
	warn_of_hostname(loading);
	loading->source = (struct snapshot_source){
	    .allow_unsafe_files = loading->settings->allow_unsafe_files,
	    .warn = on_warning,
	    .context = loading,
	};
	return load_maps(loading) && load_local(loading, &own) &&
	       load_relay(loading) && load_classes(loading) &&
	       load_aliases(loading) && load_dnsbl(loading) &&
	       load_recipes(loading);
}

struct generation *
load_generation(
    const char *config_path, unsigned long number, struct error *error)
{
	struct snapshot *snapshot = snapshot_new();
	struct arena *arena = snapshot_arena(snapshot);
	struct generation *generation = ARENA_NEW(arena, struct generation);
	struct loading loading = {
	    .arena = arena,
	    .generation = generation,
	    .settings = ARENA_NEW(arena, struct settings),
	    .error = error,
	};

	generation->snapshot = snapshot;
	atomic_init(&generation->holders, 1);
	if (!load_all(&loading, config_path)) {
		free_recipes(generation);
		snapshot_release(snapshot);
		return NULL;
	}
	generation->settings = loading.settings;
	generation->policy = loading.policy;
	generation->number = number;
	generation->loaded_at = time(NULL);
	end_warnings(&loading);
	return generation;
}

struct generation *
generation_acquire(struct generation *generation)
{
	(void)atomic_fetch_add_explicit(
	    &generation->holders, 1, memory_order_relaxed);
	return generation;
}

void
generation_release(struct generation *generation)
{
	if (generation == NULL || atomic_fetch_sub_explicit(
				      &generation->holders, 1,
				      memory_order_acq_rel) > 1)
		return;
	free_recipes(generation);
	snapshot_release(generation->snapshot);
}
