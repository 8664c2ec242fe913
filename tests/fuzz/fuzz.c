/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/fuzz/fuzz.h"

#include "milter/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char config_text[] =
    "socket = \"unix:/nowhere\"\n"
    "hostname = \"mx.home.test\"\n"
    "allow_unsafe_files = true\n"
    "nocanonify = true\n"
    "accept_unresolvable_domains = true\n"
    "resolver = \"127.0.0.1:1\"\n"
    "local_domain = {\"home.test\", \"local.test\"}\n"
    "relay_domain = {\"relay.test\"}\n"
    "blocklist_recipients = true\n"
    "masquerade_as = \"masq.test\"\n"
    "masquerade_domain = {\"abc.test\"}\n"
    "masquerade_entire_domain = true\n"
    "masquerade_envelope = true\n"
    "allmasquerade = true\n"
    "exposed_user = {\"root\"}\n"
    "generics_domain = {\"gen.test\"}\n"
    "access = \"%1$s/access\"\n"
    "domaintable = \"%1$s/domaintable\"\n"
    "genericstable = \"%1$s/genericstable\"\n"
    "virtusertable = \"%1$s/virtusertable\"\n"
    "mailertable = \"%1$s/mailertable\"\n"
    "aliases = {\"%1$s/aliases\"}\n";

static const struct {
	const char *name;
	const char *text;
} files[] = {
    {"access", "Connect:192.0.2 RELAY\nspam.test 550 5.7.1 no\n"
	       "To:joe@ REJECT\nFrom:a+*@b.test QUARANTINE:why\n"
	       "bad.test ERROR:5.7.1:550 \"go away\"\nx.test DISCARD\n"},
    {"domaintable", "old.test abc.test\n"},
    {"genericstable", "joe joe.doe@public.test\n@gen.test %1@catch.test\n"
		      "bob+*@gen.test bob-%1@public.test\n"},
    {"virtusertable", "joe@local.test joe\ninfo@local.test error:nouser no\n"
		      "@home.test %1%3@local.test\nl@local.test l@local.test\n"
		      "bob+*@local.test bob-%2@far.test\n"},
    {"mailertable", ".sub.test relay:[192.0.2.9]\nfar.test smtp:%1.mx.test\n"
		    "bad.test error:5.1.2:550 no\n"},
    {"aliases", "list: joe, bob, \\ann, \"a b\"@far.test, list2\n"
		"list2: list, x@far.test\nowner-list: boss\n"
		"prog: \"|/bin/x y\"\nfile: /dev/null\n"},
};

static void
write_file(const char *directory, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		abort();
}

/* The directory is left to the caller of the program, who gave it. */
static struct generation *
make_generation(void)
{
	const char *directory = getenv("FUZZ_DIRECTORY");
	char text[4096];
	char path[512];
	struct error error;
	struct generation *generation;

	if (directory == NULL)
		directory = ".";
	(void)snprintf(text, sizeof(text), config_text, directory);
	write_file(directory, "milterd.conf", text);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		write_file(directory, files[i].name, files[i].text);
	(void)snprintf(path, sizeof(path), "%s/milterd.conf", directory);
	generation = load_generation(path, 1, &error);
	if (generation == NULL) {
		(void)fprintf(stderr, "%s:%u: %s\n", error.file, error.line,
		    error.text);
		exit(1);
	}
	return generation;
}

struct service *
fuzz_service(void)
{
	static struct service service;
	static const struct resolver_options options = {
	    .server = SLICE_INIT("127.0.0.1:1"), .timeout_ms = 1};
	struct error error;

	if (service.resolver != NULL)
		return &service;
	current_publish(make_generation());
	service.config_path = "/nowhere/milterd.conf";
	service.resolver = resolver_new(&options, &error);
	if (service.resolver == NULL)
		abort();
	return &service;
}
