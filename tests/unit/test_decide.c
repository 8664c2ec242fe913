/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decisions, stage by stage. What is expected is sendmail's: the texts of
 * its proto.m4 as cf/README documents them, checked against the real sendmail
 * for thousands of questions by tests/parity; here stands one readable case
 * for each rule.
 */
#include "tests/unit/policy_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void
expect(struct fixture *f, struct verdict verdict, const char *expected)
{
	const char *line = fixture_line(f, verdict);

	ck_assert_msg(
	    strcmp(line, expected) == 0, "%s, not %s", line, expected);
}

static void
expect_rcpt(struct fixture *f, const char *recipient, const char *expected)
{
	expect(f, decide_recipient(&f->decision, slice_from_cstr(recipient)),
	    expected);
}

static void
expect_mail(struct fixture *f, const char *sender, const char *expected)
{
	f->session.sender = slice_from_cstr(sender);
	expect(f, decide_mail(&f->decision), expected);
}

#define DENIED(rcpt) "reject 550 5.7.1 " rcpt "... Relaying denied"

START_TEST(test_connect)
{
	struct fixture f;

	fixture_init(&f);
	expect(&f, decide_connect(&f.decision), "continue");
	fixture_access(&f,
	    "Connect:192.0.2 REJECT\n"
	    "192.0.2.99 OK\n"
	    "bad.test 550 We don't like a spammer!\n"
	    "Connect:198.51.100 DISCARD\n"
	    "Connect:203.0.113 QUARANTINE:held for review\n"
	    "Connect:192.0.3 421 Too busy\n"
	    "IPv6:2001:db8 REJECT\n");
	expect(&f, decide_connect(&f.decision), "continue");
	fixture_client(&f, "192.0.2.98", "", RESOLVE_FAIL);
	expect(&f, decide_connect(&f.decision),
	    "reject 550 5.7.1 Access denied");
	fixture_client(&f, "192.0.2.98", "a.bad.test", RESOLVE_OK);
	expect(&f, decide_connect(&f.decision),
	    "reject 550 5.0.0 We don't like a spammer!");
	/* A forged name is never looked up. */
	fixture_client(&f, "192.0.4.1", "a.bad.test", RESOLVE_FORGED);
	expect(&f, decide_connect(&f.decision), "continue");
	f.policy.use_client_ptr = true;
	expect(&f, decide_connect(&f.decision),
	    "reject 550 5.0.0 We don't like a spammer!");
	fixture_client(&f, "198.51.100.1", "", RESOLVE_TEMP);
	expect(&f, decide_connect(&f.decision), "discard");
	fixture_client(&f, "203.0.113.1", "", RESOLVE_TEMP);
	expect(&f, decide_connect(&f.decision), "quarantine held for review");
	fixture_client(&f, "192.0.3.1", "", RESOLVE_TEMP);
	expect(&f, decide_connect(&f.decision), "defer 421 4.0.0 Too busy");
	ck_assert(decide_connect(&f.decision).close);
	fixture_client(&f, "2001:DB8::1", "", RESOLVE_FAIL);
	expect(&f, decide_connect(&f.decision),
	    "reject 550 5.7.1 Access denied");
	fixture_done(&f);
}
END_TEST

START_TEST(test_dnsbl_and_rdns)
{
	static const struct dnsbl lists[] = {
	    {.zone = SLICE_INIT("bl.test")}};
	static const char *const relays[] = {"192.0.2.50", NULL};
	struct fixture f;

	fixture_init(&f);
	f.policy.dnsbl = lists;
	f.policy.dnsbl_count = 1;
	f.policy.require_rdns = true;
	fixture_relay(&f, relays);
	fixture_client(&f, "192.0.2.2", "client.good.test", RESOLVE_OK);
	expect(&f, decide_connect(&f.decision),
	    "reject 550 5.7.1 Rejected: 192.0.2.2 listed at bl.test");
	/* A list that does not answer lists nobody. */
	fixture_client(&f, "192.0.2.3", "client.good.test", RESOLVE_OK);
	expect(&f, decide_connect(&f.decision), "continue");
	fixture_client(&f, "192.0.2.4", "", RESOLVE_FAIL);
	expect(&f, decide_connect(&f.decision),
	    "reject 550 5.7.1 Fix reverse DNS for 192.0.2.4");
	fixture_client(&f, "192.0.2.4", "", RESOLVE_TEMP);
	expect(&f, decide_connect(&f.decision),
	    "defer 451 4.1.8 Client IP address 192.0.2.4 does not resolve");
	fixture_client(&f, "192.0.2.4", "x.test", RESOLVE_FORGED);
	expect(&f, decide_connect(&f.decision),
	    "defer 451 4.1.8 Possibly forged hostname for 192.0.2.4");
	fixture_client(&f, "192.0.2.50", "", RESOLVE_FAIL);
	expect(&f, decide_connect(&f.decision), "continue");
	fixture_done(&f);
}
END_TEST

START_TEST(test_mail)
{
	struct fixture f;

	fixture_init(&f);
	expect_mail(&f, "<a@good.test>", "continue");
	expect_mail(&f, "<>", "continue");
	expect_mail(&f, "<a@nx.test>",
	    "reject 553 5.1.8 <a@nx.test>... "
	    "Domain of sender address a@nx.test does not exist");
	expect_mail(&f, "<a@servfail.test>",
	    "defer 451 4.1.8 "
	    "Domain of sender address a@servfail.test does not resolve");
	expect_mail(&f, "<a>",
	    "reject 553 5.5.4 <a>... "
	    "Domain name required for sender address a");
	expect_mail(&f, "<a@localhost>",
	    "reject 553 5.5.4 <a@localhost>... "
	    "Real domain name required for sender address");
	expect_mail(&f, "<a@b@c>",
	    "reject 553 5.1.3 <a@b@c>... Invalid route address");
	/* The map overrides DNS, both ways, and is asked first. */
	fixture_access(&f,
	    "From:nx.test OK\nspammer@good.test REJECT\n"
	    "From:joe@ 550 5.7.2 no joe here\nqq.test DISCARD\n");
	f.questions = 0;
	expect_mail(&f, "<a@nx.test>", "continue");
	expect_mail(&f, "<Spammer@Good.test>",
	    "reject 550 5.7.1 <Spammer@Good.test>... Access denied");
	expect_mail(&f, "<joe+x@good.test>",
	    "reject 550 5.7.2 <joe+x@good.test>... no joe here");
	expect_mail(&f, "<a@sub.qq.test>", "discard");
	f.policy.accept_unresolvable_domains = true;
	expect_mail(&f, "<a@other.test>", "continue");
	f.policy.accept_unqualified_senders = true;
	expect_mail(&f, "<a>", "continue");
	expect_mail(&f, "<a@localhost>", "continue");
	fixture_done(&f);
}
END_TEST

START_TEST(test_limits_and_auth)
{
	struct fixture f;

	fixture_init(&f);
	f.policy.max_message_size = 15000000;
	f.policy.max_hops = 30;
	f.session.size = 15000001;
	expect_mail(&f, "<a@good.test>",
	    "reject 552 5.2.3 Message size exceeds fixed maximum message size "
	    "(15000000)");
	f.session.size = 15000000;
	expect_mail(&f, "<a@good.test>", "continue");
	expect(&f, decide_message(&f.decision, 15000000, 30), "continue");
	expect(&f, decide_message(&f.decision, 15000001, 30),
	    "reject 552 5.2.3 Message exceeds maximum fixed size (15000000)");
	expect(&f, decide_message(&f.decision, 1, 31),
	    "reject 554 5.4.6 Too many hops");
	f.policy.require_auth = true;
	expect_mail(&f, "<a@good.test>",
	    "reject 530 5.7.0 Authentication required");
	f.session.auth_type = SLICE("PLAIN");
	expect_mail(&f, "<a@good.test>", "continue");
	fixture_done(&f);
}
END_TEST

START_TEST(test_relay_by_recipient)
{
	static const char *const relays[] = {"abc.test", NULL};
	struct fixture f;

	fixture_init(&f);
	f.session.client.resolve = RESOLVE_OK;
	f.session.client.name = SLICE("client.good.test");
	expect_rcpt(&f, "<x@y.test>", DENIED("<x@y.test>"));
	expect_rcpt(&f, "<x@mx.home.test>", "continue relay");
	expect_rcpt(&f, "<x>", "continue relay");
	expect_rcpt(&f, "<>", "reject 553 5.0.0 <>... User address required");
	fixture_relay(&f, relays);
	expect_rcpt(&f, "<x@abc.test>", "continue relay");
	expect_rcpt(&f, "<x@a.b.abc.test>", "continue relay");
	expect_rcpt(&f, "<x@xabc.test>", DENIED("<x@xabc.test>"));
	expect_rcpt(&f, "<x%y.test@abc.test>", DENIED("<x%y.test@abc.test>"));
	expect_rcpt(&f, "<x%abc.test@mx.home.test>", "continue relay");
	f.policy.loose_relay_check = true;
	expect_rcpt(&f, "<x%y.test@abc.test>", "continue relay");
	f.policy.loose_relay_check = false;
	f.policy.relay_hosts_only = true;
	expect_rcpt(&f, "<x@a.abc.test>", DENIED("<x@a.abc.test>"));
	f.policy.relay_hosts_only = false;
	f.policy.relay_entire_domain = true;
	expect_rcpt(&f, "<x@other.home.test>", "continue relay");
	fixture_access(&f,
	    "To:acc.test RELAY\nTo:ok.test OK\nsub.acc.test REJECT\n"
	    "To:joe@full.test RELAY\n");
	expect_rcpt(&f, "<x@acc.test>", "continue relay");
	expect_rcpt(&f, "<x@ok.test>", DENIED("<x@ok.test>"));
	expect_rcpt(&f, "<x@sub.acc.test>", DENIED("<x@sub.acc.test>"));
	expect_rcpt(&f, "<joe@full.test>", DENIED("<joe@full.test>"));
	f.policy.relaytofulladdress = true;
	expect_rcpt(&f, "<joe@full.test>", "continue relay");
	fixture_done(&f);
}
END_TEST

START_TEST(test_relay_by_client)
{
	static const char *const relays[] = {"192.0.2", "abc.test", NULL};
	struct fixture f;

	fixture_init(&f);
	expect_rcpt(&f, "<x@y.test>",
	    DENIED("<x@y.test>") ". IP name lookup failed [192.0.2.99]");
	ck_assert(decide_recipient(&f.decision, SLICE("<x@y.test>"))
		      .denied_relay);
	fixture_client(&f, "192.0.9.1", "a.abc.test", RESOLVE_FORGED);
	fixture_relay(&f, relays);
	expect_rcpt(&f, "<x@y.test>",
	    DENIED("<x@y.test>") ". IP name possibly forged [192.0.9.1]");
	fixture_client(&f, "192.0.9.1", "", RESOLVE_TEMP);
	expect_rcpt(&f, "<x@y.test>",
	    "defer 450 4.4.0 <x@y.test>... Relaying temporarily denied. "
	    "Cannot resolve PTR record for 192.0.9.1");
	fixture_client(&f, "192.0.9.1", "a.abc.test", RESOLVE_OK);
	expect_rcpt(&f, "<x@y.test>", "continue relay");
	fixture_client(&f, "192.0.2.7", "", RESOLVE_FAIL);
	expect_rcpt(&f, "<x@y.test>", "continue relay");
	fixture_client(&f, "192.0.20.7", "b.test", RESOLVE_OK);
	expect_rcpt(&f, "<x@y.test>", DENIED("<x@y.test>"));
	fixture_client(&f, "127.0.0.1", "localhost", RESOLVE_OK);
	expect_rcpt(&f, "<x@y.test>", "continue relay");
	fixture_client(&f, "::1", "localhost", RESOLVE_OK);
	expect_rcpt(&f, "<x@y.test>", "continue relay");
	fixture_access(&f, "Connect:192.0.9 RELAY\nb.test RELAY\n");
	fixture_client(&f, "192.0.9.9", "", RESOLVE_FORGED);
	expect_rcpt(&f, "<x@y.test>", "continue relay");
	fixture_client(&f, "192.0.20.7", "b.test", RESOLVE_OK);
	expect_rcpt(&f, "<x@y.test>", "continue relay");
	fixture_done(&f);
}
END_TEST

START_TEST(test_relay_by_sender)
{
	struct fixture f;

	fixture_init(&f);
	fixture_client(&f, "192.0.9.1", "b.test", RESOLVE_OK);
	f.session.sender = SLICE("<me@mx.home.test>");
	expect_rcpt(&f, "<x@y.test>", DENIED("<x@y.test>"));
	f.policy.relay_local_from = true;
	expect_rcpt(&f, "<x@y.test>", "continue relay");
	f.policy.relay_local_from = false;
	f.policy.relay_mail_from = RELAY_FROM_ADDRESS;
	fixture_access(&f, "From:boss@good.test RELAY\nFrom:d.test RELAY\n");
	f.session.sender = SLICE("<boss@good.test>");
	expect_rcpt(&f, "<x@y.test>", "continue relay");
	f.session.sender = SLICE("<x@d.test>");
	expect_rcpt(&f, "<x@y.test>", DENIED("<x@y.test>"));
	f.policy.relay_mail_from = RELAY_FROM_DOMAIN;
	expect_rcpt(&f, "<x@y.test>", "continue relay");
	fixture_done(&f);
}
END_TEST

START_TEST(test_relay_by_mx)
{
	struct fixture f;

	fixture_init(&f);
	f.policy.relay_based_on_mx = true;
	expect_rcpt(&f, "<x@served.test>", "continue relay");
	expect_rcpt(&f, "<x@sub.served.test>",
	    DENIED("<x@sub.served.test>")
	    ". IP name lookup failed [192.0.2.99]");
	/* A refusal for good outweighs DNS that fails for now. */
	expect_rcpt(&f, "<x@servfail.test>",
	    DENIED("<x@servfail.test>")
	    ". IP name lookup failed [192.0.2.99]");
	fixture_client(&f, "192.0.9.1", "b.test", RESOLVE_OK);
	expect_rcpt(&f, "<x@servfail.test>",
	    "defer 450 4.4.0 <x@servfail.test>... "
	    "Can not check MX records for recipient host servfail.test");
	fixture_done(&f);
}
END_TEST

START_TEST(test_auth)
{
	struct snapshot_source source = {.allow_unsafe_files = true};
	slice items[2] = {SLICE("PLAIN"), SLICE("LOGIN")};
	struct error error;
	struct fixture f;

	fixture_init(&f);
	fixture_client(&f, "192.0.9.1", "b.test", RESOLVE_OK);
	f.policy.trust_auth_mech = snapshot_add_class(f.snapshot,
	    SLICE("trust_auth_mech"), items, 2, &source, &error);
	expect_rcpt(&f, "<x@y.test>",
	    DENIED("<x@y.test>") ". Proper authentication required.");
	f.session.auth_type = SLICE("CRAM-MD5");
	expect_rcpt(&f, "<x@y.test>",
	    DENIED("<x@y.test>") ". Proper authentication required.");
	f.session.auth_type = SLICE("LOGIN");
	expect_rcpt(&f, "<x@y.test>", "continue relay");
	f.policy.blocklist_recipients = true;
	fixture_access(&f, "To:x@y.test REJECT\n");
	expect_rcpt(&f, "<x@y.test>",
	    "reject 550 5.2.1 <x@y.test>... "
	    "Mailbox disabled for this recipient");
	fixture_done(&f);
}
END_TEST

START_TEST(test_promiscuous)
{
	struct fixture f;

	fixture_init(&f);
	f.policy.promiscuous_relay = true;
	f.policy.blocklist_recipients = true;
	fixture_access(&f, "To:bad.test 550 no\n");
	expect_rcpt(&f, "<x@y.test>", "continue relay");
	expect_rcpt(&f, "<x@bad.test>", "reject 550 5.0.0 <x@bad.test>... no");
	expect_rcpt(
	    &f, "<x@>", "reject 553 5.1.3 <x@>... Hostname required");
	fixture_done(&f);
}
END_TEST

START_TEST(test_delay_checks)
{
	struct fixture f;

	fixture_init(&f);
	f.policy.delay_checks = DELAY_YES;
	fixture_access(&f,
	    "Connect:192.0.2.99 REJECT\nFrom:friend@good.test OK\n"
	    "From:spam@good.test REJECT\nSpam:abuse@ FRIEND\n"
	    "Spam:joe@mx.home.test HATER\n");
	expect(&f, decide_connect(&f.decision), "continue");
	expect_mail(&f, "<spam@good.test>", "continue");
	expect_mail(
	    &f, "<a@b@c>", "reject 553 5.1.3 <a@b@c>... Invalid route address");
	f.session.sender = SLICE("<spam@good.test>");
	expect_rcpt(&f, "<joe@mx.home.test>",
	    "reject 550 5.7.1 <joe@mx.home.test>... Access denied");
	f.session.sender = SLICE("<>");
	expect_rcpt(&f, "<joe@mx.home.test>",
	    "reject 550 5.7.1 <joe@mx.home.test>... Access denied");
	f.session.sender = SLICE("<friend@good.test>");
	expect_rcpt(&f, "<joe@mx.home.test>", "continue relay");
	f.policy.delay_checks = DELAY_FRIEND;
	f.session.sender = SLICE("<spam@good.test>");
	expect_rcpt(&f, "<abuse@mx.home.test>", "continue relay");
	expect_rcpt(&f, "<joe@mx.home.test>",
	    "reject 550 5.7.1 <joe@mx.home.test>... Access denied");
	f.policy.delay_checks = DELAY_HATER;
	expect_rcpt(&f, "<abuse@mx.home.test>", "continue relay");
	expect_rcpt(&f, "<joe@mx.home.test>",
	    "reject 550 5.7.1 <joe@mx.home.test>... Access denied");
	fixture_done(&f);
}
END_TEST

START_TEST(test_bad_helo)
{
	static const struct {
		const char *helo;
		bool is_bogus;
	} names[] = {{"mx.home.test", true}, {"localhost", true},
	    {"127.0.0.1", true}, {"friend", true}, {"friend.", true},
	    {".friend", true}, {"", true}, {"a.test", false},
	    {"[192.0.2.1]", false}, {"IPv6:2001:db8:0:0:0:0:0:1", false}};
	struct fixture f;

	fixture_init(&f);
	f.policy.block_bad_helo = true;
	f.policy.delay_checks = DELAY_YES;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct verdict v;

		f.session.helo = slice_from_cstr(names[i].helo);
		v = decide_recipient(&f.decision, SLICE("<x@mx.home.test>"));
		ck_assert_msg(verdict_is_refusal(&v) == names[i].is_bogus,
		    "HELO %s", names[i].helo);
	}
	f.session.helo = SLICE("friend");
	expect_rcpt(&f, "<x@mx.home.test>",
	    "reject 550 5.7.1 <x@mx.home.test>... "
	    "bogus HELO name used: friend");
	f.session.auth_authen = SLICE("joe");
	expect_rcpt(&f, "<x@mx.home.test>", "continue relay");
	fixture_done(&f);
}
END_TEST

/* What is wrong with an alias shows at RCPT, to whom the rulesets let pass. */
START_TEST(test_aliases)
{
	struct fixture f;

	fixture_init(&f);
	f.policy.blocklist_recipients = true;
	fixture_access(&f,
	    "To:refused@ REJECT\nTo:lost@ DISCARD\nTo:held@ QUARANTINE:why\n");
	fixture_aliases(&f,
	    "list: joe, ann@good.test\nbroken: a@@b\nrefused: a@@b\n"
	    "lost: a@@b\nheld: a@@b\nround: round2\nround2: round\n"
	    "old: joe@good.test.REDIRECT\n");
	expect_rcpt(&f, "<list@mx.home.test>", "continue relay");
	expect_rcpt(&f, "<broken@mx.home.test>",
	    "reject 553 5.1.3 a@@b... Invalid route address");
	expect_rcpt(&f, "<refused@mx.home.test>",
	    "reject 550 5.2.1 <refused@mx.home.test>... "
	    "Mailbox disabled for this recipient");
	expect_rcpt(&f, "<lost@mx.home.test>", "discard");
	expect_rcpt(&f, "<held@mx.home.test>",
	    "reject 553 5.1.3 a@@b... Invalid route address");
	expect_rcpt(&f, "<x@y.test>",
	    "reject 550 5.7.1 <x@y.test>... Relaying denied. "
	    "IP name lookup failed [192.0.2.99]");
	expect_rcpt(&f, "<old@mx.home.test>", "continue relay");
	f.policy.redirect = true;
	expect_rcpt(&f, "<old@mx.home.test>",
	    "reject 551 5.1.1 User has moved; please try <joe@good.test>");
	/* Before anybody asks who may relay, and for senders too. */
	expect_rcpt(&f, "<x@y.test.REDIRECT>",
	    "reject 551 5.1.1 User has moved; please try <x@y.test>");
	f.session.sender = SLICE("<x@y.test.REDIRECT>");
	ck_assert_str_eq(fixture_line(&f, decide_mail(&f.decision)),
	    "reject 551 5.1.1 User has moved; please try <x@y.test>");
	f.session.sender = SLICE("<>");
	ck_assert_str_eq(
	    fixture_line(&f, decide_mail(&f.decision)), "continue");
	fixture_done(&f);
}
END_TEST

/* Same input, same verdict: nothing is remembered between calls. */
START_TEST(test_pure)
{
	struct fixture f;
	const char *first;

	fixture_init(&f);
	first = fixture_line(
	    &f, decide_recipient(&f.decision, SLICE("<x@y.test>")));
	(void)decide_recipient(&f.decision, SLICE("<x@mx.home.test>"));
	expect_rcpt(&f, "<x@y.test>", first);
	fixture_done(&f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("decide");
	TCase *tcase = tcase_create("decide");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_connect);
	tcase_add_test(tcase, test_dnsbl_and_rdns);
	tcase_add_test(tcase, test_mail);
	tcase_add_test(tcase, test_limits_and_auth);
	tcase_add_test(tcase, test_relay_by_recipient);
	tcase_add_test(tcase, test_relay_by_client);
	tcase_add_test(tcase, test_relay_by_sender);
	tcase_add_test(tcase, test_relay_by_mx);
	tcase_add_test(tcase, test_auth);
	tcase_add_test(tcase, test_promiscuous);
	tcase_add_test(tcase, test_delay_checks);
	tcase_add_test(tcase, test_bad_helo);
	tcase_add_test(tcase, test_aliases);
	tcase_add_test(tcase, test_pure);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
