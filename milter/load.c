/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/load.h"

#include <stddef.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "maps/image.h"
#include "maps/text.h"
#include "milter/alias_includes.h"
#include "milter/own_names.h"
#include "milter/redis_state.h"
#include "milter/user_recipes.h"
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
	const struct snapshot *parts; /* NULL: from files */
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

static const struct snapshot_part *
shared_part(const struct loading *loading, slice name)
{
	return snapshot_find_part(loading->generation->snapshot, name);
}

static struct class *
add_class(struct loading *loading, slice name, struct string_list items)
{
	if (loading->parts != NULL) {
		const struct snapshot_part *part = shared_part(loading, name);

		if (part != NULL && part->kind == PART_CLASS)
			return (struct class *)part->words;
		items.count = 0;
	}
	return snapshot_add_class(loading->generation->snapshot, name,
	    items.items, items.count, &loading->source, loading->error);
}

/* What this node is called, which no other node is. */
static void
add_own(struct class *set, struct string_list own)
{
	for (size_t i = 0; i < own.count; i++)
		class_add_own(set, own.items[i]);
}

/* Class w. Whoever blocks bad HELO needs the IPv6 loopback in it, as in
 * feature/block_bad_helo.m4; the same below for class R. */
static bool
load_local(struct loading *loading, const struct own_names *own)
{
	struct arena *arena = loading->arena;
	struct string_list names = {0};
	slice hostname = loading->policy->hostname;
	struct class *set = add_class(
	    loading, SLICE("local_domain"), loading->settings->local_domain);

	if (set == NULL)
		return false;
	string_list_add(arena, &names, hostname);
	string_list_add(
	    arena, &names, slice_first(hostname, slice_index(hostname, '.')));
	string_list_add(arena, &names, SLICE("localhost"));
	string_list_add(arena, &names, SLICE("[127.0.0.1]"));
	add_list(arena, &names, own->names);
	if (loading->policy->block_bad_helo) {
		string_list_add(arena, &names, SLICE("[IPv6:0:0:0:0:0:0:0:1]"));
		string_list_add(arena, &names, SLICE("[IPv6:::1]"));
	}
	add_own(set, names);
	loading->policy->local = set;
	return true;
}

static bool
load_relay(struct loading *loading)
{
	struct arena *arena = loading->arena;
	struct string_list items = {0};
	struct string_list own = {0};
	struct class *set;

	if (loading->policy->block_bad_helo) {
		string_list_add(arena, &own, SLICE("127.0.0.1"));
		string_list_add(arena, &own, SLICE("IPv6:0:0:0:0:0:0:0:1"));
		string_list_add(arena, &own, SLICE("IPv6:::1"));
	}
	add_list(arena, &items, loading->settings->relay_domain);
	/* VIRTUSER_DOMAIN() does this as well. */
	add_list(arena, &items, loading->settings->virtuser_domain);
	set = add_class(loading, SLICE("relay_domain"), items);
	if (set != NULL)
		add_own(set, own);
	loading->policy->relay = set;
	return set != NULL;
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

		if (loading->parts == NULL
			? items.count == 0
			: shared_part(loading, classes[i].name) == NULL)
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

static const struct map *
shared_map(const struct loading *loading, slice name)
{
	const struct snapshot_part *part = shared_part(loading, name);

	return part == NULL ? NULL : part->map;
}

static bool
share_maps(struct loading *loading)
{
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		part_set(loading, &maps[i], shared_map(loading, maps[i].name));
	loading->policy->aliases = shared_map(loading, SLICE("aliases"));
	return true;
}

static bool
load_maps(struct loading *loading)
{
	if (loading->parts != NULL)
		return share_maps(loading);
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

static struct decision
decision_of_nobody(const struct policy *policy, struct arena *arena)
{
	static const struct ports nobody = {.find_host = find_nothing};
	static const struct session nothing = {0};

	return (struct decision){.policy = policy,
	    .ports = &nobody,
	    .session = &nothing,
	    .arena = arena};
}

static const char *
make_alias_key(void *context, struct arena *arena, slice name, slice *ret_key)
{
	const struct decision d = decision_of_nobody(context, arena);

	return alias_key(&d, name, ret_key);
}

/* Their files are a part only where there may be somebody to share them. */
static bool
add_includes(struct loading *loading, const struct policy *policy)
{
	struct arena *arena = arena_new(0);
	struct decision d = decision_of_nobody(policy, arena);
	bool done = !redis_is_configured(loading->settings) ||
		    alias_includes_add(loading->generation->snapshot, &d,
			&loading->source, loading->error);

	arena_free(arena);
	return done;
}

/* After class w and the virtusertable, which say what is an alias' name. */
static bool
load_aliases(struct loading *loading)
{
	struct string_list paths = loading->settings->aliases;
	struct policy policy = *loading->policy;
	struct snapshot_keys keys = {make_alias_key, &policy};

	loading->policy->includes = loading->generation->snapshot;
	if (paths.count == 0 || loading->parts != NULL)
		return true;
	policy.nocanonify = true;
	policy.aliases = snapshot_add_aliases(loading->generation->snapshot,
	    SLICE("aliases"), paths.items, paths.count, &keys, &loading->source,
	    loading->error);
	loading->policy->aliases = policy.aliases;
	return policy.aliases != NULL && add_includes(loading, &policy);
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
bad_dnsbl_line(struct loading *loading, const char *path, unsigned number,
    const char *problem)
{
	(void)error_at(loading->error, path, number, "%s", problem);
	if (loading->error != NULL)
		loading->error->exit_code = EX_DATAERR;
	return false;
}

static bool
load_dnsbl_lines(struct loading *loading, struct dnsbl_list *list,
    const char *path, slice content)
{
	unsigned number = 0;
	slice line;

	while (slice_next(&content, '\n', &line)) {
		const char *problem;

		number++;
		line = slice_trim(line);
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		problem = settings_check_dnsbl(line);
		if (problem != NULL)
			return bad_dnsbl_line(loading, path, number, problem);
		dnsbl_add(loading->arena, list, line);
	}
	return true;
}

/* A word is kept as a file without a path's look. */
static bool
keep_dnsbl(struct loading *loading, slice name, struct string_list items)
{
	struct snapshot *snapshot = loading->generation->snapshot;

	for (size_t i = 0; i < items.count; i++) {
		slice item = items.items[i];

		if (item.ptr[0] != '/')
			snapshot_add_text_line(snapshot, name, item);
		else if (!snapshot_add_text(snapshot, name, &item, 1,
			     &loading->source, loading->error))
			return false;
	}
	return true;
}

static bool
load_dnsbl_items(struct loading *loading, struct dnsbl_list *list, slice name,
    struct string_list items)
{
	const struct snapshot_part *part;
	const struct snapshot_text *text;

	if (loading->parts == NULL && !keep_dnsbl(loading, name, items))
		return false;
	part = shared_part(loading, name);
	for (text = part == NULL ? NULL : part->texts; text != NULL;
	     text = text->next) {
		if (!load_dnsbl_lines(loading, list, text->path, text->content))
			return false;
	}
	return true;
}

static bool
load_dnsbl(struct loading *loading)
{
	struct dnsbl_list list = {0};
	const struct settings *settings = loading->settings;

	if (!load_dnsbl_items(loading, &list, SLICE("dnsbl"), settings->dnsbl))
		return false;
	list.is_enhanced = true;
	if (!load_dnsbl_items(
		loading, &list, SLICE("enhdnsbl"), settings->enhdnsbl))
		return false;
	loading->policy->dnsbl = list.items;
	loading->policy->dnsbl_count = list.count;
	return true;
}

/*
 * Recipes.
 */

static bool
read_recipes(struct loading *loading, const struct snapshot_text *text)
{
	struct filters *filters = &loading->generation->filters;
	struct recipe_file *recipes = recipe_file_read(loading->arena,
	    text->path, text->content, on_warning, loading, loading->error);

	if (recipes == NULL)
		return false;
	filters->recipes[filters->recipe_count++] = recipes;
	filters->wishes.body |= recipe_file_needs_body(recipes);
	return true;
}

/* Users' own are a part only where there may be somebody to share them. */
static bool
read_recipe_files(struct loading *loading)
{
	const struct settings *settings = loading->settings;
	struct snapshot *snapshot = loading->generation->snapshot;

	if (loading->parts != NULL)
		return true;
	if (settings->recipes.count > 0 &&
	    !snapshot_add_text(snapshot, SLICE("recipes"),
		settings->recipes.items, settings->recipes.count,
		&loading->source, loading->error))
		return false;
	return !redis_is_configured(settings) ||
	       user_recipes_add(snapshot, settings->user_recipes,
		   &loading->source, loading->error);
}

static bool
load_recipes(struct loading *loading)
{
	struct filters *filters = &loading->generation->filters;
	const struct settings *settings = loading->settings;
	const struct snapshot_part *part;
	bool has_recipes;
	bool wants_mail;

	if (!read_recipe_files(loading))
		return false;
	part = shared_part(loading, SLICE("recipes"));
	has_recipes = part != NULL || settings->user_recipes.len > 0;
	wants_mail = has_recipes || settings->vacation.message.len > 0;
	filters->wishes = (struct intake_wishes){.recipients = wants_mail,
	    .header = wants_mail,
	    .body = settings->user_recipes.len > 0};
	if (has_recipes && settings->state_directory.len == 0)
		return error_at(loading->error, settings->path, 0,
		    "recipes need a state_directory");
	if (part == NULL)
		return true;
	filters->recipes = ARENA_ARRAY(
	    loading->arena, struct recipe_file *, part->entries + 1);
	for (const struct snapshot_text *text = part->texts; text != NULL;
	     text = text->next) {
		if (!read_recipes(loading, text))
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

static void
share_parts(struct loading *loading)
{
	for (const struct snapshot_part *part = snapshot_parts(loading->parts);
	     part != NULL; part = part->next)
		snapshot_share_part(loading->generation->snapshot, part);
}

static bool
load_all(struct loading *loading)
{
	struct own_names own;

	if (loading->parts != NULL)
		share_parts(loading);
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

static struct loading
begin(unsigned long number, const struct snapshot *parts, struct error *error)
{
	struct snapshot *snapshot = snapshot_new();
	struct arena *arena = snapshot_arena(snapshot);
	struct generation *generation = ARENA_NEW(arena, struct generation);

	generation->snapshot = snapshot;
	generation->number = number;
	atomic_init(&generation->holders, 1);
	return (struct loading){
	    .arena = arena,
	    .generation = generation,
	    .settings = ARENA_NEW(arena, struct settings),
	    .parts = parts,
	    .error = error,
	};
}

static struct generation *
end(struct loading *loading, bool is_good)
{
	struct generation *generation = loading->generation;

	if (!is_good) {
		free_recipes(generation);
		snapshot_release(generation->snapshot);
		return NULL;
	}
	generation->settings = loading->settings;
	generation->policy = loading->policy;
	generation->loaded_at = time(NULL);
	end_warnings(loading);
	return generation;
}

struct generation *
load_generation(
    const char *config_path, unsigned long number, struct error *error)
{
	struct loading loading = begin(number, NULL, error);

	return end(&loading, settings_read(config_path, loading.arena,
				 loading.settings, error) &&
				 load_all(&loading));
}

struct generation *
load_generation_of(const struct settings *settings,
    const struct snapshot *parts, unsigned long number, struct error *error)
{
	struct loading loading = begin(number, parts, error);

	settings_copy(settings, loading.arena, loading.settings);
	return end(&loading, load_all(&loading));
}

/*
 * Which files there are.
 */

struct survey {
	size_t named;
	size_t present;
	size_t words;
};

static void
survey_list(struct survey *survey, struct string_list list, bool is_map)
{
	for (size_t i = 0; i < list.count; i++) {
		slice item = list.items[i];
		size_t slash = slice_index(item, '/');
		struct arena *arena;

		if (item.len == 0 || (!is_map && slash > 0)) {
			survey->words++;
			continue;
		}
		arena = arena_new(0);
		survey->named++;
		if (access(arena_cstr(arena, slice_from(item, slash)), F_OK) ==
		    0)
			survey->present++;
		arena_free(arena);
	}
}

bool
load_has_files(const struct settings *settings)
{
	struct loading loading = {.settings = (struct settings *)settings};
	struct survey survey = {0};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		survey_list(&survey, part_list(&loading, &maps[i]), true);
	survey_list(&survey, settings->aliases, true);
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		survey_list(&survey, part_list(&loading, &classes[i]), false);
	survey_list(&survey, settings->local_domain, false);
	survey_list(&survey, settings->relay_domain, false);
	survey_list(&survey, settings->dnsbl, false);
	survey_list(&survey, settings->enhdnsbl, false);
	survey_list(&survey, settings->recipes, true);
	return survey.named > 0
		   ? survey.present > 0
		   : survey.words > settings->trust_auth_mech.count;
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
	if (generation == NULL ||
	    atomic_fetch_sub_explicit(
		&generation->holders, 1, memory_order_acq_rel) > 1)
		return;
	free_recipes(generation);
	snapshot_release(generation->snapshot);
}
