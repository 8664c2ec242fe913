/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * milterd.conf: what each word means, and what is said about a file that is
 * wrong. Every wrong file is followed by a right one in the same process,
 * because libConfuse's scanner remembers where it stopped.
 */
#include "milter/settings.h"

#include <check.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "base/strbuf.h"
#include "tests/unit/files.h"

#define COUNT(rows) (int)(sizeof(rows) / sizeof((rows)[0]))
#define ALLOW "\nallow_unsafe_files = yes\n"

static struct files files;
static struct arena *arena;
static struct settings settings;
static struct error error;

static void
set_up(void)
{
	files_make(&files);
	arena = arena_new(0);
	memset(&settings, 0, sizeof(settings));
	memset(&error, 0, sizeof(error));
}

static void
tear_down(void)
{
	arena_free(arena);
	files_remove(&files);
}

static bool
read_text(const char *text)
{
	return settings_read(
	    files_write(&files, "conf", text), arena, &settings, &error);
}

/* With the line that excuses /tmp behind it. */
static void
read_good(const char *text)
{
	char *whole = xmalloc(strlen(text) + sizeof(ALLOW));
	char buffer[1024];

	memcpy(whole, text, strlen(text));
	memcpy(whole + strlen(text), ALLOW, sizeof(ALLOW));
	ck_assert_msg(read_text(whole), "%s: %s", text,
	    error_format(&error, buffer, sizeof(buffer)));
	free(whole);
}

static const struct settings_word *
word_named(const char *name)
{
	const struct settings_word *word = settings_words();

	while (word->name != NULL && strcmp(word->name, name) != 0)
		word++;
	ck_assert_msg(word->name != NULL, "no word %s", name);
	return word;
}

static const char *
value_of(const char *name)
{
	return arena_cstr(
	    arena, settings_value(&settings, word_named(name), arena));
}

/*
 * What is right.
 */

/* clang-format off */
static const struct {
	const char *name;
	const char *value;
} defaults[] = {
	{"socket", ""}, {"policy_socket", ""}, {"socketmap_socket", ""}, {"control_socket", ""},
	{"user", ""}, {"group", ""}, {"socket_mode", "0660"}, {"pid_file", ""},
	{"log_facility", "mail"}, {"log_level", "9"}, {"hostname", ""}, {"local_domain", ""},
	{"relay_domain", ""}, {"access", ""}, {"trust_auth_mech", ""}, {"require_auth", "no"},
	{"delay_checks", "no"}, {"relay_mail_from", "no"}, {"blocklist_recipients", "no"},
	{"relay_hosts_only", "no"}, {"relay_entire_domain", "no"}, {"relay_local_from", "no"},
	{"relay_based_on_MX", "no"}, {"promiscuous_relay", "no"}, {"loose_relay_check", "no"},
	{"accept_unresolvable_domains", "no"}, {"accept_unqualified_senders", "no"},
	{"lookupdotdomain", "no"}, {"relaytofulladdress", "no"}, {"require_rdns", "no"},
	{"block_bad_helo", "no"}, {"use_client_ptr", "no"}, {"nocanonify", "no"}, {"dnsbl", ""},
	{"enhdnsbl", ""}, {"max_message_size", "0"}, {"max_hops", "25"},
	{"max_recipients", "10000"}, {"max_header_lines", "1000"}, {"max_header_bytes", "1048576"},
	{"max_reply_length", "960"}, {"max_request_size", "16384"}, {"max_clients", "2000"},
	{"max_control_clients", "64"}, {"client_resolve", "mta"},
	{"vacation_message", ""}, {"vacation_interval", "7d"}, {"vacation_interval_min", "1d"},
	{"vacation_exclude", ""}, {"vacation_submitted", "yes"}, {"vacation_rate", "60"},
	{"state_directory", ""}, {"sendmail_path", "/usr/sbin/sendmail"},
	{"max_dynamic_entries", "100000"},
	{"max_spool_entries", "10000"}, {"max_spool_bytes", "1073741824"},
	{"recipes", ""}, {"user_recipes", ""}, {"folder_address", "%u+%f@%d"},
	{"program_directory", ""}, {"program_time", "60"},
	{"max_message_kept", "10485760"}, {"large_messages", "pass"},
	{"resolver", ""}, {"domaintable", ""}, {"virtusertable", ""}, {"virtuser_domain", ""},
	{"virtuser_entire_domain", "no"}, {"aliases", ""}, {"redirect", "no"}, {"luser_relay", ""},
	{"mailertable", ""}, {"genericstable", ""}, {"generics_domain", ""},
	{"generics_entire_domain", "no"}, {"masquerade_as", ""}, {"masquerade_domain", ""},
	{"masquerade_exception", ""}, {"exposed_user", ""}, {"masquerade_entire_domain", "no"},
	{"masquerade_envelope", "no"}, {"allmasquerade", "no"}, {"limited_masquerade", "no"},
	{"always_add_domain", "no"}, {"redis.server", ""}, {"redis.sentinels", ""},
	{"redis.master", ""}, {"redis.user", ""}, {"redis.password_file", ""},
	{"redis.sentinel_password_file", ""}, {"redis.database", "0"}, {"redis.prefix", "mlt:"},
	{"redis.timeout", "250ms"}, {"redis.tls", "no"}, {"redis.tls_ca_file", ""},
	{"redis.tls_cert_file", ""}, {"redis.tls_key_file", ""}, {"redis.tls_server_name", ""},
};
/* clang-format on */

START_TEST(default_value)
{
	read_good("");
	ck_assert_str_eq(value_of(defaults[_i].name), defaults[_i].value);
	ck_assert_str_eq(
	    word_named(defaults[_i].name)->initial, defaults[_i].value);
}
END_TEST

START_TEST(words_are_all_known_here)
{
	int count = 0;

	for (const struct settings_word *word = settings_words();
	     word->name != NULL; word++) {
		size_t len = strlen(word->help);

		ck_assert_msg(len > 10 && word->help[len - 1] == '.',
		    "help of %s", word->name);
		ck_assert_ptr_nonnull(word->type);
		count++;
	}
	/* allow_unsafe_files is set by read_good(). */
	ck_assert_int_eq(count, COUNT(defaults) + 1);
}
END_TEST

START_TEST(defaults_as_fields)
{
	read_good("");
	ck_assert_uint_eq(settings.socket_mode, 0660);
	ck_assert_int_eq(settings.log_level, 9);
	ck_assert_uint_eq(settings.options.max_hops, 25);
	ck_assert_uint_eq(settings.options.max_message_size, 0);
	ck_assert_int_eq(settings.options.delay_checks, DELAY_NO);
	ck_assert_int_eq(settings.options.relay_mail_from, RELAY_FROM_NO);
	ck_assert_int_eq(settings.client_resolve, CLIENT_FROM_MTA);
	ck_assert_str_eq(settings.path, files_path(&files, "conf"));
}
END_TEST

/* clang-format off */
static const struct {
	const char *text;
	const char *name;
	const char *value;
} goods[] = {
	{"socket = \"unix:/run/m.sock\"", "socket", "unix:/run/m.sock"},
	{"socket = unix:/run/m.sock", "socket", "unix:/run/m.sock"},
	{"socket = 'unix:/run/a b'", "socket", "unix:/run/a b"},
	{"socket = \"inet:8890@127.0.0.1\"", "socket", "inet:8890@127.0.0.1"},
	{"policy_socket = \"inet:65535@::1\"", "policy_socket", "inet:65535@::1"},
	{"socket = \"\"", "socket", ""},
	{"user = \"_milterd\"", "user", "_milterd"},
	{"socket_mode = 0600", "socket_mode", "0600"},
	{"socket_mode = \"0777\"", "socket_mode", "0777"},
	{"socket_mode = 660", "socket_mode", "0660"},
	{"pid_file = /run/milterd.pid", "pid_file", "/run/milterd.pid"},
	{"log_facility = local3", "log_facility", "local3"},
	{"log_level = 0", "log_level", "0"},
	{"log_level = 99", "log_level", "99"},
	{"hostname = \"MX.Abc.com.\"", "hostname", "MX.Abc.com."},
	{"local_domain = { \"/etc/mail/local-host-names\", \"abc.com\" }", "local_domain",
	    "/etc/mail/local-host-names, abc.com"},
	{"local_domain = \"abc.com\"", "local_domain", "abc.com"},
	{"local_domain = {}", "local_domain", ""},
	{"local_domain = { a.b, c.d, }", "local_domain", "a.b, c.d"},
	{"local_domain += { a.b }", "local_domain", "a.b"},
	{"local_domain\n=\n{\na.b\n,\nc.d\n}\n", "local_domain", "a.b, c.d"},
	{"relay_domain = { \"10\", \"IPv6:2001:db8\", \"/a file\" }", "relay_domain",
	    "10, IPv6:2001:db8, /a file"},
	{"access = \"/etc/mail/access\"", "access", "/etc/mail/access"},
	{"access = \"text:/etc/mail/access\"", "access", "/etc/mail/access"},
	{"access = { \"/a\", \"text:/b\" }", "access", "/a, /b"},
	{"trust_auth_mech = { PLAIN, LOGIN }", "trust_auth_mech", "PLAIN, LOGIN"},
	{"require_auth = true", "require_auth", "yes"},
	{"require_auth = yes", "require_auth", "yes"},
	{"require_auth = on", "require_auth", "yes"},
	{"require_auth = TRUE", "require_auth", "yes"},
	{"require_auth = \"yes\"", "require_auth", "yes"},
	{"require_auth = false", "require_auth", "no"},
	{"require_auth = off", "require_auth", "no"},
	{"delay_checks = true", "delay_checks", "yes"},
	{"delay_checks = false", "delay_checks", "no"},
	{"delay_checks = \"yes\"", "delay_checks", "yes"},
	{"delay_checks = \"friend\"", "delay_checks", "friend"},
	{"delay_checks = hater", "delay_checks", "hater"},
	{"relay_mail_from = \"address\"", "relay_mail_from", "address"},
	{"relay_mail_from = domain", "relay_mail_from", "domain"},
	{"relay_mail_from = false", "relay_mail_from", "no"},
	{"relay_based_on_mx = yes", "relay_based_on_MX", "yes"},
	{"Max_Hops = 30", "max_hops", "30"},
	{"max_hops = 010", "max_hops", "10"},
	{"max_message_size = 15000000", "max_message_size", "15000000"},
	{"max_message_size = 10k", "max_message_size", "10240"},
	{"max_message_size = \"3M\"", "max_message_size", "3145728"},
	{"max_message_size = 8G", "max_message_size", "8589934592"},
	{"max_message_size = 9223372036854775807", "max_message_size", "9223372036854775807"},
	{"client_resolve = \"dns\"", "client_resolve", "dns"},
	{"vacation_interval = 36h", "vacation_interval", "36h"},
	{"vacation_interval = 2w", "vacation_interval", "14d"},
	{"vacation_exclude = { \"@a.test\", \"bob\" }", "vacation_exclude", "@a.test, bob"},
	{"state_directory = /x\nvacation_message = \"%h/.vacation.msg\"", "vacation_message", "%h/.vacation.msg"},
	{"client_resolve = MTA", "client_resolve", "mta"},
	{"resolver = \"127.0.0.1:53\"", "resolver", "127.0.0.1:53"},
	{"resolver = \"127.0.0.1\"", "resolver", "127.0.0.1"},
	{"resolver = \"2001:db8::1\"", "resolver", "2001:db8::1"},
	{"resolver = \"[2001:db8::1]\"", "resolver", "[2001:db8::1]"},
	{"resolver = \"[2001:db8::1]:5353\"", "resolver", "[2001:db8::1]:5353"},
	{"dnsbl = { \"bl.example\", \"bl2.example 550 Go away\" }", "dnsbl",
	    "bl.example, bl2.example 550 Go away"},
	{"dnsbl = \"/etc/mail/lists\"", "dnsbl", "/etc/mail/lists"},
	{"\"max_hops\" = 7", "max_hops", "7"},
	/* Comments, also where the library allows none. */
	{"# max_hops = 1\n// max_hops = 2\n/* max_hops = 3\n */ max_hops = 4 # 5", "max_hops", "4"},
	{"max_hops /* name */ = // equals\n # value\n 6", "max_hops", "6"},
	{"local_domain = { # {\n \"a.b\", // \"\n c.d /* } */ }", "local_domain", "a.b, c.d"},
	{"local_domain = { \"a#b\", \"c//d\", 'e/*f' }", "local_domain", "a#b, c//d, e/*f"},
	{"/*/ max_hops = 1 */ max_hops = 2", "max_hops", "2"},
	{"/***/ max_hops = 3 /**/", "max_hops", "3"},
	{"pid_file = /a//b", "pid_file", "/a//b"},
	/* Escapes. */
	{"pid_file = \"/a\\\"b\\\\c\"", "pid_file", "/a\"b\\c"},
	{"pid_file = '/a\\'b\"c'", "pid_file", "/a'b\"c"},
	{"pid_file = '/${HOME}'", "pid_file", "/${HOME}"},
	{"pid_file = \"/\\${HOME}\"", "pid_file", "/${HOME}"},
	{"pid_file = \"/$HOME\"", "pid_file", "/$HOME"},
	/* Line ends of another system, and letters of another alphabet. */
	{"max_hops = 8\r\nlog_level = 1\r\n", "max_hops", "8"},
	{"pid_file = \"/\xc3\xa4\"", "pid_file", "/\xc3\xa4"},
	{"\xef\xbb\xbf# byte order mark", NULL, "unexpected"},
};
/* clang-format on */

START_TEST(good_value)
{
	if (goods[_i].name == NULL) {
		ck_assert(!read_text(goods[_i].text));
		return;
	}
	read_good(goods[_i].text);
	ck_assert_str_eq(value_of(goods[_i].name), goods[_i].value);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	size_t at;
} options[] = {
#define OPTION(name) {#name, offsetof(struct policy, name)}
	OPTION(require_auth), OPTION(blocklist_recipients), OPTION(relay_hosts_only),
	OPTION(relay_entire_domain), OPTION(relay_local_from), OPTION(promiscuous_relay),
	OPTION(loose_relay_check), OPTION(accept_unresolvable_domains),
	OPTION(accept_unqualified_senders), OPTION(lookupdotdomain), OPTION(relaytofulladdress),
	OPTION(require_rdns), OPTION(block_bad_helo), OPTION(use_client_ptr), OPTION(nocanonify),
	{"relay_based_on_MX", offsetof(struct policy, relay_based_on_mx)},
};
/* clang-format on */

/* Each option is its own field and no other. */
START_TEST(option_field)
{
	char text[100];
	struct policy wanted;

	read_good("");
	wanted = settings.options;
	memcpy((char *)&wanted + options[_i].at, &(bool){true}, sizeof(bool));
	(void)snprintf(text, sizeof(text), "%s = yes", options[_i].name);
	read_good(text);
	for (int i = 0; i < COUNT(options); i++) {
		bool is_set;

		memcpy(&is_set, (char *)&settings.options + options[i].at,
		    sizeof(is_set));
		ck_assert_msg(is_set == (i == _i), "%s sets %s",
		    options[_i].name, options[i].name);
	}
	ck_assert_mem_eq(&settings.options, &wanted, sizeof(wanted));
}
END_TEST

START_TEST(whole_example)
{
	read_good("socket = \"unix:/run/milterd/milterd.sock\"\n"
		  "hostname = \"mx.abc.com\"\n"
		  "local_domain = { \"/etc/mail/local-host-names\",\n"
		  "\t\"abc.com\" }\n"
		  "relay_domain = { \"/etc/mail/relay-domains\" }\n"
		  "access = \"/etc/mail/access\"   # a comment\n"
		  "delay_checks = \"friend\"\n"
		  "blocklist_recipients = true\n"
		  "resolver = \"127.0.0.1:53\"\n"
		  "dnsbl = { \"bl.example\", \"bl2.example 550 Go away\" }\n");
	ck_assert_uint_eq(settings.local_domain.count, 2);
	ck_assert_uint_eq(settings.relay_domain.count, 1);
	ck_assert_uint_eq(settings.dnsbl.count, 2);
	ck_assert(slice_eq(
	    settings.dnsbl.items[1], SLICE("bl2.example 550 Go away")));
	ck_assert_int_eq(settings.options.delay_checks, DELAY_FRIEND);
	ck_assert(settings.options.blocklist_recipients);
	ck_assert(settings.allow_unsafe_files);
}
END_TEST

START_TEST(long_list)
{
	enum { ITEMS = 20000 };
	struct strbuf text;
	struct string_list list;

	strbuf_init(&text, arena);
	strbuf_add(&text, SLICE("local_domain = {\n"));
	for (int i = 0; i < ITEMS; i++)
		strbuf_printf(&text, "\"d%d.example\",\n", i);
	strbuf_add(&text, SLICE("}\n"));
	read_good(text.data);
	list = settings.local_domain;
	ck_assert_uint_eq(list.count, ITEMS);
	ck_assert(slice_eq(list.items[0], SLICE("d0.example")));
	ck_assert(slice_eq(list.items[ITEMS - 1], SLICE("d19999.example")));
}
END_TEST

START_TEST(value_tells_what_is_kept)
{
	struct settings in_force;

	read_good("socket = unix:/old\nsocket_mode = 0600\nlog_level = 1");
	in_force = settings;
	read_good("socket = unix:/new\nsocket_mode = 0640\nlog_level = 2");
	settings_keep_fixed(&settings, &in_force, arena);
	ck_assert_str_eq(value_of("socket"), "unix:/old");
	ck_assert_str_eq(value_of("socket_mode"), "0600");
	ck_assert_str_eq(value_of("log_level"), "2");
}
END_TEST

START_TEST(section)
{
	read_good("max_hops = 7\nredis {\n  sentinels = {\n\"inet:1@a\", # one\n"
		  "\"inet:2@[::1]\" }\n  master = \"m\"\n  Timeout = 2s\n"
		  "  tls = yes\n}\nmax_recipients = 8");
	ck_assert_str_eq(
	    value_of("redis.sentinels"), "inet:1@a, inet:2@[::1]");
	ck_assert_str_eq(value_of("redis.master"), "m");
	ck_assert_str_eq(value_of("redis.timeout"), "2s");
	ck_assert_str_eq(value_of("redis.tls"), "yes");
	ck_assert_str_eq(value_of("redis.prefix"), "mlt:");
	ck_assert_str_eq(value_of("max_hops"), "7");
	ck_assert_str_eq(value_of("max_recipients"), "8");
}
END_TEST

/*
 * What is wrong.
 */

/* clang-format off */
static const struct {
	const char *text;
	unsigned line;
	const char *said; /* a part of the message */
} bads[] = {
	/* Words. */
	{"soket = \"unix:/x\"", 1, "unknown word \"soket\", did you mean socket?"},
	{"\n\nacces = \"/x\"", 3, "unknown word \"acces\", did you mean access?"},
	{"relay-domain = x", 1, "did you mean relay_domain?"},
	{"relay_domains = x", 1, "did you mean relay_domain?"},
	{"blacklist_recipients = yes", 1, "did you mean blocklist_recipients?"},
	{"max_message_siez = 1", 1, "did you mean max_message_size?"},
	{"luser_relay = \":host\"", 1, "luser_relay: \":host\" is neither host, mailer:host, local:user"},
	{"luser_relay = \"local:\"", 1, "is neither host"},
	{"luser_relay = \"two words\"", 1, "is neither host"},
	{"aliases = aliases", 1, "aliases: \"aliases\" is neither /path nor text:/path nor pcre:/path"},
	{"masquerade_as = \"a b\"", 1, "masquerade_as: \"a b\" is not a host name"},
	{"uucpdomain = \"/x\"", 1, "unknown word \"uucpdomain\""},
	{"\"nonsense\" = 1", 1, "unknown word \"nonsense\""},
	{"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz = 1", 1, "unknown word"},
	{"\n= 1", 2, "no word stands before this ="},
	{"\"\" = 1", 1, "no word stands before this ="},
	{"\n\"\" 1", 2, "a word is expected here"},
	{"max_hops = = 1", 1, "no word stands before this ="},
	{"nonsense", 1, "nonsense"},
	{"max_hops", 1, "premature end of file"},
	{"max_hops 25", 1, "missing equal sign after option 'max_hops'"},
	{"max_hops =", 1, "premature end of file"},
	{"max_hops = 1 2", 1, "'2'"},
	{"max_hops = { 1 }", 1, "'{'"},
	{"max_hops += 1", 1, "max_hops"},
	{"max_hops = 1 }", 1, "closing brace"},
	{"section { max_hops = 1 }", 1, "section"},
	{"socket = unix:/a\nmax_hops = 1\nSocket = unix:/b", 3,
	    "socket is set a second time, the first is in line 1"},
	{"local_domain = a.b\nlocal_domain += c.d", 2, "local_domain is set a second time"},
	{"socket =\nmax_hops = 3\n", 2, "socket: \"max_hops\" is neither"},
	{"socket = unix:/a\npolicy_socket = \"unix:/a\"", 2, "policy_socket is the same as socket"},
	{"control_socket = \"inet:99@127.0.0.1\"", 1, "control_socket must be a unix socket"},
	/* Text and lists that do not end, and what follows them. */
	{"socket = \"unix:/a\nmax_hops = 1\naccess = \"/x\"", 1, "string that begins with \""},
	{"\nsocket = 'unix:/a\nmax_hops = 1", 2, "string that begins with '"},
	{"max_hops = 1\nsocket = \"unix:/a", 2, "string that begins with \""},
	{"socket = \"unix:/a\\\"", 1, "string that begins with \""},
	{"socket = \"unix:/a\\\nb\"", 1, "string that begins with \""},
	{"socket = \"unix:/a\\", 1, "string that begins with \""},
	{"max_hops = 1\nlocal_domain = { \"a.b\",\n\"c.d\"\n", 2, "list that begins here never ends"},
	{"local_domain = {", 1, "list that begins here never ends"},
	{"local_domain = { a.b\nmax_hops = 3\n}", 2, "'max_hops'"},
	{"local_domain = { a.b c.d }", 1, "'c.d'"},
	{"local_domain = { , }", 1, "','"},
	{"local_domain = { { a.b } }", 1, "'{'"},
	{"max_hops = 1\n/* comment\nmax_hops = 2\n", 2, "comment that begins here never ends"},
	{"max_hops = 1 /*/", 1, "comment that begins here never ends"},
	/* Lines are counted through comments and lists. */
	{"/* one\ntwo */ /* three */\nlocal_domain = { # four\n a.b, /* five\n six */ c.d }\nnon = 1",
	    6, "unknown word"},
	{"/* one\ntwo */ /* three */\nlocal_domain = { # four\n a.b, /* five\n six */ c.d }\nmax_hops = x",
	    6, "max_hops"},
	{"local_domain = {\n a.b,\n \"c d\",\n e.f }", 3, "local_domain: \"c d\" has a blank"},
	/* The library's additions. */
	{"pid_file = \"/${HOME}\"", 1, "${...}"},
	{"\npid_file = ${HOME}", 2, "${...}"},
	{"pid_file = /a${HOME}", 1, "${...}"},
	{"pid_file = \"${NOT_SET:-/etc}\"", 1, "${...}"},
	{"pid_file = \"/\\101\"", 1, "numeric escapes such as \\1"},
	{"pid_file = \"/\\777\"", 1, "numeric escapes such as \\7"},
	{"pid_file = \"/\\9\"", 1, "numeric escapes such as \\9"},
	{"pid_file = \"/\\x41\"", 1, "numeric escapes such as \\x"},
	{"pid_file = \"/a\\nb\"", 1, "pid_file: control characters"},
	{"pid_file = \"/a\tb\"", 1, "pid_file: control characters"},
	{"include(\"/etc/passwd\")", 1, "unexpected \"(\""},
	{"local_domain = *", 1, "unexpected \"*\""},
	{"max_hops = 1 + 2", 1, "unexpected \"+\""},
	{"max_hops = 1\n\001", 2, "control character 0x1"},
	/* Values. */
	{"socket = \"/run/m.sock\"", 1, "neither unix:/path nor inet:port@host"},
	{"socket = \"unix:run/m.sock\"", 1, "neither unix:/path nor inet:port@host"},
	{"socket = \"inet:8890\"", 1, "neither unix:/path nor inet:port@host"},
	{"socket = \"inet:8890@\"", 1, "neither unix:/path nor inet:port@host"},
	{"socket = \"inet:0@127.0.0.1\"", 1, "port between 1 and 65535"},
	{"socket = \"inet:65536@127.0.0.1\"", 1, "port between 1 and 65535"},
	{"socket = \"inet:smtp@127.0.0.1\"", 1, "port between 1 and 65535"},
	{"socket = \"unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", 1, "too long"},
	{"user = \"a b\"", 1, "user: \"a b\" is not one name"},
	{"socket_mode = 0888", 1, "not an octal mode"},
	{"socket_mode = 01777", 1, "not between 00 and 0777"},
	{"socket_mode = \"\"", 1, "not an octal mode"},
	{"socket_mode = -1", 1, "not an octal mode"},
	{"pid_file = milterd.pid", 1, "pid_file: \"milterd.pid\" is not a path that begins with /"},
	{"log_facility = \"MAIL2\"", 1, "log_facility: \"MAIL2\" is none of mail"},
	{"log_level = 100", 1, "log_level: 100 is not between 0 and 99"},
	{"log_level = -1", 1, "log_level: \"-1\" is not a number"},
	{"log_level = 9x", 1, "log_level: \"9x\" is not a number"},
	{"log_level = 99999999999999999999", 1, "is not a number"},
	{"max_hops = \"\"", 1, "max_hops: \"\" is not a number"},
	{"hostname = \"mx abc\"", 1, "is not a host name"},
	{"hostname = \"mx..abc\"", 1, "is not a host name"},
	{"hostname = \".abc\"", 1, "is not a host name"},
	{"local_domain = { \"\" }", 1, "local_domain: \"\" is empty"},
	{"local_domain = \"\"", 1, "local_domain: \"\" is empty"},
	{"access = \"etc/mail/access\"", 1, "access: \"etc/mail/access\" is neither /path nor text:/path nor pcre:/path"},
	{"access = \"hash:/etc/mail/access\"", 1, "neither /path nor text:/path nor pcre:/path"},
	{"access = \"text:\"", 1, "neither /path nor text:/path nor pcre:/path"},
	{"require_auth = maybe", 1, "require_auth: \"maybe\" is not yes or no"},
	{"require_auth = 1", 1, "require_auth: \"1\" is not yes or no"},
	{"require_auth = \"\"", 1, "is not yes or no"},
	{"delay_checks = foe", 1, "delay_checks: \"foe\" is not no|yes|friend|hater"},
	{"relay_mail_from = yes", 1, "relay_mail_from: \"yes\" is not no|address|domain"},
	{"vacation_message = \"/etc/vacation.msg\"", 1,
	    "vacation_message: \"/etc/vacation.msg\" neither %u nor %h is in it"},
	{"vacation_message = \"%u.msg\"", 1,
	    "vacation_message: \"%u.msg\" it does not begin with / or %h/"},
	{"vacation_message = \"/%u\"", 1,
	    "vacation_message needs a state_directory, where replies wait"},
	{"vacation_interval = 3y", 1,
	    "vacation_interval: \"3y\" is not a time: a number, and ms, s, m, h, d or w behind it"},
	{"vacation_exclude = { \"/etc/x\" }", 1,
	    "vacation_exclude: \"/etc/x\" is not a sender: user@domain, @domain, @.domain or user"},
	{"client_resolve = postfix", 1, "client_resolve: \"postfix\" is not mta|dns"},
	{"max_message_size = 10Q", 1, "max_message_size: \"10Q\" is not a size"},
	{"max_message_size = 10kB", 1, "is not a size"},
	{"max_message_size = k", 1, "is not a size"},
	{"max_message_size = -1", 1, "is not a size"},
	{"max_message_size = 99999999999999999999", 1, "is too large"},
	{"max_message_size = 9007199254740992k", 1, "is too large"},
	{"resolver = \"localhost:53\"", 1, "resolver: \"localhost:53\" is not address:port"},
	{"resolver = \"127.0.0.1:\"", 1, "is not address:port"},
	{"resolver = \"127.0.0.1:0\"", 1, "is not address:port"},
	{"resolver = \"[::1\"", 1, "is not address:port"},
	{"resolver = \"[::1]x\"", 1, "is not address:port"},
	{"resolver = \"[]\"", 1, "is not address:port"},
	{"dnsbl = { \"bl.example\",\n\"550 <x>\", \"b!l\" }", 2, "does not begin with a zone's name"},
	{"enhdnsbl = \" bl.example\"", 1, "does not begin with a zone's name"},
	/* Sections. */
	{"redis {\nserver = \"unix:/r\"\n", 1, "section that begins here never ends"},
	{"redis {\nsever = \"unix:/r\"\n}", 2, "unknown word \"redis.sever\", did you mean redis.server?"},
	{"server = \"unix:/r\"", 1, "unknown word \"server\""},
	{"redis {\nmax_hops = 3\n}", 2, "unknown word \"redis.max_hops\""},
	{"redis {\nredis {\n}\n}", 2, "no section can stand inside another"},
	{"rediss {\n}", 1, "unknown section \"rediss\""},
	{"redis {\nserver = \"unix:/r\"\n}\nredis {\nserver = \"unix:/s\"\n}", 5,
	    "redis.server is set a second time, the first is in line 2"},
	{"redis {\n\nserver = \"/run/redis.sock\"\n}", 3, "redis.server: \"/run/redis.sock\" is neither"},
	{"redis {\nserver = \"inet:0@host\"\n}", 2, "port between 1 and 65535"},
	{"redis {\nsentinels = {\n\"inet:1@a\",\n\"unix:/s\"}\nmaster = m\n}", 4, "is a unix socket"},
	{"redis {\nmaster = m\nsentinels = { \"inet:1@a\" }\nserver = \"inet:1@a\"\n}", 3, "both are set"},
	{"redis {\nsentinels = { \"inet:1@a\" }\n}", 2, "need the name of their master"},
	{"redis {\n\nmaster = m\n}", 3, "which are not set"},
	{"redis {\ntimeout = 250\n}", 2, "redis.timeout: \"250\" is not a time"},
	{"redis {\ntimeout = 5ms\n}", 2, "is not between 10ms and 60000ms"},
	{"redis {\ntimeout = 2h\n}", 2, "is not between 10ms and 60000ms"},
	{"redis {\ndatabase = -1\n}", 2, "redis.database: \"-1\" is not a number"},
	{"redis {\nprefix = \"mlt*\"\n}", 2, "has one of * ? [ ]"},
	{"redis {\ntls = yes\nserver = \"unix:/r\"\n}", 2, "not for a unix socket"},
	{"redis {\ntls_cert_file = /c\n}", 2, "tls_cert_file needs tls_key_file"},
	{"redis {\ntls_key_file = /c\n}", 2, "tls_key_file needs tls_cert_file"},
	{"redis {\npassword_file = secret\n}", 2, "redis.password_file: \"secret\" is not a path"},
};
/* clang-format on */

static void
check_error(int exit_code, unsigned line, const char *said)
{
	char buffer[1024];

	(void)error_format(&error, buffer, sizeof(buffer));
	ck_assert_msg(
	    strstr(error.text, said) != NULL, "%s, not %s", buffer, said);
	ck_assert_str_eq(error.file, files_path(&files, "conf"));
	ck_assert_msg(error.line == line, "%s, not line %u", buffer, line);
	ck_assert_int_eq(error.exit_code, exit_code);
}

START_TEST(bad_text)
{
	struct settings before;

	memset(&settings, 0xee, sizeof(settings));
	before = settings;
	ck_assert_msg(!read_text(bads[_i].text), "%s", bads[_i].text);
	check_error(EX_CONFIG, bads[_i].line, bads[_i].said);
	ck_assert_mem_eq(&settings, &before, sizeof(settings));
	read_good("max_hops = 17 # after an error");
	ck_assert_str_eq(value_of("max_hops"), "17");
}
END_TEST

START_TEST(error_may_be_null)
{
	ck_assert(!settings_read(
	    files_write(&files, "conf", "x = 1"), arena, &settings, NULL));
	ck_assert(
	    !settings_read(files_path(&files, "none"), arena, &settings, NULL));
	ck_assert_int_eq(chmod(files_write(&files, "conf", ALLOW), 0666), 0);
	ck_assert(
	    !settings_read(files_path(&files, "conf"), arena, &settings, NULL));
}
END_TEST

START_TEST(nul_byte)
{
	static const char text[] = "max_hops = 1\nlog_level = 2\0 3\n";

	ck_assert(!settings_read(
	    files_write_bytes(&files, "conf", text, sizeof(text) - 1), arena,
	    &settings, &error));
	check_error(EX_CONFIG, 2, "NUL byte");
}
END_TEST

/* `len` bytes of a comment in the second line. */
static bool
read_long_line(size_t len)
{
	char *text = xmalloc(len + 64);
	bool done;

	(void)snprintf(text, 64, "max_hops = 1\n#");
	memset(text + strlen("max_hops = 1\n#"), 'x', len - 1);
	memcpy(text + strlen("max_hops = 1\n") + len, ALLOW, sizeof(ALLOW));
	done = read_text(text);
	free(text);
	return done;
}

START_TEST(long_line)
{
	ck_assert(read_long_line(65536));
	ck_assert(!read_long_line(65537));
	check_error(EX_CONFIG, 2, "longer than 65536 bytes");
	ck_assert(!read_long_line(1024 * 1024));
	check_error(EX_CONFIG, 2, "longer than 65536 bytes");
}
END_TEST

START_TEST(long_value)
{
	static char text[70000];
	int len = snprintf(text, sizeof(text), "pid_file = \"/");

	memset(text + len, 'x', 65000);
	(void)snprintf(text + len + 65000, 100, "\"");
	read_good(text);
	ck_assert_uint_eq(settings.pid_file.len, 65001);
	memset(text + len, '*', 65000);
	text[len - 1] = '*'; /* no path, and a long message */
	ck_assert(!read_text(text));
	check_error(EX_CONFIG, 1, "pid_file: \"***");
}
END_TEST

/*
 * The file.
 */

static bool
read_conf(void)
{
	return settings_read(
	    files_path(&files, "conf"), arena, &settings, &error);
}

START_TEST(missing_file)
{
	ck_assert(!read_conf());
	check_error(EX_NOINPUT, 0, "No such file");
}
END_TEST

/* In a process of its own: one that was another user for a while cannot be
 * looked at by the sanitizers any more. */
START_TEST(unreadable_file)
{
	pid_t child;
	int status;

	ck_assert_int_eq(chmod(files_write(&files, "conf", ALLOW), 0), 0);
	child = fork();
	if (child == 0) {
		if (geteuid() == 0 && seteuid(65534) != 0)
			_exit(1);
		if (read_conf() || error.exit_code != EX_NOPERM ||
		    strstr(error.text, "Permission denied") == NULL)
			_exit(2);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(directory_as_file)
{
	ck_assert_int_eq(mkdir(files_path(&files, "conf"), 0755), 0);
	ck_assert(!read_conf());
	check_error(EX_NOINPUT, 0, "not a regular file");
}
END_TEST

START_TEST(fifo_as_file)
{
	ck_assert_int_eq(mkfifo(files_path(&files, "conf"), 0644), 0);
	ck_assert(!read_conf());
	check_error(EX_NOINPUT, 0, "not a regular file");
}
END_TEST

static const mode_t unsafe_modes[] = {0664, 0646, 0666, 0622, 0777};

/* allow_unsafe_files in the file itself does not excuse the file. */
START_TEST(writable_file)
{
	ck_assert_int_eq(
	    chmod(files_write(&files, "conf", ALLOW), unsafe_modes[_i]), 0);
	ck_assert(!read_conf());
	check_error(EX_NOPERM, 0, "group or others may write this file");
}
END_TEST

START_TEST(writable_directory)
{
	ck_assert(!read_text("max_hops = 3\n"));
	check_error(EX_NOPERM, 0, "/tmp is writable by everybody");
	ck_assert(strstr(error.text, "allow_unsafe_files") != NULL);
	ck_assert(read_text("max_hops = 3\nallow_unsafe_files = yes\n"));
}
END_TEST

START_TEST(safe_directory)
{
	struct files safe;
	const char *path;
	bool done;

	if (!files_make_safe(&safe))
		return;
	path = files_write(&safe, "conf", "max_hops = 3\n");
	done = settings_read(path, arena, &settings, &error);
	files_remove(&safe);
	ck_assert_msg(done, "%s", error.text);
	ck_assert_str_eq(value_of("max_hops"), "3");
}
END_TEST

/*
 * Threads: the library can do one at a time.
 */

enum { THREADS = 4, ROUNDS = 50 };

struct reader {
	pthread_t thread;
	const char *path;
	unsigned hops;
	unsigned wrong;
};

static void *
read_again_and_again(void *context)
{
	struct reader *reader = context;

	for (int i = 0; i < ROUNDS; i++) {
		struct arena *own = arena_new(0);
		struct settings said = {0};

		if (!settings_read(reader->path, own, &said, NULL) ||
		    said.options.max_hops != reader->hops ||
		    said.local_domain.count != reader->hops)
			reader->wrong++;
		arena_free(own);
	}
	return NULL;
}

static const char *
write_for_reader(unsigned number)
{
	struct strbuf text;
	char name[20];

	strbuf_init(&text, arena);
	strbuf_printf(&text, "max_hops = %u\nlocal_domain = {", number);
	for (unsigned i = 0; i < number; i++)
		strbuf_printf(&text, "\"d%u\",\n", i);
	strbuf_add(&text, SLICE("}" ALLOW));
	(void)snprintf(name, sizeof(name), "conf%u", number);
	return files_write(&files, name, text.data);
}

START_TEST(threads_read_at_once)
{
	struct reader readers[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		readers[i] = (struct reader){.hops = 10 + i};
		readers[i].path = arena_cstr(
		    arena, slice_from_cstr(write_for_reader(10 + i)));
	}
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&readers[i].thread, NULL,
				     read_again_and_again, &readers[i]),
		    0);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(readers[i].thread, NULL), 0);
		ck_assert_uint_eq(readers[i].wrong, 0);
	}
}
END_TEST

static Suite *
settings_suite(void)
{
	Suite *suite = suite_create("settings");
	TCase *good = tcase_create("good");
	TCase *bad = tcase_create("bad");
	TCase *file = tcase_create("file");

	tcase_add_checked_fixture(good, set_up, tear_down);
	tcase_add_checked_fixture(bad, set_up, tear_down);
	tcase_add_checked_fixture(file, set_up, tear_down);
	tcase_set_timeout(good, 60);
	suite_add_tcase(suite, good);
	suite_add_tcase(suite, bad);
	suite_add_tcase(suite, file);
	tcase_add_loop_test(good, default_value, 0, COUNT(defaults));
	tcase_add_test(good, words_are_all_known_here);
	tcase_add_test(good, defaults_as_fields);
	tcase_add_loop_test(good, good_value, 0, COUNT(goods));
	tcase_add_loop_test(good, option_field, 0, COUNT(options));
	tcase_add_test(good, whole_example);
	tcase_add_test(good, section);
	tcase_add_test(good, long_list);
	tcase_add_test(good, value_tells_what_is_kept);
	tcase_add_test(good, threads_read_at_once);
	tcase_add_loop_test(bad, bad_text, 0, COUNT(bads));
	tcase_add_test(bad, error_may_be_null);
	tcase_add_test(bad, nul_byte);
	tcase_add_test(bad, long_line);
	tcase_add_test(bad, long_value);
	tcase_add_test(file, missing_file);
	tcase_add_test(file, unreadable_file);
	tcase_add_test(file, directory_as_file);
	tcase_add_test(file, fifo_as_file);
	tcase_add_loop_test(file, writable_file, 0, COUNT(unsafe_modes));
	tcase_add_test(file, writable_directory);
	tcase_add_test(file, safe_directory);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(settings_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
