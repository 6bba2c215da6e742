// SPDX-License-Identifier: GPL-2.0-only
/* KTAP version 1 on the serial line. */
#include "guest.h"

static unsigned int planned, done, failed, skipped;
static bool test_failed;
static const char *test_missing;

/* Tests whose ids begin otherwise are not planned: then the plan comes last. */
const char *ktap_only = "";

void ktap_plan(unsigned int tests)
{
	say("KTAP version 1\n");
	planned = tests;
	if (!*ktap_only)
		say("1..%u\n", planned);
}

/* XFAIL says why the test is known to fail here. If it passes, that is news. */
void ktap_result(const char *id, bool passed, const char *xfail)
{
	done++;
	if (!xfail && passed) {
		say("ok %u %s\n", done, id);
	} else if (xfail && !passed) {
		say("ok %u %s # XFAIL %s\n", done, id, xfail);
	} else {
		if (xfail)
			say("# passed, but is listed as known to fail: %s\n", xfail);
		say("not ok %u %s\n", done, id);
		failed++;
	}
}

void ktap_skip(const char *id, const char *missing)
{
	say("ok %u %s # SKIP Requirement not met: %s\n", ++done, id, missing);
	skipped++;
}

void ktap_exit(void)
{
	if (done != planned)
		die("%u tests planned, %u run", planned, done);
	if (*ktap_only)
		say("1..%u\n", planned);
	say("# %u passed, %u failed, %u skipped\n",
	    done - failed - skipped, failed, skipped);
	exit_guest(failed ? 1 : skipped == done ? 4 : 0);
}

void fail(const char *fmt, ...)
{
	va_list ap;

	test_failed = true;
	say("# ");
	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
	say("\n");
}

void skip(const char *missing)
{
	test_missing = missing;
}

static const char *known(const struct test *t)
{
	switch (arg_machine()) {
	case MACHINE_TCG:
		return t->tcg;
	case MACHINE_BARE:
		return t->bare;
	default:
		return 0;
	}
}

static bool chosen(const char *id)
{
	const char *only = ktap_only;

	while (*only && *only == *id)
		only++, id++;
	return !*only;
}

/* MISSING: what the machine lacks for all of them, or NULL. */
void ktap_run(const struct test *tests, unsigned int n, const char *missing)
{
	for (; n; n--, tests++) {
		if (!chosen(tests->id)) {
			planned--;
			continue;
		}
		test_failed = false;
		test_missing = missing;
		if (!test_missing) {
			tests->run();
			load_own_tables();
			cpu_baseline();
		}
		if (test_missing)
			ktap_skip(tests->id, test_missing);
		else
			ktap_result(tests->id, !test_failed, known(tests));
	}
}
