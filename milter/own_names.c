/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/own_names.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "milter/hosts.h"
#include "policy/client.h"

/* The lines of /etc/hosts with our name, by the addresses' families: sendmail
 * takes IPv4 only where there is no IPv6. */
struct lines {
	struct arena *arena;
	struct string_list v4;
	struct string_list v6;
};

static void
on_line(void *context, slice address, const slice *names, size_t count)
{
	struct lines *lines = context;
	bool is_v6 = slice_index(address, ':') < address.len;
	struct string_list *list = is_v6 ? &lines->v6 : &lines->v4;

	for (size_t i = 0; i < count; i++)
		string_list_add(lines->arena, list, names[i]);
	string_list_add(
	    lines->arena, list, client_bracketed(lines->arena, address));
}

static void
add_hosts_lines(struct arena *arena, struct hosts *hosts, slice node,
    struct string_list *names)
{
	struct lines lines = {.arena = arena};
	const struct string_list *counting;

	hosts_walk(hosts, node, on_line, &lines);
	counting = lines.v6.count > 0 ? &lines.v6 : &lines.v4;
	for (size_t i = 0; i < counting->count; i++)
		string_list_add(arena, names, counting->items[i]);
}

static void
add_interfaces(struct arena *arena, struct string_list *names)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
		struct sockaddr_in in;
		char text[INET_ADDRSTRLEN];

		if (at->ifa_addr == NULL || (at->ifa_flags & IFF_UP) == 0 ||
		    at->ifa_addr->sa_family != AF_INET)
			continue;
		memcpy(&in, at->ifa_addr, sizeof(in));
		if (inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text)) !=
		    NULL)
			string_list_add(arena, names,
			    client_bracketed(arena, slice_from_cstr(text)));
	}
	freeifaddrs(all);
}

static slice
qualify(struct arena *arena, struct hosts *hosts, slice node)
{
	slice canonical;

	if (slice_index(node, '.') < node.len ||
	    !hosts_find_canonical(hosts, arena, node, &canonical))
		return node;
	return slice_index(canonical, '.') < canonical.len ? canonical : node;
}

static slice
find_node_name(struct arena *arena)
{
	char name[HOST_NAME_MAX + 1];

	if (gethostname(name, sizeof(name)) != 0)
		return SLICE("localhost");
	name[sizeof(name) - 1] = '\0';
	return arena_copy_lower(arena, slice_from_cstr(name));
}

void
own_names_find(struct arena *arena, const char *hosts_path,
    const char *node_name, struct own_names *ret_own)
{
	struct hosts *hosts =
	    hosts_new(hosts_path == NULL ? "/etc/hosts" : hosts_path);
	slice node = node_name == NULL
			 ? find_node_name(arena)
			 : arena_copy_lower(arena, slice_from_cstr(node_name));

	*ret_own = (struct own_names){
	    .hostname = qualify(arena, hosts, node),
	};
	string_list_add(arena, &ret_own->names, node);
	add_hosts_lines(arena, hosts, node, &ret_own->names);
	add_interfaces(arena, &ret_own->names);
	hosts_free(hosts);
}
