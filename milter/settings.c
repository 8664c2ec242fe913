/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * milterd.conf: the words' table, the file, and libConfuse.
 *
 * The library is given text that settings_scan.c has cleared of its traps, and
 * every value passes as text through on_value(), while the library still knows
 * its line, to be judged by the row of the table (settings_value.c).
 *
 * Mutable global: the reading under way, because the library hands no context
 * to its callbacks. Guarded by `one_at_a_time`, as is the library's scanner.
 */
#include "milter/settings_private.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "maps/safe_file.h"
#include "maps/text.h"

/* clang-format off */
static const struct choice bools[] = {
	{"no", 0}, {"yes", 1}, {"false", 0}, {"true", 1}, {"off", 0}, {"on", 1}, {NULL, 0},
};
static const struct choice delays[] = {
	{"no", DELAY_NO}, {"yes", DELAY_YES}, {"friend", DELAY_FRIEND}, {"hater", DELAY_HATER},
	{"false", DELAY_NO}, {"true", DELAY_YES}, {"off", DELAY_NO}, {"on", DELAY_YES}, {NULL, 0},
};
static const struct choice relay_froms[] = {
	{"no", RELAY_FROM_NO}, {"address", RELAY_FROM_ADDRESS}, {"domain", RELAY_FROM_DOMAIN},
	{"false", RELAY_FROM_NO}, {"off", RELAY_FROM_NO}, {NULL, 0},
};
static const struct choice sources[] = {
	{"mta", CLIENT_FROM_MTA}, {"dns", CLIENT_FROM_DNS}, {NULL, 0},
};

static const struct choice larges[] = {
	{"pass", LARGE_PASS}, {"defer", LARGE_DEFER}, {"reject", LARGE_REJECT}, {NULL, 0},
};

#define FIELD(kind, place, ...) .field = &(const struct settings_field){ \
	.type = (kind), .at = offsetof(struct settings, place), __VA_ARGS__}
#define STRING(place, judged) .type = "string", \
	FIELD(FIELD_STRING, place, .judge = settings_judge_##judged)
#define LIST(place, judged) .type = "list", .initial = "", \
	FIELD(FIELD_LIST, place, .judge = settings_judge_##judged)
#define BOOL(place) .type = "bool", .initial = "no", FIELD(FIELD_BOOL, place, .choices = bools)
#define CHOICE(place, from, texts) .type = (texts), FIELD(FIELD_CHOICE, place, .choices = (from))
#define NUMBER(place, least, most) .type = "number", \
	FIELD(FIELD_NUMBER, place, .min = (least), .max = (most))
#define DURATION(place, least, most) .type = "duration", \
	FIELD(FIELD_DURATION, place, .min = (least), .max = (most))

#define LONGEST_MS (3650L * 86400 * 1000)

static const struct settings_word words[] = {
	{.name = "socket", STRING(socket, socket), .initial = "", .is_fixed = true,
	    .help = "Where the MTA's milter protocol is served: unix:/path or inet:port@host."},
	{.name = "policy_socket", STRING(policy_socket, socket), .initial = "", .is_fixed = true,
	    .help = "Where Postfix's policy delegation protocol is served; empty: nowhere."},
	{.name = "socketmap_socket", STRING(socketmap_socket, socket), .initial = "", .is_fixed = true,
	    .help = "Where the maps are served by the socketmap protocol; empty: nowhere."},
	{.name = "control_socket", STRING(control_socket, socket), .initial = "", .is_fixed = true,
	    .help = "Where milterctl finds the daemon; empty: nowhere."},
	{.name = "user", STRING(user, account), .initial = "", .is_fixed = true,
	    .help = "The user to become once the sockets are open; empty: whoever started it."},
	{.name = "group", STRING(group, account), .initial = "", .is_fixed = true,
	    .help = "The group to become, and the group of the sockets; empty: the user's own."},
	{.name = "socket_mode", .type = "mode", .initial = "0660", .is_fixed = true,
	    FIELD(FIELD_MODE, socket_mode, .min = 0, .max = 0777),
	    .help = "The permissions of unix sockets, in octal."},
	{.name = "pid_file", STRING(pid_file, path), .initial = "", .is_fixed = true,
	    .help = "The file that holds the process id; empty: none."},
	{.name = "state_directory", STRING(state_directory, path), .initial = "", .is_fixed = true,
	    .help = "Where milterd keeps what must outlive it: mail to be sent, who was answered; empty: nothing."},
	{.name = "sendmail_path", STRING(sendmail_path, path), .initial = "/usr/sbin/sendmail", .is_fixed = true,
	    .help = "The command that takes copies and replies in, as sendmail(8)."},
	{.name = "log_facility", STRING(log_facility, facility), .initial = "mail", .is_fixed = true,
	    .help = "The syslog facility of the maillog."},
	{.name = "log_level", NUMBER(log_level, 0, 99), .initial = "9",
	    .help = "How much is logged, as sendmail's LogLevel."},
	{.name = "hostname", STRING(hostname, hostname), .initial = "",
	    .help = "The name of this mail server, sendmail's $j; empty: the machine's own."},
	{.name = "local_domain", LIST(local_domain, name),
	    .help = "The domains that are ours (class w): names, and /files of names."},
	{.name = "relay_domain", LIST(relay_domain, name),
	    .help = "The hosts, domains and nets that may relay (class R): names, and /files of names."},
	{.name = "access", LIST(access, map),
	    .help = "The access map: a text file, or several, of which the first that has a key counts."},
	{.name = "recipes", LIST(recipes, path),
	    .help = "Files of recipes in procmail's language, run for every recipient."},
	{.name = "user_recipes", STRING(user_recipes, user_file), .initial = "",
	    .help = "Where users' own recipes are: a path with %u, %d or %h; empty: they have none."},
	{.name = "folder_address", STRING(folder_address, folder_address), .initial = "%u+%f@%d",
	    .help = "The address of a user's folder: %u is the user, %f the folder, %d the domain."},
	{.name = "program_directory", STRING(program_directory, path), .initial = "",
	    .help = "The programs that recipes may run; empty: none."},
	{.name = "program_time", NUMBER(limits.program_seconds, 1, 240), .initial = "60",
	    .help = "Seconds for all programs of one message; it is deferred then."},
	{.name = "max_message_kept", .type = "size", .initial = "10485760",
	    FIELD(FIELD_SIZE, limits.body_kept, .min = 65536, .max = 1024 * 1024 * 1024),
	    .help = "The largest message that recipes see, k, M or G behind the number."},
	{.name = "large_messages", CHOICE(large_messages, larges, "pass|defer|reject"),
	    .initial = "pass",
	    .help = "What becomes of a message that is too large for the recipes."},
	{.name = "domaintable", LIST(domaintable, map),
	    .help = "What domains are really called: senders and recipients, before anything else."},
	{.name = "virtusertable", LIST(virtusertable, map),
	    .help = "What recipients in our domains become: addresses, or errors."},
	{.name = "virtuser_domain", LIST(virtuser_domain, name),
	    .help = "More domains for the virtusertable (class VirtHost): names, and /files of names."},
	{.name = "virtuser_entire_domain", BOOL(options.virtuser_entire_domain),
	    .help = "virtuser_domain covers what is below its domains."},
	{.name = "aliases", LIST(aliases, map),
	    .help = "What local users stand for: files of aliases(5); of several the first that has a name counts."},
	{.name = "redirect", BOOL(options.redirect),
	    .help = "Aliases to user@host.REDIRECT are refused: 551 User has moved."},
	{.name = "luser_relay", STRING(options.luser_relay, luser_relay), .initial = "",
	    .help = "Where mail for unknown local users goes: host, local:user or error:text; empty: the MTA."},
	{.name = "mailertable", LIST(mailertable, map),
	    .help = "The routes of domains that are not ours, served by socketmap."},
	{.name = "genericstable", LIST(genericstable, map),
	    .help = "What senders become: users, and addresses in generics_domain."},
	{.name = "generics_domain", LIST(generics_domain, name),
	    .help = "The domains of the genericstable (class G): names, and /files of names."},
	{.name = "generics_entire_domain", BOOL(options.generics_entire_domain),
	    .help = "generics_domain covers what is below its domains."},
	{.name = "masquerade_as", STRING(options.masquerade_as, hostname), .initial = "",
	    .help = "The domain that senders here get instead of their own; empty: no masquerading."},
	{.name = "masquerade_domain", LIST(masquerade_domain, name),
	    .help = "The domains to masquerade beside local_domain (class M): names, and /files of names."},
	{.name = "masquerade_exception", LIST(masquerade_exception, name),
	    .help = "The hosts and domains not to masquerade (class N): names, and /files of names."},
	{.name = "exposed_user", LIST(exposed_user, name),
	    .help = "The users not to masquerade (class E): names, and /files of names."},
	{.name = "masquerade_entire_domain", BOOL(options.masquerade_entire_domain),
	    .help = "masquerade_domain covers what is below its domains."},
	{.name = "masquerade_envelope", BOOL(options.masquerade_envelope),
	    .help = "Masquerade the envelope sender too, not only headers."},
	{.name = "allmasquerade", BOOL(options.allmasquerade),
	    .help = "Masquerade recipients in headers too."},
	{.name = "limited_masquerade", BOOL(options.limited_masquerade),
	    .help = "Masquerade masquerade_domain alone, local_domain not."},
	{.name = "always_add_domain", BOOL(options.always_add_domain),
	    .help = "Add a domain to addresses without one in local mail too."},
	{.name = "trust_auth_mech", LIST(trust_auth_mech, name),
	    .help = "The SMTP AUTH mechanisms whose users may relay."},
	{.name = "require_auth", BOOL(options.require_auth),
	    .help = "Refuse mail from clients that have not authenticated."},
	{.name = "delay_checks", CHOICE(options.delay_checks, delays, "no|yes|friend|hater"),
	    .initial = "no",
	    .help = "Judge client and sender at RCPT only; there friends are spared, or haters alone checked."},
	{.name = "relay_mail_from", CHOICE(options.relay_mail_from, relay_froms, "no|address|domain"),
	    .initial = "no",
	    .help = "Relay for senders that the access map lists with RELAY, or for their domains. Forgeable."},
	{.name = "blocklist_recipients", BOOL(options.blocklist_recipients),
	    .help = "Refuse recipients that the access map refuses."},
	{.name = "relay_hosts_only", BOOL(options.relay_hosts_only),
	    .help = "Names in relay_domain and with RELAY mean that host alone, nothing below it."},
	{.name = "relay_entire_domain", BOOL(options.relay_entire_domain),
	    .help = "Relay for every host in the domain of this server."},
	{.name = "relay_local_from", BOOL(options.relay_local_from),
	    .help = "Relay where the sender claims to be of a local domain. Forgeable."},
	{.name = "relay_based_on_MX", BOOL(options.relay_based_on_mx),
	    .help = "Relay to domains that have this server as MX."},
	{.name = "promiscuous_relay", BOOL(options.promiscuous_relay),
	    .help = "Relay for everybody: an open relay, unless something else forbids it."},
	{.name = "loose_relay_check", BOOL(options.loose_relay_check),
	    .help = "Let user%other@host pass where host may relay, whatever other is."},
	{.name = "accept_unresolvable_domains", BOOL(options.accept_unresolvable_domains),
	    .help = "Accept senders whose domain the DNS does not know."},
	{.name = "accept_unqualified_senders", BOOL(options.accept_unqualified_senders),
	    .help = "Accept senders without a domain."},
	{.name = "lookupdotdomain", BOOL(options.lookupdotdomain),
	    .help = "Look up .domain keys in the access map too."},
	{.name = "relaytofulladdress", BOOL(options.relaytofulladdress),
	    .help = "Let To:user@domain RELAY grant relaying to that one address."},
	{.name = "require_rdns", BOOL(options.require_rdns),
	    .help = "Refuse clients whose reverse and forward DNS do not agree."},
	{.name = "block_bad_helo", BOOL(options.block_bad_helo),
	    .help = "Refuse clients that greet with a name that cannot be theirs."},
	{.name = "use_client_ptr", BOOL(options.use_client_ptr),
	    .help = "Look up the client's reverse name at connect even where it is not confirmed."},
	{.name = "nocanonify", BOOL(options.nocanonify),
	    .help = "Do not ask the DNS what the domains of addresses are really called."},
	{.name = "dnsbl", LIST(dnsbl, dnsbl),
	    .help = "DNS lists of clients to refuse: zone, or zone and the text of the refusal."},
	{.name = "enhdnsbl", LIST(enhdnsbl, dnsbl),
	    .help = "As dnsbl, but as sendmail's enhdnsbl treats them."},
	{.name = "max_message_size", .type = "size", .initial = "0",
	    FIELD(FIELD_SIZE, options.max_message_size, .min = 0),
	    .help = "The largest message in bytes, k, M or G behind the number; 0: no limit."},
	{.name = "max_hops", NUMBER(options.max_hops, 0, 100000), .initial = "25",
	    .help = "How many Received: lines a message may have; 0: no limit."},
	{.name = "max_recipients", NUMBER(limits.recipients, 1, 1000000), .initial = "10000",
	    .help = "Recipients of one message, where they are rewritten; the others get 452."},
	{.name = "max_header_lines", NUMBER(limits.header_lines, 1, 100000), .initial = "1000",
	    .help = "Address header fields of one message, where they are rewritten."},
	{.name = "max_header_bytes", .type = "size", .initial = "1048576",
	    FIELD(FIELD_SIZE, limits.header_bytes, .min = 1024),
	    .help = "Bytes in these fields, k, M or G behind the number."},
	{.name = "max_reply_length", NUMBER(limits.reply_length, 64, 960), .initial = "960",
	    .help = "Bytes of the text of an SMTP reply; the rest is cut off."},
	{.name = "max_request_size", .type = "size", .initial = "16384", .is_fixed = true,
	    FIELD(FIELD_SIZE, limits.request_size, .min = 1024, .max = 1024 * 1024),
	    .help = "Bytes of a request to the policy service or the socketmap service."},
	{.name = "max_clients", NUMBER(limits.clients, 1, 100000), .initial = "2000", .is_fixed = true,
	    .help = "Connections to each of these two services at once."},
	{.name = "max_control_clients", NUMBER(limits.control_clients, 1, 10000), .initial = "64",
	    .is_fixed = true,
	    .help = "Connections to the control socket at once."},
	{.name = "max_dynamic_entries", NUMBER(limits.dynamic_entries, 1, 10000000),
	    .initial = "100000", .is_fixed = true,
	    .help = "Dynamic entries of the access map at once."},
	{.name = "max_spool_entries", NUMBER(limits.spool_entries, 1, 10000000), .initial = "10000",
	    .is_fixed = true,
	    .help = "Copies and replies that wait to be sent; mail that needs more of them is deferred."},
	{.name = "max_spool_bytes", .type = "size", .initial = "1073741824", .is_fixed = true,
	    FIELD(FIELD_SIZE, limits.spool_bytes, .min = 65536),
	    .help = "Bytes of these, k, M or G behind the number."},
	{.name = "vacation_message", STRING(vacation.message, user_file), .initial = "",
	    .help = "Where users' vacation messages are: a path with %u, %d or %h; empty: no vacation."},
	{.name = "vacation_interval", DURATION(vacation.interval_ms, 1000, LONGEST_MS),
	    .initial = "7d",
	    .help = "How long a sender who was answered is not answered again."},
	{.name = "vacation_interval_min", DURATION(vacation.interval_min_ms, 1000, LONGEST_MS),
	    .initial = "1d",
	    .help = "The shortest such time that a user's own message can have."},
	{.name = "vacation_exclude", LIST(vacation.exclude, sender),
	    .help = "Senders whom nobody answers: user@domain, @domain, @.domain, user."},
	{.name = "vacation_submitted", .type = "bool", .initial = "yes",
	    FIELD(FIELD_BOOL, vacation.answers_submitted, .choices = bools),
	    .help = "Answer mail of authenticated clients, and mail that did not come by SMTP, too."},
	{.name = "vacation_rate", NUMBER(vacation.rate, 0, 1000000), .initial = "60",
	    .help = "How many vacation replies are sent in a minute; 0: no limit."},
	{.name = "client_resolve", CHOICE(client_resolve, sources, "mta|dns"), .initial = "mta",
	    .help = "Who finds the client's name: the MTA where it tells, or milterd itself."},
	{.name = "resolver", STRING(resolver, resolver), .initial = "", .is_fixed = true,
	    .help = "The DNS server, address:port; empty: those of /etc/resolv.conf."},
	{.name = "redis.server", STRING(redis.server, redis_server), .initial = "", .is_fixed = true,
	    .help = "The Redis that nodes share: unix:/path or inet:port@host; empty: none."},
	{.name = "redis.sentinels", LIST(redis.sentinels, redis_sentinel), .is_fixed = true,
	    .help = "Instead of a server: sentinels that know where the master is, inet:port@host."},
	{.name = "redis.master", STRING(redis.master, account), .initial = "", .is_fixed = true,
	    .help = "The master's name among the sentinels."},
	{.name = "redis.user", STRING(redis.user, account), .initial = "", .is_fixed = true,
	    .help = "The user to log in as; empty: the default user of Redis."},
	{.name = "redis.password_file", STRING(redis.password_file, path), .initial = "",
	    .is_fixed = true,
	    .help = "The file whose first line is the password; for its owner alone."},
	{.name = "redis.sentinel_password_file", STRING(redis.sentinel_password_file, path),
	    .initial = "", .is_fixed = true,
	    .help = "The same for the sentinels; empty: they ask for none."},
	{.name = "redis.database", NUMBER(redis.database, 0, 1000000), .initial = "0",
	    .is_fixed = true,
	    .help = "The number of the database."},
	{.name = "redis.prefix", STRING(redis.prefix, redis_prefix), .initial = "mlt:",
	    .is_fixed = true,
	    .help = "What all keys and channels begin with."},
	{.name = "redis.timeout", DURATION(redis.timeout_ms, 10, 60 * 1000), .initial = "250ms",
	    .is_fixed = true,
	    .help = "How long one request may take, connecting and all: a number and ms, s or m."},
	{.name = "redis.tls", BOOL(redis.tls), .is_fixed = true,
	    .help = "TLS to the server and the sentinels."},
	{.name = "redis.tls_ca_file", STRING(redis.tls_ca_file, path), .initial = "",
	    .is_fixed = true,
	    .help = "The authorities whose certificates count; empty: those of the system."},
	{.name = "redis.tls_cert_file", STRING(redis.tls_cert_file, path), .initial = "",
	    .is_fixed = true,
	    .help = "The certificate to show the server; empty: none."},
	{.name = "redis.tls_key_file", STRING(redis.tls_key_file, path), .initial = "",
	    .is_fixed = true,
	    .help = "The key of this certificate; for its owner alone."},
	{.name = "redis.tls_server_name", STRING(redis.tls_server_name, redis_name), .initial = "",
	    .is_fixed = true,
	    .help = "The name in the server's certificate; empty: the host that is connected to."},
	{.name = "allow_unsafe_files", BOOL(allow_unsafe_files),
	    .help = "Read files that others may write, or that lie in directories others may write."},
	{.name = NULL},
};
/* clang-format on */

#define WORD_COUNT (sizeof(words) / sizeof(words[0]) - 1)

_Static_assert(WORD_COUNT <= SETTINGS_MAX_WORDS, "struct reading is too small");

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static struct reading *under_way;

const struct settings_word *
settings_words(void)
{
	return words;
}

const struct settings_word *
settings_find_word_in(slice section, slice name)
{
	for (size_t i = 0; i < WORD_COUNT; i++) {
		slice whole = slice_from_cstr(words[i].name);
		slice in = settings_section_of(&words[i]);
		size_t skip = in.len == 0 ? 0 : in.len + 1;

		if (slice_eq_nocase(in, section) &&
		    slice_eq_nocase(slice_from(whole, skip), name))
			return &words[i];
	}
	return NULL;
}

slice
settings_section_of(const struct settings_word *word)
{
	slice name = slice_from_cstr(word->name);
	size_t dot = slice_index(name, '.');

	return dot < name.len ? slice_first(name, dot) : SLICE("");
}

bool
settings_refuse(struct reading *reading, unsigned line, const char *format, ...)
{
	va_list args;
	slice text;

	va_start(args, format);
	text = arena_vprintf(reading->arena, format, args);
	va_end(args);
	reading->failed = true;
	(void)error_at(reading->error, reading->path, line, "%s", text.ptr);
	if (reading->error != NULL)
		reading->error->exit_code = EX_CONFIG;
	return false;
}

/*
 * libConfuse.
 */

static const struct settings_word *
word_of_option(const cfg_t *cfg, const cfg_opt_t *option)
{
	slice section = slice_from_cstr(cfg_name((cfg_t *)cfg));

	return settings_find_word_in(
	    slice_eq(section, SLICE("root")) ? SLICE("") : section,
	    slice_from_cstr(option->name));
}

static int
on_value(cfg_t *cfg, cfg_opt_t *option, const char *value, void *result)
{
	if (!settings_set(under_way, word_of_option(cfg, option),
		slice_from_cstr(value), (unsigned)cfg->line))
		return -1;
	*(const char **)result = value;
	return 0;
}

static __attribute__((format(printf, 2, 0))) void
on_error(cfg_t *cfg, const char *format, va_list args)
{
	slice text;

	if (under_way->failed)
		return;
	text = arena_vprintf(under_way->arena, format, args);
	(void)settings_refuse(under_way, (unsigned)cfg->line, "%s", text.ptr);
}

static cfg_opt_t
option_of_word(const struct settings_word *word, size_t skip)
{
	bool is_list = word->field->type == FIELD_LIST;

	return (cfg_opt_t){
	    .name = word->name + skip,
	    .type = CFGT_STR,
	    .flags = CFGF_NODEFAULT | (is_list ? CFGF_LIST : 0),
	    .parsecb = on_value,
	};
}

/* The words of `section`, or those of none (""); their number is given. */
static size_t
fill_options(cfg_opt_t *options, slice section)
{
	size_t skip = section.len == 0 ? 0 : section.len + 1;
	size_t count = 0;

	for (size_t i = 0; i < WORD_COUNT; i++) {
		if (slice_eq(settings_section_of(&words[i]), section))
			options[count++] = option_of_word(&words[i], skip);
	}
	options[count] = (cfg_opt_t)CFG_END();
	return count;
}

static bool
parse(struct reading *reading, const char *text)
{
	cfg_opt_t in_redis[WORD_COUNT + 1];
	cfg_opt_t options[WORD_COUNT + 2];
	size_t count = fill_options(options, SLICE(""));
	cfg_t *cfg;
	unsigned line;
	bool parsed;

	(void)fill_options(in_redis, SLICE("redis"));
	options[count++] = (cfg_opt_t)CFG_SEC("redis", in_redis, CFGF_NONE);
	options[count] = (cfg_opt_t)CFG_END();
	(void)pthread_mutex_lock(&one_at_a_time);
	under_way = reading;
	cfg = cfg_init(options, CFGF_NOCASE);
	(void)cfg_set_error_function(cfg, on_error);
	parsed = cfg_parse_buf(cfg, text) == CFG_SUCCESS;
	line = (unsigned)cfg->line;
	(void)cfg_free(cfg);
	under_way = NULL;
	(void)pthread_mutex_unlock(&one_at_a_time);
	if (!parsed && !reading->failed)
		return settings_refuse(
		    reading, line, "a word is expected here");
	return parsed;
}

/*
 * The file.
 */

static int
errno_of_reading(const char *path)
{
	return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/* A file that may not be read is another thing than one that is not there. */
static bool
name_exit_code(const char *path, struct error *error)
{
	if (error != NULL && errno_of_reading(path) == EACCES)
		error->exit_code = EX_NOPERM;
	return false;
}

static bool
refuse_mode(struct reading *reading, mode_t mode)
{
	(void)settings_refuse(reading, 0,
	    "group or others may write this file (mode %04o)",
	    (unsigned)mode & 07777);
	if (reading->error != NULL)
		reading->error->exit_code = EX_NOPERM;
	return false;
}

static bool
read_file(struct reading *reading, struct text_file *ret_file)
{
	if (!text_file_read(
		reading->path, true, reading->arena, ret_file, reading->error))
		return name_exit_code(reading->path, reading->error);
	if ((ret_file->stat.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return refuse_mode(reading, ret_file->stat.st_mode);
	return true;
}

/* Known only when the file has been read: whether unsafe directories are
 * excused. */
static bool
check_directories(struct reading *reading, const struct text_file *file)
{
	return reading->settings->allow_unsafe_files ||
	       safe_file_check(reading->path, &file->stat, reading->error);
}

static slice
socket_of(const struct settings *settings, const struct settings_word *word)
{
	if (word->field->judge != settings_judge_socket)
		return SLICE("");
	return *(const slice *)(const void *)((const char *)settings +
					      word->field->at);
}

/* Two doors cannot share a socket; and nobody knows who calls the control
 * socket from an inet port. */
static bool
check_sockets(struct reading *reading)
{
	for (size_t i = 0; i < WORD_COUNT; i++) {
		slice one = socket_of(reading->settings, &words[i]);

		if (strcmp(words[i].name, "control_socket") == 0 &&
		    one.len > 0 &&
		    !slice_has_prefix_nocase(one, SLICE("unix:")))
			return settings_refuse(reading, reading->set_at[i],
			    "%s must be a unix socket", words[i].name);
		for (size_t j = 0; j < i && one.len > 0; j++) {
			slice other = socket_of(reading->settings, &words[j]);

			if (slice_eq(one, other))
				return settings_refuse(reading,
				    reading->set_at[i], "%s is the same as %s",
				    words[i].name, words[j].name);
		}
	}
	return true;
}

static bool
refuse_redis(struct reading *reading, const char *name, const char *problem)
{
	const struct settings_word *word =
	    settings_find_word_in(SLICE("redis"), slice_from_cstr(name));

	return settings_refuse(
	    reading, reading->set_at[word - words], "%s", problem);
}

static bool
check_redis(struct reading *reading)
{
	const struct redis_settings *redis = &reading->settings->redis;
	bool has_sentinels = redis->sentinels.count > 0;

	if (has_sentinels && redis->server.len > 0)
		return refuse_redis(reading, "sentinels",
		    "redis: either server or sentinels, both are set");
	if (has_sentinels && redis->master.len == 0)
		return refuse_redis(reading, "sentinels",
		    "redis: sentinels need the name of their master");
	if (!has_sentinels && redis->master.len > 0)
		return refuse_redis(reading, "master",
		    "redis: master is a name among sentinels, which are not "
		    "set");
	if (redis->tls_cert_file.len > 0 && redis->tls_key_file.len == 0)
		return refuse_redis(reading, "tls_cert_file",
		    "redis: tls_cert_file needs tls_key_file");
	if (redis->tls_key_file.len > 0 && redis->tls_cert_file.len == 0)
		return refuse_redis(reading, "tls_key_file",
		    "redis: tls_key_file needs tls_cert_file");
	if (redis->tls &&
	    slice_has_prefix_nocase(redis->server, SLICE("unix:")))
		return refuse_redis(reading, "tls",
		    "redis: TLS is for inet servers, not for a unix socket");
	return true;
}

static bool
check_vacation(struct reading *reading)
{
	const struct settings *settings = reading->settings;
	const struct settings_word *word =
	    settings_find_word_in(SLICE(""), SLICE("vacation_message"));

	if (settings->vacation.message.len == 0 ||
	    settings->state_directory.len > 0)
		return true;
	return settings_refuse(reading, reading->set_at[word - words],
	    "vacation_message needs a state_directory, where replies wait");
}

static void
set_initial(struct reading *reading)
{
	for (size_t i = 0; i < WORD_COUNT; i++) {
		slice value = slice_from_cstr(words[i].initial);

		if (value.len > 0)
			(void)settings_set(reading, &words[i], value, 0);
	}
}

bool
settings_read(const char *path, struct arena *arena,
    struct settings *ret_settings, struct error *error)
{
	struct settings settings = {.path = path};
	struct reading reading = {
	    .path = path,
	    .arena = arena,
	    .settings = &settings,
	    .error = error,
	};
	struct text_file file;
	char *text;

	if (!read_file(&reading, &file))
		return false;
	set_initial(&reading);
	text = arena_cstr(arena, file.content);
	if (!settings_scan(&reading, text, file.content.len) ||
	    !parse(&reading, text) || !check_sockets(&reading) ||
	    !check_redis(&reading) || !check_vacation(&reading) ||
	    !check_directories(&reading, &file))
		return false;
	settings.path = arena_cstr(arena, slice_from_cstr(path));
	*ret_settings = settings;
	return true;
}
