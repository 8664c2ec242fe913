/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names and addresses, asked of real servers on the loopback: dnsmasq for what
 * a healthy name server says, a server of our own for what a sick or hostile
 * one does, a port that nobody listens on, and a socket that nobody reads.
 */
#include "milter/resolver.h"

#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	PACKET_SIZE = 512,
	TYPE_A = 1,
	TYPE_CNAME = 5,
	TYPE_PTR = 12,
	TYPE_MX = 15,
	POINTERS = 200,
};

static char directory[] = "/tmp/milterd-resolver-XXXXXX";
static char hosts_path[sizeof(directory) + 16];
static pid_t dnsmasq_pid;
static unsigned dnsmasq_port;
static pid_t sick_pid;
static unsigned sick_port;
static int dead_fd;
static unsigned dead_port;
static int stalled_fd;
static unsigned stalled_port;

/* Questions that the sick server got; shared with its process. */
static atomic_uint *sick_questions;

/* Servers */

static int
bind_udp(unsigned *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static unsigned
free_port(void)
{
	unsigned port;

	(void)close(bind_udp(&port));
	return port;
}

/* A socket that takes from itself alone: who else sends to its port is told
 * that nobody is there, and nobody else can have the port. */
static int
bind_dead(unsigned *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = bind_udp(ret_port);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)*ret_port);
	ck_assert_int_eq(
	    connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
sleep_ms(long ms)
{
	struct timespec nap = {
	    .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	(void)nanosleep(&nap, NULL);
}

static const char dnsmasq_names[] =
    "no-resolv\nno-hosts\nno-poll\nlocal=/#/\nlocal=//\nbind-interfaces\n"
    "listen-address=127.0.0.1\npid-file=\nlog-facility=/dev/null\n"
    "host-record=good.test,192.0.2.83\n"
    "mx-host=good.test,b.good.test,20\n"
    "mx-host=good.test,A.Good.Test,10\n"
    "host-record=only-a.test,192.0.2.84\n"
    "host-record=only-six.test,2001:db8::6\n"
    "mx-host=only-mx.test,mail.elsewhere.test,10\n"
    "dns-rr=null-mx.test,15,000000\n"
    "txt-record=null-mx.test,x\n"
    "txt-record=only-text.test,x\n"
    "cname=alias.test,good.test\n"
    "cname=alias-a.test,only-a.test\n"
    "cname=alias-alias.test,alias.test\n"
    "host-record=single,192.0.2.85\n"
    "host-record=both.test,192.0.2.86,2001:db8::86\n"
    "host-record=in-hosts.test,192.0.2.87\n"
    "ptr-record=50.100.51.198.in-addr.arpa,good.test\n"
    "ptr-record=51.100.51.198.in-addr.arpa,nowhere.test\n"
    "ptr-record=52.100.51.198.in-addr.arpa,only-mx.test\n"
    "ptr-record=53.100.51.198.in-addr.arpa,in-hosts.test\n"
    "ptr-record=54.100.51.198.in-addr.arpa,only-six.test\n"
    "address=/2.0.0.127.bl.test/127.0.0.2\n";

static const char hosts_text[] = "127.0.0.1 localhost\n"
				 "::1 localhost\n"
				 "192.0.2.25 mx.home.test mx\n"
				 "10.0.0.55 short.only aliased.only\n"
				 "10.9.9.9 in-hosts.test\n";

static void
write_files(void)
{
	char path[sizeof(directory) + 16];
	FILE *file;

	(void)snprintf(hosts_path, sizeof(hosts_path), "%s/hosts", directory);
	file = fopen(hosts_path, "w");
	ck_assert_ptr_nonnull(file);
	(void)fputs(hosts_text, file);
	(void)fclose(file);
	(void)snprintf(path, sizeof(path), "%s/conf", directory);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	(void)fprintf(file, "port=%u\n%s", dnsmasq_port, dnsmasq_names);
	if (geteuid() == 0)
		(void)fputs("user=root\n", file);
	for (int i = 0; i < POINTERS; i++)
		(void)fprintf(file,
		    "ptr-record=60.100.51.198.in-addr.arpa,p%d.test\n"
		    "host-record=p%d.test,198.51.100.60\n",
		    i, i);
	(void)fclose(file);
}

static void
remove_files(void)
{
	char path[sizeof(directory) + 16];

	(void)snprintf(path, sizeof(path), "%s/conf", directory);
	(void)unlink(path);
	(void)unlink(hosts_path);
	(void)rmdir(directory);
}

static pid_t
start_dnsmasq(void)
{
	char conf[sizeof(directory) + 32];
	pid_t pid;

	(void)snprintf(conf, sizeof(conf), "--conf-file=%s/conf", directory);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)execl("/usr/sbin/dnsmasq", "dnsmasq", "--keep-in-foreground",
	    conf, (char *)NULL);
	perror("/usr/sbin/dnsmasq (Debian package dnsmasq-base)");
	_exit(127);
}

static size_t
put_question(unsigned char *packet, const char *name)
{
	size_t len = 12;

	memcpy(packet, "\x12\x34\x01\0\0\1\0\0\0\0\0\0", 12);
	while (*name != '\0') {
		size_t label = strcspn(name, ".");

		packet[len++] = (unsigned char)label;
		memcpy(packet + len, name, label);
		len += label;
		name += label + (name[label] == '.');
	}
	memcpy(packet + len, "\0\0\1\0\1", 5);
	return len + 5;
}

static bool
server_answers(unsigned port, const char *name)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct timeval patience = {.tv_usec = 100000};
	unsigned char packet[PACKET_SIZE];
	size_t len = put_question(packet, name);
	unsigned own_port;
	int fd = bind_udp(&own_port);
	ssize_t got;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)port);
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)connect(fd, (struct sockaddr *)&address, sizeof(address));
	(void)send(fd, packet, len, 0);
	got = recv(fd, packet, sizeof(packet), 0);
	(void)close(fd);
	return got > 0;
}

static void
wait_for_server(unsigned port, const char *name)
{
	for (int i = 0; i < 200; i++) {
		if (server_answers(port, name))
			return;
		sleep_ms(25);
	}
	ck_abort_msg("no answer from the server on port %u", port);
}

/* The sick server: what it does is the first label of the name. */

struct reply {
	unsigned char packet[4096];
	size_t len;
};

static void
put(struct reply *reply, const void *bytes, size_t len)
{
	memcpy(reply->packet + reply->len, bytes, len);
	reply->len += len;
}

static void
put_wire_name(struct reply *reply, const char *name)
{
	while (*name != '\0') {
		size_t label = strcspn(name, ".");
		unsigned char len = (unsigned char)label;

		put(reply, &len, 1);
		put(reply, name, label);
		name += label + (name[label] == '.');
	}
	put(reply, "", 1);
}

/* A record with the question's name as owner. */
static void
put_record(struct reply *reply, unsigned type, const void *data, size_t len)
{
	unsigned char head[12] = {0xc0, 12, 0, (unsigned char)type, 0, 1, 0, 0,
	    0, 1, (unsigned char)(len >> 8), (unsigned char)(len & 0xff)};

	put(reply, head, sizeof(head));
	put(reply, data, len);
	reply->packet[7]++;
}

static void
put_name_record(struct reply *reply, unsigned type, const char *target)
{
	struct reply data = {.len = 0};

	put_wire_name(&data, target);
	put_record(reply, type, data.packet, data.len);
}

static const struct {
	const char *label;
	unsigned type; /* 0: whatever is asked */
	unsigned rcode;
	const char *target; /* of a CNAME or PTR record */
} sick_answers[] = {
    {"servfail", 0, 2, NULL},
    {"refused", 0, 5, NULL},
    {"notimp", 0, 4, NULL},
    {"failing-a", TYPE_A, 2, NULL},
    {"failing-mx", TYPE_MX, 2, NULL},
    {"step1", 0, 0, "step2.sick.test"},
    {"step2", 0, 0, "step3.sick.test"},
    {"dangling", 0, 3, "nowhere.sick.test"},
    {"half", 0, 0, "nxdomain.sick.test"},
    {"to-failing", 0, 0, "servfail.sick.test"},
    {"loop1", 0, 0, "loop2.sick.test"},
    {"loop2", 0, 0, "loop1.sick.test"},
    {"self", 0, 0, "self.sick.test"},
    {"nxdomain", 0, 3, NULL},
    {"1", TYPE_PTR, 0, "servfail.sick.test"},
    {"2", TYPE_PTR, 0, "silent.sick.test"},
    {"3", TYPE_PTR, 2, NULL},
    {"4", TYPE_PTR, 0, "a\nb.test"},
    {"5", TYPE_PTR, 0, "a\"b.test"},
    {"6", TYPE_PTR, 0, "10.0.0.6"},
    {"7", TYPE_PTR, 0, "half.sick.test"},
    {"8", TYPE_PTR, 0, "failing-mx.sick.test"},
    {"9", TYPE_PTR, 0, ""},
    {"10", TYPE_PTR, 0, "nxdomain.sick.test"},
    {"12", TYPE_PTR, 0, "step1.sick.test"},
};

static bool
is_label(const unsigned char *name, const char *label)
{
	return name[0] == strlen(label) &&
	       strncasecmp((const char *)name + 1, label, name[0]) == 0;
}

static bool
is_family(unsigned type)
{
	return type == TYPE_A || type == TYPE_MX || type == 28;
}

/* Names that are not in the table have the address 10.0.0.8. */
static void
answer_from_table(struct reply *reply, const unsigned char *name, unsigned type)
{
	for (size_t i = 0; i < sizeof(sick_answers) / sizeof(*sick_answers);
	     i++) {
		if (!is_label(name, sick_answers[i].label) ||
		    (sick_answers[i].type != 0 && sick_answers[i].type != type))
			continue;
		reply->packet[3] = (unsigned char)sick_answers[i].rcode;
		if (sick_answers[i].target != NULL)
			put_name_record(reply,
			    is_family(type) ? TYPE_CNAME : TYPE_PTR,
			    sick_answers[i].target);
		return;
	}
	if (type == TYPE_A)
		put_record(reply, TYPE_A, "\x0a\0\0\x08", 4);
}

static void
answer_sickly(struct reply *reply, const unsigned char *name, unsigned type)
{
	if (is_label(name, "garbage")) {
		/* One record promised, and half of it. */
		put(reply, "\xc0\x0c\0\1\0", 5);
		reply->packet[7] = 1;
		return;
	}
	answer_from_table(reply, name, type);
}

static void
serve_one(int fd)
{
	struct sockaddr_in client;
	socklen_t client_len = sizeof(client);
	struct reply reply = {.len = 0};
	size_t end = 12;
	unsigned type;
	ssize_t got = recvfrom(fd, reply.packet, PACKET_SIZE, 0,
	    (struct sockaddr *)&client, &client_len);

	if (got < 17)
		return;
	while (reply.packet[end] != 0)
		end += 1U + reply.packet[end];
	type = (unsigned)(reply.packet[end + 1] << 8 | reply.packet[end + 2]);
	reply.len = end + 5;
	(void)atomic_fetch_add(sick_questions, 1);
	if (is_label(reply.packet + 12, "silent"))
		return;
	reply.packet[2] = 0x81;
	reply.packet[3] = 0;
	memset(reply.packet + 6, 0, 6);
	answer_sickly(&reply, reply.packet + 12, type);
	reply.packet[3] |= 0x80;
	if (is_label(reply.packet + 12, "slow")) {
		if (fork() != 0)
			return;
		sleep_ms(300);
	}
	(void)sendto(fd, reply.packet, reply.len, 0, (struct sockaddr *)&client,
	    client_len);
	if (is_label(reply.packet + 12, "slow"))
		_exit(0);
}

static pid_t
start_sick_server(void)
{
	int fd = bind_udp(&sick_port);
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid != 0) {
		(void)close(fd);
		return pid;
	}
	/* check's own handler would end the whole process group. */
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGCHLD, SIG_IGN);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (;;)
		serve_one(fd);
}

static void
start_servers(void)
{
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	sick_questions = mmap(NULL, sizeof(*sick_questions),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	dead_fd = bind_dead(&dead_port);
	stalled_fd = bind_udp(&stalled_port);
	sick_pid = start_sick_server();
	/* Last: nobody else may be given the port in between. */
	dnsmasq_port = free_port();
	write_files();
	dnsmasq_pid = start_dnsmasq();
	wait_for_server(dnsmasq_port, "good.test");
	wait_for_server(sick_port, "any.sick.test");
}

static void
stop(pid_t pid)
{
	(void)kill(pid, SIGTERM);
	(void)waitpid(pid, NULL, 0);
}

static void
stop_servers(void)
{
	stop(dnsmasq_pid);
	stop(sick_pid);
	(void)close(stalled_fd);
	(void)close(dead_fd);
	remove_files();
}

/* The resolver under test */

static struct resolver *resolver;
static struct resolver_session session;
static struct ports ports;
static struct arena *arena;

static void
use_server(unsigned port, unsigned timeout_ms)
{
	char server[32];
	struct resolver_options options = {
	    .hosts = hosts_path,
	    .timeout_ms = timeout_ms,
	};
	struct error error;

	(void)snprintf(server, sizeof(server), "127.0.0.1:%u", port);
	options.server = slice_from_cstr(server);
	resolver = resolver_new(&options, &error);
	ck_assert_msg(resolver != NULL, "%s", error.text);
	session.resolver = resolver;
	session.deadline = deadline_in(5000);
	resolver_ports(&session, &ports);
}

static void
use_dnsmasq(void)
{
	arena = arena_new(0);
	use_server(dnsmasq_port, 0);
}

static void
use_sick_server(void)
{
	arena = arena_new(0);
	/* The first try, a third of it, is longer than what is slow. */
	use_server(sick_port, 1200);
}

static void
use_stalled_server(void)
{
	arena = arena_new(0);
	use_server(stalled_port, 300);
}

static void
use_dead_port(void)
{
	arena = arena_new(0);
	use_server(dead_port, 1000);
}

static void
end_use(void)
{
	resolver_free(resolver);
	arena_free(arena);
}

static enum world_answer
find_host(const char *name, slice *ret_canonical)
{
	*ret_canonical = SLICE("");
	return ports.find_host(
	    ports.context, arena, slice_from_cstr(name), ret_canonical);
}

static enum world_answer
host_answer(const char *name)
{
	slice canonical;

	return find_host(name, &canonical);
}

static struct client
find_client(const char *address, unsigned budget_ms)
{
	struct client client = {.address = slice_from_cstr(address)};

	resolver_find_client(resolver, arena, deadline_in(budget_ms), &client);
	return client;
}

/* A healthy server */

struct host_row {
	const char *name;
	enum world_answer answer;
	const char *canonical;
};

static const struct host_row hosts_of_dnsmasq[] = {
    {"good.test", WORLD_FOUND, "good.test"},
    {"GOOD.Test", WORLD_FOUND, "good.test"},
    {"only-a.test", WORLD_FOUND, "only-a.test"},
    {"only-six.test", WORLD_FOUND, "only-six.test"},
    {"only-mx.test", WORLD_FOUND, "only-mx.test"},
    {"null-mx.test", WORLD_FOUND, "null-mx.test"},
    {"alias.test", WORLD_FOUND, "good.test"},
    {"alias-a.test", WORLD_FOUND, "only-a.test"},
    {"alias-alias.test", WORLD_FOUND, "good.test"},
    {"only-text.test", WORLD_NONE, ""},
    {"nowhere.test", WORLD_NONE, ""},
    {"sub.good.test", WORLD_NONE, ""},
    /* /etc/hosts, and what has no dot. */
    {"mx", WORLD_FOUND, "mx.home.test"},
    {"MX.home.test", WORLD_FOUND, "mx.home.test"},
    {"aliased.only", WORLD_FOUND, "short.only"},
    {"single", WORLD_NONE, ""},
    /* Addresses, backwards. */
    {"[192.0.2.83]", WORLD_FOUND, "good.test"},
    {"[192.0.2.83]:25", WORLD_FOUND, "good.test"},
    {"[IPv6:2001:db8::6]", WORLD_FOUND, "only-six.test"},
    {"[2001:db8::6]", WORLD_FOUND, "only-six.test"},
    {"[192.0.2.83", WORLD_NONE, ""},
    {"[192.0.2.1]", WORLD_NONE, ""},
    {"[good.test]", WORLD_NONE, ""},
    {"[]", WORLD_NONE, ""},
    {"[", WORLD_NONE, ""},
    /* No names of the DNS at all. */
    {"", WORLD_NONE, ""},
    {".", WORLD_NONE, ""},
    {"a..test", WORLD_NONE, ""},
    {".good.test", WORLD_NONE, ""},
    {"good.test.", WORLD_NONE, ""},
    {"go od.test", WORLD_NONE, ""},
    {"good\\.test.test", WORLD_NONE, ""},
    {"good.test\n", WORLD_NONE, ""},
    {"\xc3\xa4.test", WORLD_NONE, ""},
    {"0123456789012345678901234567890123456789012345678901234567890123."
     "test",
	WORLD_NONE, ""},
};

static void
check_host(const struct host_row *row)
{
	slice canonical;
	enum world_answer answer = find_host(row->name, &canonical);

	ck_assert_msg(answer == row->answer, "%s: %d", row->name, answer);
	ck_assert_msg(slice_eq(canonical, slice_from_cstr(row->canonical)),
	    "%s: " SLICE_FMT, row->name, SLICE_ARG(canonical));
}

START_TEST(host_of_dnsmasq)
{
	check_host(&hosts_of_dnsmasq[_i]);
	/* Once more, from the cache. */
	check_host(&hosts_of_dnsmasq[_i]);
}
END_TEST

START_TEST(host_name_of_300_bytes)
{
	char name[301];

	memset(name, 'a', 300);
	for (int i = 30; i < 300; i += 31)
		name[i] = '.';
	name[300] = '\0';
	ck_assert_int_eq(host_answer(name), WORLD_NONE);
}
END_TEST

static const struct {
	const char *domain;
	enum world_answer answer;
	const char *hosts;
} exchangers[] = {
    {"good.test", WORLD_FOUND, "a.good.test b.good.test"},
    {"only-mx.test", WORLD_FOUND, "mail.elsewhere.test"},
    {"alias.test", WORLD_FOUND, "a.good.test b.good.test"},
    {"Only-A.test", WORLD_FOUND, "only-a.test"},
    {"only-six.test", WORLD_FOUND, "only-six.test"},
    {"alias-a.test", WORLD_NONE, ""},
    {"null-mx.test", WORLD_NONE, ""},
    {"only-text.test", WORLD_NONE, ""},
    {"nowhere.test", WORLD_NONE, ""},
    {"single", WORLD_NONE, ""},
    {"mx", WORLD_FOUND, "mx.home.test"},
    {"", WORLD_NONE, ""},
};

START_TEST(exchangers_of_dnsmasq)
{
	struct name_list list = {NULL, 0};
	enum world_answer answer = ports.find_mx(ports.context, arena,
	    slice_from_cstr(exchangers[_i].domain), &list);
	char got[1024] = "";

	for (size_t i = 0; i < list.count; i++) {
		if (i > 0)
			strcat(got, " ");
		strncat(got, list.names[i].ptr, list.names[i].len);
	}
	ck_assert_int_eq(answer, exchangers[_i].answer);
	ck_assert_str_eq(got, exchangers[_i].hosts);
}
END_TEST

static const struct {
	const char *name;
	enum world_answer answer;
	const char *address;
} addresses[] = {
    {"2.0.0.127.bl.test", WORLD_FOUND, "127.0.0.2"},
    {"alias.test", WORLD_FOUND, "192.0.2.83"},
    {"3.0.0.127.bl.test", WORLD_NONE, ""},
    {"only-six.test", WORLD_NONE, ""},
    {"only-mx.test", WORLD_NONE, ""},
};

START_TEST(address_of_dnsmasq)
{
	slice address = SLICE("");
	enum world_answer answer = ports.find_address(ports.context, arena,
	    slice_from_cstr(addresses[_i].name), &address);

	ck_assert_int_eq(answer, addresses[_i].answer);
	ck_assert(slice_eq(address, slice_from_cstr(addresses[_i].address)));
}
END_TEST

struct client_row {
	const char *address;
	enum client_resolve resolve;
	const char *ptr;
};

static const struct client_row clients_of_dnsmasq[] = {
    {"192.0.2.83", RESOLVE_OK, "good.test"},
    {"192.0.2.86", RESOLVE_OK, "both.test"},
    {"IPv6:2001:db8:0:0:0:0:0:86", RESOLVE_OK, "both.test"},
    {"IPv6:2001:db8:0:0:0:0:0:6", RESOLVE_OK, "only-six.test"},
    {"IPv6:2001:db8:0:0:0:0:0:7", RESOLVE_FAIL, ""},
    {"198.51.100.50", RESOLVE_FORGED, "good.test"},
    {"198.51.100.51", RESOLVE_FORGED, "nowhere.test"},
    {"198.51.100.52", RESOLVE_FORGED, "only-mx.test"},
    {"198.51.100.54", RESOLVE_FORGED, "only-six.test"},
    {"198.51.100.99", RESOLVE_FAIL, ""},
    /* /etc/hosts: alone, in both directions, and against the DNS. */
    {"127.0.0.1", RESOLVE_OK, "localhost"},
    {"IPv6:0:0:0:0:0:0:0:1", RESOLVE_OK, "localhost"},
    {"192.0.2.25", RESOLVE_OK, "mx.home.test"},
    {"10.0.0.55", RESOLVE_OK, "short.only"},
    {"198.51.100.53", RESOLVE_FORGED, "in-hosts.test"},
    {"192.0.2.87", RESOLVE_FORGED, "in-hosts.test"},
    {"not an address", RESOLVE_FAIL, ""},
};

static void
check_client(const struct client_row *row)
{
	struct client client = find_client(row->address, 3000);

	ck_assert_msg(client.resolve == row->resolve, "%s: %s", row->address,
	    client_resolve_word(client.resolve));
	ck_assert_msg(slice_eq(client.ptr, slice_from_cstr(row->ptr)),
	    "%s: " SLICE_FMT, row->address, SLICE_ARG(client.ptr));
	if (row->resolve == RESOLVE_OK)
		ck_assert(slice_eq(client.name, client.ptr));
	else
		ck_assert(slice_eq(
		    client.name, client_bracketed(arena, client.address)));
}

START_TEST(client_of_dnsmasq)
{
	check_client(&clients_of_dnsmasq[_i]);
}
END_TEST

START_TEST(two_hundred_pointers)
{
	/* Too many for UDP: c-ares asks again over TCP. */
	struct client client = find_client("198.51.100.60", 3000);

	ck_assert_int_eq(client.resolve, RESOLVE_OK);
	ck_assert_int_eq(client.ptr.ptr[0], 'p');
}
END_TEST

/* A sick server */

static const struct host_row hosts_of_sick_server[] = {
    {"fine.sick.test", WORLD_FOUND, "fine.sick.test"},
    {"servfail.sick.test", WORLD_TEMPFAIL, ""},
    {"refused.sick.test", WORLD_TEMPFAIL, ""},
    {"notimp.sick.test", WORLD_TEMPFAIL, ""},
    {"garbage.sick.test", WORLD_TEMPFAIL, ""},
    {"failing-a.sick.test", WORLD_TEMPFAIL, ""},
    {"failing-mx.sick.test", WORLD_FOUND, "failing-mx.sick.test"},
    {"step1.sick.test", WORLD_FOUND, "step3.sick.test"},
    {"dangling.sick.test", WORLD_NONE, ""},
    {"half.sick.test", WORLD_NONE, ""},
    {"to-failing.sick.test", WORLD_TEMPFAIL, ""},
    {"loop1.sick.test", WORLD_NONE, ""},
    {"self.sick.test", WORLD_NONE, ""},
};

START_TEST(host_of_sick_server)
{
	check_host(&hosts_of_sick_server[_i]);
}
END_TEST

static const struct client_row clients_of_sick_server[] = {
    /* A forward lookup that fails is a forgery to sendmail; one that
     * nobody answers is none to us. */
    {"10.0.0.1", RESOLVE_FORGED, "servfail.sick.test"},
    {"10.0.0.2", RESOLVE_TEMP, "silent.sick.test"},
    {"10.0.0.3", RESOLVE_TEMP, ""},
    {"10.0.0.4", RESOLVE_FAIL, ""},
    {"10.0.0.5", RESOLVE_FAIL, ""},
    {"10.0.0.6", RESOLVE_FAIL, ""},
    {"10.0.0.7", RESOLVE_FORGED, "half.sick.test"},
    {"10.0.0.8", RESOLVE_OK, "failing-mx.sick.test"},
    {"10.0.0.9", RESOLVE_FORGED, "."},
    {"10.0.0.10", RESOLVE_FORGED, "nxdomain.sick.test"},
    {"10.0.0.11", RESOLVE_FAIL, ""},
    {"10.0.0.12", RESOLVE_FORGED, "step1.sick.test"},
};

START_TEST(client_of_sick_server)
{
	check_client(&clients_of_sick_server[_i]);
}
END_TEST

START_TEST(late_answer_fills_the_cache)
{
	deadline_ms before = deadline_now();

	session.deadline = deadline_in(50);
	ck_assert_int_eq(host_answer("slow.sick.test"), WORLD_TEMPFAIL);
	ck_assert_int_lt(deadline_now() - before, 250);
	/* MX, A and AAAA were asked, each answered 300 ms later. */
	sleep_ms(1200);
	session.deadline = deadline_now();
	ck_assert_int_eq(host_answer("slow.sick.test"), WORLD_FOUND);
}
END_TEST

struct asker {
	struct resolver_session session;
	const char *name;
	enum world_answer answer;
};

static void *
ask_for_address(void *context)
{
	struct asker *asker = context;
	struct arena *own = arena_new(0);
	struct ports own_ports;
	slice address;

	resolver_ports(&asker->session, &own_ports);
	asker->answer = own_ports.find_address(
	    own_ports.context, own, slice_from_cstr(asker->name), &address);
	arena_free(own);
	return NULL;
}

START_TEST(same_question_is_sent_once)
{
	enum { ASKERS = 8 };
	struct asker askers[ASKERS];
	pthread_t threads[ASKERS];
	unsigned before = atomic_load(sick_questions);

	for (int i = 0; i < ASKERS; i++) {
		askers[i] = (struct asker){{resolver, deadline_in(3000)},
		    "slow.sick.test", WORLD_NONE};
		(void)pthread_create(
		    &threads[i], NULL, ask_for_address, &askers[i]);
	}
	for (int i = 0; i < ASKERS; i++) {
		(void)pthread_join(threads[i], NULL);
		ck_assert_int_eq(askers[i].answer, WORLD_FOUND);
	}
	/* On a busy machine c-ares may ask again before the slow answer is
	 * read; but not once for each who asked. */
	ck_assert_uint_lt(atomic_load(sick_questions) - before, ASKERS);
	ck_assert_uint_eq(resolver_get_stats(resolver).questions, 1);
}
END_TEST

START_TEST(answers_live_as_long_as_they_say)
{
	unsigned before = atomic_load(sick_questions);
	slice address;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ports.find_address(ports.context, arena,
				     SLICE("second.sick.test"), &address),
		    WORLD_FOUND);
	ck_assert_uint_eq(atomic_load(sick_questions) - before, 1);
	ck_assert_uint_eq(resolver_get_stats(resolver).cache_hits, 2);
	sleep_ms(1100);
	ck_assert_int_eq(ports.find_address(ports.context, arena,
			     SLICE("second.sick.test"), &address),
	    WORLD_FOUND);
	ck_assert_uint_eq(atomic_load(sick_questions) - before, 2);
}
END_TEST

START_TEST(failures_are_kept_for_seconds)
{
	unsigned asked;

	ck_assert_int_eq(host_answer("servfail.sick.test"), WORLD_TEMPFAIL);
	asked = atomic_load(sick_questions);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(
		    host_answer("servfail.sick.test"), WORLD_TEMPFAIL);
	ck_assert_uint_eq(atomic_load(sick_questions), asked);
	ck_assert_uint_eq(resolver_get_stats(resolver).failures, 3);
}
END_TEST

START_TEST(silence_for_one_name_leaves_others_alone)
{
	pthread_t threads[4];
	struct asker askers[4];
	deadline_ms before;

	for (int i = 0; i < 4; i++) {
		static const char *const silent[] = {"silent.a.test",
		    "silent.b.test", "silent.c.test", "silent.d.test"};

		askers[i] = (struct asker){
		    {resolver, deadline_in(3000)}, silent[i], WORLD_NONE};
		(void)pthread_create(
		    &threads[i], NULL, ask_for_address, &askers[i]);
	}
	sleep_ms(20);
	before = deadline_now();
	ck_assert_int_eq(host_answer("fine.sick.test"), WORLD_FOUND);
	ck_assert_int_lt(deadline_now() - before, 1000);
	for (int i = 0; i < 4; i++) {
		(void)pthread_join(threads[i], NULL);
		ck_assert_int_eq(askers[i].answer, WORLD_TEMPFAIL);
	}
}
END_TEST

/* No answer at all */

START_TEST(deadline_holds)
{
	for (unsigned budget = 0; budget <= 200; budget += 100) {
		deadline_ms before = deadline_now();
		struct client client;
		char address[32];

		(void)snprintf(
		    address, sizeof(address), "192.0.2.%u", budget / 100);
		client = find_client(address, budget);
		ck_assert_int_eq(client.resolve, RESOLVE_TEMP);
		ck_assert_int_ge(deadline_now() - before, budget);
		ck_assert_int_lt(deadline_now() - before, budget + 250);
	}
}
END_TEST

START_TEST(one_question_has_its_own_limit)
{
	deadline_ms before = deadline_now();

	ck_assert_int_eq(find_client("192.0.2.1", 5000).resolve, RESOLVE_TEMP);
	ck_assert_int_ge(deadline_now() - before, 300);
	ck_assert_int_lt(deadline_now() - before, 2000);
	/* Who comes next need not wait. */
	before = deadline_now();
	ck_assert_int_eq(find_client("192.0.2.1", 5000).resolve, RESOLVE_TEMP);
	ck_assert_int_lt(deadline_now() - before, 250);
	ck_assert_uint_ge(resolver_get_stats(resolver).timeouts, 1);
}
END_TEST

START_TEST(silence_is_remembered_before_all_servers_were_tried)
{
	char servers[64];
	struct resolver_options options = {
	    .hosts = hosts_path, .timeout_ms = 300};
	deadline_ms before;
	unsigned port;
	int fd = bind_udp(&port);

	(void)snprintf(servers, sizeof(servers), "127.0.0.1:%u,127.0.0.1:%u",
	    stalled_port, port);
	options.server = slice_from_cstr(servers);
	resolver_free(resolver);
	resolver = resolver_new(&options, NULL);
	ck_assert_ptr_nonnull(resolver);
	ck_assert_int_eq(find_client("192.0.2.1", 5000).resolve, RESOLVE_TEMP);
	before = deadline_now();
	ck_assert_int_eq(find_client("192.0.2.1", 5000).resolve, RESOLVE_TEMP);
	ck_assert_int_lt(deadline_now() - before, 250);
	(void)close(fd);
}
END_TEST

START_TEST(fuse_shortens_waits)
{
	deadline_ms before;

	for (int i = 0; i < 8; i++) {
		char address[32];

		(void)snprintf(address, sizeof(address), "10.0.1.%d", i);
		ck_assert_int_eq(
		    find_client(address, 20).resolve, RESOLVE_TEMP);
	}
	before = deadline_now();
	ck_assert_int_eq(find_client("10.0.2.1", 5000).resolve, RESOLVE_TEMP);
	ck_assert_int_lt(deadline_now() - before, 1000);
}
END_TEST

START_TEST(hosts_need_no_server)
{
	deadline_ms before = deadline_now();

	ck_assert_int_eq(find_client("127.0.0.1", 5000).resolve, RESOLVE_OK);
	ck_assert_int_eq(host_answer("mx"), WORLD_FOUND);
	ck_assert_int_lt(deadline_now() - before, 1000);
}
END_TEST

START_TEST(too_many_questions_are_refused)
{
	/* Long enough for none to end before the last is asked. */
	resolver_free(resolver);
	use_server(stalled_port, 30000);
	session.deadline = deadline_now();
	for (int i = 0; i < 5000; i++) {
		char name[32];
		slice address;

		(void)snprintf(name, sizeof(name), "n%d.test", i);
		ck_assert_int_eq(ports.find_address(ports.context, arena,
				     slice_from_cstr(name), &address),
		    WORLD_TEMPFAIL);
	}
	ck_assert_uint_eq(resolver_get_stats(resolver).questions, 4096);
	ck_assert_uint_eq(resolver_get_stats(resolver).timeouts, 5000);
}
END_TEST

START_TEST(nobody_at_the_port)
{
	deadline_ms before = deadline_now();

	ck_assert_int_eq(host_answer("good.test"), WORLD_TEMPFAIL);
	ck_assert_int_eq(find_client("192.0.2.83", 5000).resolve, RESOLVE_TEMP);
	ck_assert_int_lt(deadline_now() - before, 2000);
}
END_TEST

/* Threads, descriptors, beginnings and ends */

static void *
ask_at_random(void *context)
{
	struct resolver_session own_session = {context, 0};
	unsigned random = (unsigned)(uintptr_t)&own_session;
	struct arena *own = arena_new(0);
	struct ports own_ports;

	resolver_ports(&own_session, &own_ports);
	for (int i = 0; i < 500; i++) {
		size_t count =
		    sizeof(hosts_of_dnsmasq) / sizeof(*hosts_of_dnsmasq);
		const struct host_row *row;
		slice canonical = SLICE("");

		random = random * 1103515245 + 12345;
		row = &hosts_of_dnsmasq[(random >> 8) % count];
		own_session.deadline = deadline_in(5000);
		if (own_ports.find_host(own_ports.context, own,
			slice_from_cstr(row->name),
			&canonical) != row->answer ||
		    !slice_eq(canonical, slice_from_cstr(row->canonical)))
			return (void *)(uintptr_t)row;
		arena_reset(own);
	}
	arena_free(own);
	return NULL;
}

START_TEST(many_threads)
{
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		(void)pthread_create(
		    &threads[i], NULL, ask_at_random, resolver);
	for (int i = 0; i < 8; i++) {
		void *wrong = NULL;

		(void)pthread_join(threads[i], &wrong);
		ck_assert_msg(wrong == NULL, "%s",
		    wrong == NULL ? ""
				  : ((const struct host_row *)wrong)->name);
	}
	ck_assert_uint_gt(resolver_get_stats(resolver).cache_hits, 1000);
}
END_TEST

enum { DESCRIPTORS_MAX = 1024 };

/* Which descriptors are open. */
static int
list_descriptors(bool *open_now)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	int count = 0;

	ck_assert_ptr_nonnull(dir);
	memset(open_now, 0, DESCRIPTORS_MAX * sizeof(*open_now));
	while ((entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		ck_assert_int_lt(fd, DESCRIPTORS_MAX);
		open_now[fd] = true;
		count++;
	}
	(void)closedir(dir);
	return count;
}

START_TEST(descriptors)
{
	bool before[DESCRIPTORS_MAX];
	bool during[DESCRIPTORS_MAX];
	bool after[DESCRIPTORS_MAX];
	int count = list_descriptors(before);

	use_stalled_server();
	session.deadline = deadline_in(50);
	ck_assert_int_eq(host_answer("good.test"), WORLD_TEMPFAIL);
	/* epoll, eventfd, and a socket at least. */
	ck_assert_int_ge(list_descriptors(during), count + 3);
	for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
		if (during[fd] && !before[fd])
			ck_assert_msg((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0,
			    "descriptor %d stays open on exec", fd);
	}
	end_use();
	ck_assert_int_eq(list_descriptors(after), count);
}
END_TEST

START_TEST(ends_with_open_questions)
{
	for (int i = 0; i < 20; i++) {
		deadline_ms before = deadline_now();

		use_stalled_server();
		session.deadline = deadline_now();
		(void)host_answer("good.test");
		end_use();
		ck_assert_int_lt(deadline_now() - before, 1000);
	}
}
END_TEST

START_TEST(bad_servers)
{
	static const char *const bad[] = {"nonsense", "127.0.0.1:port", "",
	    "127.0.0.1:53:53",
	    "0123456789012345678901234567890123456789012345678901234567890123"
	    "0123456789012345678901234567890123456789012345678901234567890"
	    "12345"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct resolver_options options = {
		    .server = slice_from_cstr(bad[i])};
		struct error error = {.text = ""};
		struct resolver *got = resolver_new(&options, &error);

		/* The empty one is the system's. */
		ck_assert_msg(
		    (got == NULL) == (bad[i][0] != '\0'), "%s", bad[i]);
		ck_assert((error.text[0] != '\0') == (got == NULL));
		resolver_free(got);
	}
}
END_TEST

static TCase *
case_of(
    Suite *suite, const char *name, void (*set_up)(void), void (*done)(void))
{
	TCase *tcase = tcase_create(name);

	tcase_add_unchecked_fixture(tcase, start_servers, stop_servers);
	tcase_add_checked_fixture(tcase, set_up, done);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return tcase;
}

#define ROWS(table) (int)(sizeof(table) / sizeof(*(table)))

static void
add_healthy_cases(Suite *suite)
{
	TCase *healthy = case_of(suite, "healthy", use_dnsmasq, end_use);

	tcase_add_loop_test(
	    healthy, host_of_dnsmasq, 0, ROWS(hosts_of_dnsmasq));
	tcase_add_test(healthy, host_name_of_300_bytes);
	tcase_add_loop_test(
	    healthy, exchangers_of_dnsmasq, 0, ROWS(exchangers));
	tcase_add_loop_test(healthy, address_of_dnsmasq, 0, ROWS(addresses));
	tcase_add_loop_test(
	    healthy, client_of_dnsmasq, 0, ROWS(clients_of_dnsmasq));
	tcase_add_test(healthy, two_hundred_pointers);
	tcase_add_test(healthy, many_threads);
}

static void
add_sick_cases(Suite *suite)
{
	TCase *sick = case_of(suite, "sick", use_sick_server, end_use);

	tcase_add_loop_test(
	    sick, host_of_sick_server, 0, ROWS(hosts_of_sick_server));
	tcase_add_loop_test(
	    sick, client_of_sick_server, 0, ROWS(clients_of_sick_server));
	tcase_add_test(sick, late_answer_fills_the_cache);
	tcase_add_test(sick, same_question_is_sent_once);
	tcase_add_test(sick, answers_live_as_long_as_they_say);
	tcase_add_test(sick, failures_are_kept_for_seconds);
	tcase_add_test(sick, silence_for_one_name_leaves_others_alone);
}

static void
add_silent_cases(Suite *suite)
{
	TCase *stalled = case_of(suite, "stalled", use_stalled_server, end_use);
	TCase *dead = case_of(suite, "dead", use_dead_port, end_use);

	tcase_add_test(stalled, deadline_holds);
	tcase_add_test(stalled, one_question_has_its_own_limit);
	tcase_add_test(
	    stalled, silence_is_remembered_before_all_servers_were_tried);
	tcase_add_test(stalled, fuse_shortens_waits);
	tcase_add_test(stalled, hosts_need_no_server);
	tcase_add_test(stalled, too_many_questions_are_refused);
	tcase_add_test(dead, nobody_at_the_port);
}

static Suite *
resolver_suite(void)
{
	Suite *suite = suite_create("resolver");
	TCase *ends = case_of(suite, "ends", NULL, NULL);

	add_healthy_cases(suite);
	add_sick_cases(suite);
	add_silent_cases(suite);
	tcase_add_test(ends, descriptors);
	tcase_add_test(ends, ends_with_open_questions);
	tcase_add_test(ends, bad_servers);
	return suite;
}

static void
print_failures(SRunner *runner, int failed)
{
	TestResult **results = srunner_failures(runner);

	for (int i = 0; i < failed; i++)
		printf("line %d: %s\n", tr_lno(results[i]), tr_msg(results[i]));
	free(results);
}

/* Only what counts ends with check's own line. */
static int
run_suite(bool is_last)
{
	SRunner *runner = srunner_create(resolver_suite());
	int failed;

	srunner_run_all(runner, is_last ? CK_NORMAL : CK_SILENT);
	failed = srunner_ntests_failed(runner);
	if (failed == 0 && !is_last)
		printf("100%%: Checks: %d, Failures: 0, Errors: 0\n",
		    srunner_ntests_run(runner));
	else if (!is_last)
		print_failures(runner, failed);
	srunner_free(runner);
	return failed;
}

/* These tests wait for real servers by the clock; where the machine had no
 * time for one of them, all are asked again, and then it counts. */
int
main(void)
{
	if (run_suite(false) == 0)
		return EXIT_SUCCESS;
	(void)puts("once more, since time may have been short");
	return run_suite(true) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
