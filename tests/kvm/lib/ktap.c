// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ktap.h"

/* In the lab a second is four billion instructions; most are for the slow kernels of tests/debug. */
enum { CASE_SECONDS = 8 };
enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_USAGE = 2, EXIT_SKIP = 4 };

static jmp_buf abandoned;
static const char *skipped;
static int checks, failures;
static char **arguments;

bool ktap_check(bool ok, const char *file, int line, const char *format, ...)
{
	va_list args;

	checks++;
	if (ok)
		return true;
	failures++;
	/* A broken loop says enough with its first lines. */
	if (failures > 20)
		return false;
	printf("# %s:%d: ", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	return false;
}

void ktap_note(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void ktap_abandon(void)
{
	longjmp(abandoned, 1);
}

void ktap_skip(const char *requirement)
{
	skipped = requirement;
	longjmp(abandoned, 1);
}

static void on_alarm(int signal)
{
	static const char text[] = "Bail out! A case did not end in time\n";

	(void)signal;
	if (write(1, text, sizeof(text) - 1) < 0)
		_exit(EXIT_USAGE);
	_exit(EXIT_FAIL);
}

enum { PASSED, FAILED, SKIPPED };

static int verdict(const struct test *test)
{
	if (skipped && !failures)
		return SKIPPED;
	/* A case that checked nothing cannot have passed. */
	if (!failures && !checks)
		return FAILED;
	return !failures == !test->known ? PASSED : FAILED;
}

static int run_one(const struct test *test, size_t number)
{
	const char *variation = ktap_argument("variation");
	int result;

	checks = 0;
	failures = 0;
	skipped = NULL;
	alarm(CASE_SECONDS);
	if (!setjmp(abandoned))
		test->run();
	alarm(0);

	result = verdict(test);
	if (result == FAILED)
		printf("# %s holds KVM to %s; %d of %d checks failed%s\n", test->id, test->rules,
		       failures, checks, test->known ? ", expected to fail" : "");
	printf("%s %zu %s%s%s", result == FAILED ? "not ok" : "ok", number, test->id,
	       variation ? "~" : "", variation ? variation : "");
	if (result == SKIPPED)
		printf(" # SKIP Requirement not met: %s", skipped);
	else if (result == PASSED && test->known)
		printf(" # XFAIL %s", test->known);
	putchar('\n');
	return result;
}

int ktap_run(const struct test *tests, size_t count)
{
	size_t results[SKIPPED + 1] = { 0 }, i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGALRM, on_alarm);
	printf("KTAP version 1\n1..%zu\n", count);
	for (i = 0; i < count; i++)
		results[run_one(&tests[i], i + 1)]++;
	if (results[FAILED] || !count)
		return EXIT_FAIL;
	return results[PASSED] ? EXIT_PASS : EXIT_SKIP;
}

const char *ktap_argument(const char *key)
{
	size_t length = strlen(key);
	char **a;

	for (a = arguments; a && *a; a++)
		if (!strncmp(*a, key, length) && (*a)[length] == '=')
			return *a + length + 1;
	return NULL;
}

void ktap_arguments(int argc, char **argv, const char *const *keys)
{
	const char *const *key;
	int i;

	for (i = 1; i < argc; i++) {
		size_t length = strcspn(argv[i], "=");

		for (key = keys; *key; key++)
			if (strlen(*key) == length && !strncmp(*key, argv[i], length) &&
			    argv[i][length])
				break;
		if (*key)
			continue;
		fprintf(stderr, "%s: there is no argument %s; those are:", argv[0], argv[i]);
		for (key = keys; *key; key++)
			fprintf(stderr, " %s=…", *key);
		fprintf(stderr, "\n");
		exit(EXIT_USAGE);
	}
	arguments = argv + 1;
}
