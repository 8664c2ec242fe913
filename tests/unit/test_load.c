/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a configuration to a generation, and from one generation to the next:
 * what is in the classes, what is said of files that are wrong, what a reload
 * reports, and that nobody ever sees half of one.
 */
#include "milter/reload.h"

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "milter/own_names.h"
#include "tests/unit/files.h"

#define COUNT(rows) (int)(sizeof(rows) / sizeof((rows)[0]))
#define ALLOW "\nallow_unsafe_files = yes\n"
#define LOOPBACK6 "[IPv6:0:0:0:0:0:0:0:1]"

static struct files files;
static struct arena *arena;
static struct error error;

static void
set_up(void)
{
	files_make(&files);
	arena = arena_new(0);
	memset(&error, 0, sizeof(error));
}

static void
tear_down(void)
{
	current_publish(NULL);
	arena_free(arena);
	files_remove(&files);
}

/* Writes a configuration, in which every %s stands for the directory. */
static const char *
write_conf(const char *format)
{
	struct strbuf text;
	slice rest = slice_from_cstr(format);
	size_t at;

	strbuf_init(&text, arena);
	while ((at = slice_index(rest, '%')) < rest.len) {
		strbuf_add(&text, slice_first(rest, at));
		strbuf_add(&text, slice_from_cstr(files.directory));
		rest = slice_from(rest, at + 2);
	}
	strbuf_add(&text, rest);
	strbuf_add(&text, SLICE(ALLOW));
	return files_write(&files, "conf", text.data);
}

static struct generation *
load(const char *format)
{
	struct generation *generation =
	    load_generation(write_conf(format), 1, &error);
	char buffer[1024];

	ck_assert_msg(generation != NULL, "%s",
	    error_format(&error, buffer, sizeof(buffer)));
	return generation;
}

static bool
has(const struct class *set, const char *word)
{
	return class_has(set, slice_from_cstr(word));
}

/*
 * Classes.
 */

START_TEST(local_names)
{
	struct generation *g =
	    load("hostname = \"MX.Abc.com.\"\nlocal_domain = "
		 "{ \"Other.example\", \"%s/local\" }");
	const struct class *local = g->policy->local;

	ck_assert(slice_eq(g->policy->hostname, SLICE("mx.abc.com")));
	ck_assert(has(local, "mx.abc.com"));
	ck_assert(has(local, "mx"));
	ck_assert(has(local, "localhost"));
	ck_assert(has(local, "[127.0.0.1]"));
	ck_assert(has(local, "other.example"));
	ck_assert(has(local, "first.example"));
	ck_assert(!has(local, "second.example"));
	ck_assert(has(local, "third.example"));
	ck_assert(!has(local, "sub.first.example"));
	ck_assert(!has(local, "abc.com"));
	ck_assert(!has(local, LOOPBACK6));
	ck_assert(!has(local, "[IPv6:::1]"));
	generation_release(g);
}
END_TEST

START_TEST(names_of_block_bad_helo)
{
	struct generation *g = load("block_bad_helo = yes\n"
				    "relay_domain = { 10, \"net.example\" }");
	const struct class *relay = g->policy->relay;

	ck_assert(has(g->policy->local, LOOPBACK6));
	ck_assert(has(g->policy->local, "[IPv6:::1]"));
	ck_assert(has(g->policy->local, "[127.0.0.1]"));
	ck_assert(has(relay, "127.0.0.1"));
	ck_assert(has(relay, "IPv6:0:0:0:0:0:0:0:1"));
	ck_assert(has(relay, "IPv6:::1"));
	ck_assert(has(relay, "10"));
	ck_assert(has(relay, "net.example"));
	ck_assert_uint_eq(class_count(relay), 5);
	generation_release(g);
}
END_TEST

START_TEST(nothing_relays_by_default)
{
	struct generation *g = load("");

	ck_assert_uint_eq(class_count(g->policy->relay), 0);
	ck_assert_uint_eq(class_count(g->policy->trust_auth_mech), 0);
	ck_assert_ptr_null(g->policy->access);
	ck_assert_uint_eq(g->policy->dnsbl_count, 0);
	ck_assert_uint_eq(g->policy->max_hops, 25);
	ck_assert_uint_eq(g->number, 1);
	ck_assert_int_gt(g->loaded_at, 0);
	generation_release(g);
}
END_TEST

START_TEST(mechanisms)
{
	struct generation *g = load("trust_auth_mech = { PLAIN, LOGIN }");

	ck_assert(has(g->policy->trust_auth_mech, "PLAIN"));
	ck_assert(has(g->policy->trust_auth_mech, "login"));
	ck_assert(!has(g->policy->trust_auth_mech, "CRAM-MD5"));
	generation_release(g);
}
END_TEST

/*
 * What the machine is called.
 */

static bool
is_listed(const struct own_names *own, const char *name)
{
	for (size_t i = 0; i < own->names.count; i++) {
		if (slice_eq(own->names.items[i], slice_from_cstr(name)))
			return true;
	}
	return false;
}

/* As sendmail: measured with its -bt and this very /etc/hosts. */
static const char hosts_text[] =
    "127.0.0.1 localhost\n"
    "192.0.2.25 mx mx.home.test\n"
    "198.51.100.200 both.home.test both4\n"
    "2001:db8::99 both.home.test both6\n"
    "203.0.113.200 both.home.test\n"
    "192.0.2.30 Plain.Home.test plain alias.home.test # and a comment\n";

/* clang-format off */
static const struct {
	const char *node;
	const char *hostname;
	const char *listed[5];
	const char *not_listed[3];
} machines[] = {
	{"mx", "mx.home.test", {"mx", "mx.home.test", "[192.0.2.25]"}, {"home.test"}},
	{"MX", "mx.home.test", {"mx", "mx.home.test", "[192.0.2.25]"}, {"MX"}},
	{"both.home.test", "both.home.test", {"both.home.test", "both6", "[IPv6:2001:db8:0:0:0:0:0:99]"},
	    {"both4", "[198.51.100.200]", "[203.0.113.200]"}},
	{"plain", "plain.home.test", {"plain", "plain.home.test", "alias.home.test", "[192.0.2.30]"}, {"#"}},
	{"nobody", "nobody", {"nobody"}, {"localhost"}},
	{"no.body.example", "no.body.example", {"no.body.example"}, {"no", "body.example"}},
	{"localhost", "localhost", {"localhost", "[127.0.0.1]"}, {"mx"}},
};
/* clang-format on */

START_TEST(names_of_machine)
{
	const char *hosts = files_write(&files, "hosts", hosts_text);
	struct own_names own;

	own_names_find(arena, hosts, machines[_i].node, &own);
	ck_assert_str_eq(
	    arena_cstr(arena, own.hostname), machines[_i].hostname);
	for (const char *const *name = machines[_i].listed; *name != NULL;
	     name++)
		ck_assert_msg(is_listed(&own, *name), "no %s", *name);
	for (int i = 0; i < 3 && machines[_i].not_listed[i] != NULL; i++)
		ck_assert_msg(!is_listed(&own, machines[_i].not_listed[i]),
		    "%s", machines[_i].not_listed[i]);
}
END_TEST

START_TEST(names_without_hosts_file)
{
	struct own_names own;

	own_names_find(arena, files_path(&files, "none"), "a.example", &own);
	ck_assert(slice_eq(own.hostname, SLICE("a.example")));
	ck_assert(is_listed(&own, "a.example"));
}
END_TEST

/* One can bind to one's own addresses only. */
static bool
is_own_address(slice literal)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	char text[INET_ADDRSTRLEN] = "";
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_own;

	ck_assert_int_ge(fd, 0);
	ck_assert_uint_lt(literal.len - 2, sizeof(text));
	memcpy(text, literal.ptr + 1, literal.len - 2);
	is_own = inet_pton(AF_INET, text, &in.sin_addr) == 1 &&
		 bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0;
	(void)close(fd);
	return is_own;
}

START_TEST(literals_of_interfaces)
{
	struct own_names own;

	own_names_find(arena, files_path(&files, "none"), "a.example", &own);
	for (size_t i = 1; i < own.names.count; i++)
		ck_assert_msg(is_own_address(own.names.items[i]), SLICE_FMT,
		    SLICE_ARG(own.names.items[i]));
	ck_assert(is_listed(&own, "[127.0.0.1]"));
}
END_TEST

START_TEST(machine_names_are_local)
{
	struct generation *g = load("");
	struct own_names own;

	own_names_find(arena, NULL, NULL, &own);
	ck_assert_uint_gt(own.names.count, 0);
	for (size_t i = 0; i < own.names.count; i++)
		ck_assert(class_has(g->policy->local, own.names.items[i]));
	ck_assert(slice_eq(g->policy->hostname, own.hostname));
	generation_release(g);
}
END_TEST

START_TEST(unqualified_hostname_is_warned_of)
{
	struct generation *g = load("hostname = mx");

	ck_assert_uint_eq(g->warning_count, 1);
	ck_assert_str_eq(g->warnings[0].ptr,
	    arena_printf(arena, "%s: hostname \"mx\" is not fully qualified",
		files_path(&files, "conf"))
		.ptr);
	generation_release(g);
	g = load("hostname = mx.example");
	ck_assert_uint_eq(g->warning_count, 0);
	generation_release(g);
}
END_TEST

/*
 * Maps and lists.
 */

static void
write_files(void)
{
	(void)files_write(&files, "access",
	    "From:a@b.example\tREJECT\nnovalue\n10 RELAY\n10 REJECT\n");
	(void)files_write(&files, "more", "10 OK\n192.0.2 RELAY\n");
	(void)files_write(&files, "local",
	    "# ours\nfirst.example second.example\n\nthird.example\n");
	(void)files_write(&files, "lists",
	    "# zones\n\n  Bl3.Example.  550 5.7.1 No,  thanks \n"
	    "bl4.example\n");
}

static const char *
lookup(const struct generation *g, const char *key)
{
	struct map_hit hit;

	if (map_find(g->policy->access, slice_from_cstr(key), NULL, &hit) !=
	    MAP_FOUND)
		return "-";
	return arena_cstr(arena, hit.value);
}

START_TEST(access_map)
{
	struct generation *g = load("hostname = mx.example\n"
				    "access = { \"%s/access\", "
				    "\"text:%s/more\" }");

	ck_assert_str_eq(lookup(g, "from:a@b.example"), "REJECT");
	ck_assert_str_eq(lookup(g, "10"), "RELAY");
	ck_assert_str_eq(lookup(g, "192.0.2"), "RELAY");
	ck_assert_str_eq(lookup(g, "novalue"), "-");
	ck_assert(slice_eq(map_name(g->policy->access), SLICE("access")));
	ck_assert_uint_ge(g->warning_count, 2);
	ck_assert_ptr_nonnull(strstr(g->warnings[0].ptr, "/access:2: "));
	generation_release(g);
}
END_TEST

static const char *
lookup_in(const struct map *map, const char *key)
{
	struct map_hit hit;

	ck_assert_ptr_nonnull(map);
	return map_find(map, slice_from_cstr(key), NULL, &hit) == MAP_FOUND
		   ? arena_cstr(arena, hit.value)
		   : "-";
}

START_TEST(maps_of_rewriting)
{
	struct generation *g;

	(void)files_write(&files, "t1", "old.test new.test\n");
	(void)files_write(&files, "t2", "@v.test x@y.test\nbad\n");
	(void)files_write(&files, "t3", "joe j@y.test\n");
	(void)files_write(&files, "t4", "z.test relay:[192.0.2.1]\n");
	g = load("domaintable = \"%s/t1\"\nvirtusertable = \"%s/t2\"\n"
		 "genericstable = { \"%s/t3\" }\nmailertable = \"%s/t4\"\n");
	ck_assert_str_eq(
	    lookup_in(g->policy->domaintable, "OLD.test"), "new.test");
	ck_assert_str_eq(
	    lookup_in(g->policy->virtusertable, "@v.test"), "x@y.test");
	ck_assert_str_eq(lookup_in(g->policy->genericstable, "joe"), "j@y.test");
	ck_assert_str_eq(
	    lookup_in(g->policy->mailertable, "z.test"), "relay:[192.0.2.1]");
	ck_assert(slice_eq(
	    map_name(g->policy->virtusertable), SLICE("virtusertable")));
	ck_assert_ptr_null(g->policy->access);
	ck_assert_ptr_null(g->policy->aliases);
	generation_release(g);
}
END_TEST

START_TEST(classes_of_rewriting)
{
	struct generation *g =
	    load("virtuser_domain = { v.test, \"%s/local\" }\n"
		 "generics_domain = g.test\nmasquerade_domain = m.test\n"
		 "masquerade_exception = n.test\nexposed_user = root\n");
	const struct policy *p = g->policy;

	ck_assert(has(p->virtuser_domain, "v.test"));
	ck_assert(has(p->virtuser_domain, "first.example"));
	ck_assert(has(p->generics_domain, "g.test"));
	ck_assert(has(p->masquerade_domain, "m.test"));
	ck_assert(has(p->masquerade_exception, "n.test"));
	ck_assert(has(p->exposed_user, "ROOT"));
	/* What the virtusertable serves may be relayed to. */
	ck_assert(has(p->relay, "v.test"));
	ck_assert(has(p->relay, "first.example"));
	ck_assert(!has(p->relay, "g.test"));
	ck_assert(!has(p->local, "v.test"));
	generation_release(g);
}
END_TEST

static bool
has_warned(const struct generation *g, const char *text)
{
	for (size_t i = 0; i < g->warning_count; i++) {
		if (strstr(g->warnings[i].ptr, text) != NULL)
			return true;
	}
	return false;
}

START_TEST(aliases_of_files)
{
	struct generation *g;

	(void)files_write(&files, "aliases",
	    "DL: dl, dl@qq.com\njoe@first.example: ann\n"
	    "joe@elsewhere.test: bob\nann@v.test: x\nann@w.test: x\n");
	(void)files_write(&files, "more", "dl: nobody\nnew: ann\n");
	(void)files_write(
	    &files, "virtual", "ann@v.test mary\nann@w.test m@other.test\n");
	g = load("hostname = mx.abc.test\nlocal_domain = \"%s/local\"\n"
		 "virtuser_domain = { v.test, w.test }\n"
		 "virtusertable = \"%s/virtual\"\n"
		 "aliases = { \"%s/aliases\", \"%s/more\" }\n");
	ck_assert_str_eq(lookup_in(g->policy->aliases, "dl"), "dl, dl@qq.com");
	ck_assert_str_eq(lookup_in(g->policy->aliases, "joe"), "ann");
	ck_assert_str_eq(lookup_in(g->policy->aliases, "mary"), "x");
	ck_assert_str_eq(lookup_in(g->policy->aliases, "ann"), "-");
	ck_assert_str_eq(lookup_in(g->policy->aliases, "new"), "ann");
	ck_assert(has_warned(g,
	    "/aliases:3: skipped: joe@elsewhere.test: cannot alias "
	    "non-local names"));
	ck_assert(has_warned(g, "/aliases:5: skipped: ann@w.test: "));
	ck_assert(has_warned(g, "/more:1: duplicate key \"dl\", "));
	ck_assert(!has_warned(g, "/aliases:1: "));
	generation_release(g);
}
END_TEST

START_TEST(unsafe_files_reach_the_policy)
{
	struct generation *g = load("");

	ck_assert(g->policy->allow_unsafe_files);
	generation_release(g);
}
END_TEST

static void
check_zone(const struct generation *g, size_t i, const char *zone,
    const char *message, bool enhanced)
{
	const struct dnsbl *list = &g->policy->dnsbl[i];

	ck_assert_str_eq(arena_cstr(arena, list->zone), zone);
	ck_assert_str_eq(arena_cstr(arena, list->message), message);
	ck_assert(list->enhanced == enhanced);
}

START_TEST(dns_lists)
{
	struct generation *g =
	    load("enhdnsbl = { \"bl5.example text\" }\n"
		 "dnsbl = { \"BL1.example\", \"bl2.example  550 Go away\","
		 "\"%s/lists\" }\n");

	ck_assert_uint_eq(g->policy->dnsbl_count, 5);
	check_zone(g, 0, "bl1.example", "", false);
	check_zone(g, 1, "bl2.example", "550 Go away", false);
	check_zone(g, 2, "bl3.example", "550 5.7.1 No,  thanks", false);
	check_zone(g, 3, "bl4.example", "", false);
	check_zone(g, 4, "bl5.example", "text", true);
	generation_release(g);
}
END_TEST

START_TEST(options_reach_the_policy)
{
	struct generation *g = load("delay_checks = hater\nmax_hops = 3\n"
				    "relay_mail_from = domain\n"
				    "require_auth = yes\n"
				    "max_message_size = 1k\n");

	ck_assert_int_eq(g->policy->delay_checks, DELAY_HATER);
	ck_assert_int_eq(g->policy->relay_mail_from, RELAY_FROM_DOMAIN);
	ck_assert(g->policy->require_auth);
	ck_assert_uint_eq(g->policy->max_hops, 3);
	ck_assert_uint_eq(g->policy->max_message_size, 1024);
	generation_release(g);
}
END_TEST

START_TEST(warnings_are_bounded)
{
	enum { FILES = 60, LINES = 40 };
	struct strbuf conf;
	struct strbuf bad;
	struct generation *g;

	strbuf_init(&bad, arena);
	for (int i = 0; i < LINES; i++)
		strbuf_printf(&bad, "novalue%d\n", i);
	strbuf_init(&conf, arena);
	strbuf_add(&conf, SLICE("access = {"));
	for (int i = 0; i < FILES; i++) {
		char name[20];

		(void)snprintf(name, sizeof(name), "map%d", i);
		(void)files_write(&files, name, bad.data);
		strbuf_printf(&conf, "\"%%s/%s\",\n", name);
	}
	strbuf_add(&conf, SLICE("}"));
	g = load(conf.data);
	ck_assert_uint_eq(g->warning_count, 1001);
	ck_assert_ptr_nonnull(strstr(g->warnings[1000].ptr, "more warnings"));
	generation_release(g);
}
END_TEST

/*
 * What is wrong.
 */

static void
write_bad_files(void)
{
	static const char nul[] = "a REJECT\nb RE\0JECT\n";
	static char line[1024 * 1024 + 16];

	write_files();
	(void)files_write_bytes(&files, "nul", nul, sizeof(nul) - 1);
	memset(line, 'x', sizeof(line));
	memcpy(line, "a OK\nk ", strlen("a OK\nk "));
	(void)files_write_bytes(&files, "long", line, sizeof(line));
	(void)files_write(&files, "badlist", "bl.example\n<x> y\n");
	ck_assert_int_eq(mkdir(files_path(&files, "directory"), 0755), 0);
	(void)files_write(&files, "empty", "");
}

/* clang-format off */
static const struct {
	const char *conf;
	const char *file; /* the one that is to blame */
	unsigned line;
	const char *said;
	int exit_code;
} bads[] = {
	{"access = \"%s/none\"", "none", 0, "No such file", EX_NOINPUT},
	{"access = { \"%s/access\", \"%s/none\" }", "none", 0, "No such file", EX_NOINPUT},
	{"access = \"%s/directory\"", "directory", 0, "not a regular file", EX_NOINPUT},
	{"access = \"%s/nul\"", "nul", 2, "NUL byte", EX_DATAERR},
	{"access = \"%s/long\"", "long", 2, "longer than", EX_DATAERR},
	{"local_domain = \"%s/none\"", "none", 0, "No such file", EX_NOINPUT},
	{"local_domain = { a.b, \"%s/nul\" }", "nul", 2, "NUL byte", EX_DATAERR},
	{"relay_domain = \"%s/directory\"", "directory", 0, "not a regular file", EX_NOINPUT},
	{"trust_auth_mech = \"%s/none\"", "none", 0, "No such file", EX_NOINPUT},
	{"dnsbl = \"%s/none\"", "none", 0, "No such file", EX_NOINPUT},
	{"dnsbl = \"%s/badlist\"", "badlist", 2, "does not begin with a zone's name", EX_DATAERR},
	{"enhdnsbl = \"%s/nul\"", "nul", 2, "control character", EX_DATAERR},
	{"virtusertable = \"%s/nul\"", "nul", 2, "NUL byte", EX_DATAERR},
	{"mailertable = \"%s/none\"", "none", 0, "No such file", EX_NOINPUT},
	{"masquerade_domain = \"%s/none\"", "none", 0, "No such file", EX_NOINPUT},
	{"aliases = \"%s/none\"", "none", 0, "No such file", EX_NOINPUT},
	{"aliases = { \"%s/empty\", \"%s/nul\" }", "nul", 2, "NUL byte", EX_DATAERR},
	{"access = \"%s/access\"\n\nmax_hops = many", "conf", 3, "max_hops: \"many\"", EX_CONFIG},
};
/* clang-format on */

START_TEST(bad_file)
{
	write_bad_files();
	ck_assert_ptr_null(
	    load_generation(write_conf(bads[_i].conf), 1, &error));
	ck_assert_msg(
	    strstr(error.text, bads[_i].said) != NULL, "%s", error.text);
	ck_assert_str_eq(error.file, files_path(&files, bads[_i].file));
	ck_assert_uint_eq(error.line, bads[_i].line);
	ck_assert_int_eq(error.exit_code, bads[_i].exit_code);
}
END_TEST

START_TEST(error_may_be_null)
{
	write_bad_files();
	ck_assert_ptr_null(load_generation(write_conf(bads[_i].conf), 1, NULL));
}
END_TEST

START_TEST(empty_files_are_fine)
{
	struct generation *g;

	write_bad_files();
	g = load("access = \"%s/empty\"\nrelay_domain = \"%s/empty\"\n"
		 "dnsbl = \"%s/empty\"");
	ck_assert_str_eq(lookup(g, "10"), "-");
	ck_assert_uint_eq(class_count(g->policy->relay), 0);
	ck_assert_uint_eq(g->policy->dnsbl_count, 0);
	generation_release(g);
}
END_TEST

/* A safe configuration names an unsafe map. */
START_TEST(writable_map)
{
	struct generation *g;
	struct files safe;
	char text[300];
	const char *conf;

	if (!files_make_safe(&safe))
		return;
	(void)files_write(&safe, "access", "10 RELAY\n");
	(void)snprintf(
	    text, sizeof(text), "access = \"%s/access\"\n", safe.directory);
	conf = arena_cstr(
	    arena, slice_from_cstr(files_write(&safe, "conf", text)));
	g = load_generation(conf, 1, &error);
	ck_assert_int_eq(chmod(files_path(&safe, "access"), 0666), 0);
	ck_assert_ptr_null(load_generation(conf, 2, &error));
	files_remove(&safe);
	ck_assert_ptr_nonnull(g);
	generation_release(g);
	ck_assert_ptr_nonnull(strstr(error.file, "/access"));
	ck_assert_ptr_nonnull(strstr(error.text, "writable by everybody"));
	ck_assert_int_eq(error.exit_code, EX_NOPERM);
}
END_TEST

/*
 * Reload.
 */

static const char *
do_reload(const char *format)
{
	struct strbuf report;
	char buffer[1024];

	strbuf_init(&report, arena);
	ck_assert_msg(reload(write_conf(format), &report, &error), "%s",
	    error_format(&error, buffer, sizeof(buffer)));
	return report.len == 0 ? "" : report.data;
}

static void
check_says(const char *report, const char *line)
{
	const char *at = strstr(report, line);

	ck_assert_msg(at != NULL && (at == report || at[-1] == '\n') &&
			  at[strlen(line)] == '\n',
	    "no \"%s\" in\n%s", line, report);
}

static unsigned long
number_in_force(void)
{
	struct generation *g = current_acquire();
	unsigned long number = g == NULL ? 0 : g->number;

	generation_release(g);
	return number;
}

#define BASE "hostname = mx.example\nlocal_domain = \"%s/local\"\n"

START_TEST(report_of_entries)
{
	const char *report;

	ck_assert_ptr_null(current_acquire());
	report = do_reload(BASE "access = \"%s/access\"");
	check_says(report, "access: 0 entries before, 2 after, 2 added, "
			   "0 removed, 0 changed");
	ck_assert_uint_eq(number_in_force(), 1);
	(void)files_write(&files, "access",
	    "From:a@b.example OK\nx.example REJECT\ny.example OK\n");
	(void)files_write(&files, "local", "first.example\nfourth.example\n");
	report = do_reload(BASE "access = \"%s/access\"");
	check_says(report, "access: 2 entries before, 3 after, 2 added, "
			   "1 removed, 1 changed");
	ck_assert_ptr_nonnull(strstr(report, "local_domain: "));
	ck_assert_ptr_nonnull(strstr(report, "1 added, 1 removed, 0 changed"));
	ck_assert_uint_eq(number_in_force(), 2);
	report = do_reload(BASE);
	check_says(report, "access: 3 entries before, 0 after, 0 added, "
			   "3 removed, 0 changed");
}
END_TEST

START_TEST(report_of_warnings)
{
	const char *report = do_reload(BASE "access = \"%s/access\"");

	check_says(report,
	    arena_printf(arena, "warning: %s:2: skipped: key has no value",
		files_path(&files, "access"))
		.ptr);
}
END_TEST

START_TEST(report_of_settings)
{
	const char *report = do_reload(BASE "socket = unix:/a\nlog_level = 8");
	struct generation *g;

	ck_assert_ptr_null(strstr(report, "socket"));
	report = do_reload(BASE "socket = unix:/b\nlog_level = 7\n"
				"delay_checks = friend\n");
	check_says(report, "socket: \"unix:/a\" before, \"unix:/b\" after, "
			   "which takes effect at the next start");
	check_says(report, "log_level: \"8\" before, \"7\" after");
	check_says(report, "delay_checks: \"no\" before, \"friend\" after");
	report = do_reload(BASE "socket = unix:/b\nlog_level = 7\n"
				"delay_checks = friend\n");
	check_says(report, "socket: \"unix:/a\" before, \"unix:/b\" after, "
			   "which takes effect at the next start");
	ck_assert_ptr_null(strstr(report, "log_level"));
	ck_assert_ptr_null(strstr(report, "delay_checks"));
	g = current_acquire();
	ck_assert(slice_eq(g->settings->socket, SLICE("unix:/a")));
	ck_assert_int_eq(g->settings->log_level, 7);
	ck_assert_int_eq(g->policy->delay_checks, DELAY_FRIEND);
	generation_release(g);
}
END_TEST

START_TEST(failed_reload_changes_nothing)
{
	struct generation *before;
	struct generation *after;
	struct strbuf report;

	write_bad_files();
	(void)do_reload(BASE "access = \"%s/access\"");
	before = current_acquire();
	strbuf_init(&report, arena);
	ck_assert(!reload(write_conf(bads[_i].conf), &report, &error));
	ck_assert_uint_eq(report.len, 0);
	ck_assert_uint_eq(error.line, bads[_i].line);
	after = current_acquire();
	ck_assert_ptr_eq(before, after);
	ck_assert_str_eq(lookup(after, "10"), "RELAY");
	generation_release(before);
	generation_release(after);
	(void)do_reload(BASE);
	ck_assert_uint_eq(number_in_force(), 2);
}
END_TEST

START_TEST(report_and_error_may_be_null)
{
	ck_assert(reload(write_conf(BASE), NULL, NULL));
	ck_assert(reload(write_conf(BASE "log_level = 3"), NULL, NULL));
	ck_assert(!reload(write_conf("nonsense = 1"), NULL, NULL));
	ck_assert_uint_eq(number_in_force(), 2);
}
END_TEST

/* A session keeps what it began with. */
START_TEST(held_generation_stays)
{
	struct generation *held;

	(void)do_reload(BASE "access = \"%s/access\"");
	held = current_acquire();
	(void)files_write(&files, "access", "10 REJECT\n");
	for (int i = 0; i < 5; i++)
		(void)do_reload(BASE "access = \"%s/access\"");
	ck_assert_str_eq(lookup(held, "10"), "RELAY");
	ck_assert(has(held->policy->local, "first.example"));
	ck_assert_uint_eq(held->number, 1);
	generation_release(held);
	ck_assert_uint_eq(number_in_force(), 6);
}
END_TEST

/*
 * Threads. The map says which hostname it was written with; whoever sees the
 * one with the other has half a generation.
 */

enum { READERS = 4, RELOADS = 30 };

static atomic_bool readers_stop;

struct observer {
	pthread_t thread;
	unsigned long seen;
	unsigned long torn;
	unsigned long backwards;
	unsigned long last;
};

static void
observe(struct observer *observer)
{
	struct generation *g = current_acquire();
	struct map_hit hit;

	if (map_find(g->policy->access, SLICE("hostname"), NULL, &hit) != MAP_FOUND ||
	    !slice_eq(hit.value, g->policy->hostname) ||
	    !class_has(g->policy->local, hit.value))
		observer->torn++;
	if (g->number < observer->last)
		observer->backwards++;
	observer->last = g->number;
	observer->seen++;
	generation_release(g);
}

static void *
observe_until_stopped(void *context)
{
	while (!atomic_load(&readers_stop))
		observe(context);
	return NULL;
}

static void
write_generation(unsigned number)
{
	char text[300];

	(void)snprintf(text, sizeof(text), "hostname mx%u.example\n", number);
	(void)files_write(&files, "access", text);
	(void)snprintf(text, sizeof(text),
	    "hostname = mx%u.example\naccess = \"%s/access\"" ALLOW, number,
	    files.directory);
	(void)files_write(&files, "conf", text);
}

START_TEST(readers_see_whole_generations)
{
	struct observer observers[READERS] = {0};
	char conf[256];

	(void)snprintf(conf, sizeof(conf), "%s", files_path(&files, "conf"));
	write_generation(0);
	ck_assert(reload(conf, NULL, &error));
	atomic_store(&readers_stop, false);
	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&observers[i].thread, NULL,
				     observe_until_stopped, &observers[i]),
		    0);
	for (unsigned i = 1; i <= RELOADS; i++) {
		write_generation(i);
		ck_assert(reload(conf, NULL, &error));
	}
	atomic_store(&readers_stop, true);
	for (int i = 0; i < READERS; i++) {
		ck_assert_int_eq(pthread_join(observers[i].thread, NULL), 0);
		ck_assert_uint_gt(observers[i].seen, 0);
		ck_assert_uint_eq(observers[i].torn, 0);
		ck_assert_uint_eq(observers[i].backwards, 0);
	}
	ck_assert_uint_eq(number_in_force(), RELOADS + 1);
}
END_TEST

static void *
reload_ten_times(void *context)
{
	for (int i = 0; i < 10; i++)
		ck_assert(reload(context, NULL, NULL));
	return NULL;
}

/* Each gets a number of its own: none is lost, none is made twice. */
START_TEST(reloads_wait_for_each_other)
{
	pthread_t threads[3];
	char conf[256];

	(void)snprintf(conf, sizeof(conf), "%s", write_conf(BASE));
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, reload_ten_times, conf),
		    0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(number_in_force(), 30);
}
END_TEST

static void
set_up_files(void)
{
	set_up();
	write_files();
}

static Suite *
load_suite(void)
{
	Suite *suite = suite_create("load");
	TCase *loading = tcase_create("loading");
	TCase *bad = tcase_create("bad");
	TCase *reloading = tcase_create("reloading");

	tcase_add_checked_fixture(loading, set_up_files, tear_down);
	tcase_add_checked_fixture(bad, set_up, tear_down);
	tcase_add_checked_fixture(reloading, set_up_files, tear_down);
	tcase_set_timeout(loading, 60);
	tcase_set_timeout(reloading, 120);
	suite_add_tcase(suite, loading);
	suite_add_tcase(suite, bad);
	suite_add_tcase(suite, reloading);
	tcase_add_test(loading, local_names);
	tcase_add_test(loading, names_of_block_bad_helo);
	tcase_add_test(loading, nothing_relays_by_default);
	tcase_add_test(loading, mechanisms);
	tcase_add_loop_test(loading, names_of_machine, 0, COUNT(machines));
	tcase_add_test(loading, names_without_hosts_file);
	tcase_add_test(loading, literals_of_interfaces);
	tcase_add_test(loading, machine_names_are_local);
	tcase_add_test(loading, unqualified_hostname_is_warned_of);
	tcase_add_test(loading, access_map);
	tcase_add_test(loading, maps_of_rewriting);
	tcase_add_test(loading, classes_of_rewriting);
	tcase_add_test(loading, aliases_of_files);
	tcase_add_test(loading, unsafe_files_reach_the_policy);
	tcase_add_test(loading, dns_lists);
	tcase_add_test(loading, options_reach_the_policy);
	tcase_add_test(loading, warnings_are_bounded);
	tcase_add_loop_test(bad, bad_file, 0, COUNT(bads));
	tcase_add_loop_test(bad, error_may_be_null, 0, COUNT(bads));
	tcase_add_test(bad, empty_files_are_fine);
	tcase_add_test(bad, writable_map);
	tcase_add_test(reloading, report_of_entries);
	tcase_add_test(reloading, report_of_warnings);
	tcase_add_test(reloading, report_of_settings);
	tcase_add_loop_test(
	    reloading, failed_reload_changes_nothing, 0, COUNT(bads));
	tcase_add_test(reloading, report_and_error_may_be_null);
	tcase_add_test(reloading, held_generation_stays);
	tcase_add_test(reloading, readers_see_whole_generations);
	tcase_add_test(reloading, reloads_wait_for_each_other);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(load_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
