/* SPDX-License-Identifier: GPL-2.0-only */
/* One test program is a table of cases; each prints one KTAP line. */
#ifndef TESTS_KVM_KTAP_H
#define TESTS_KVM_KTAP_H

#include <stdbool.h>
#include <stddef.h>

struct test {
	const char *id;		/* area.object.case */
	const char *rules;	/* what of spec/ it holds KVM to */
	void (*run)(void);
	const char *known;	/* why it fails today: a pass is then a failure */
};

/* A case fails with a failed CHECK and goes on; without any CHECK it fails too. */
#define CHECK(cond, ...) ktap_check(cond, __FILE__, __LINE__, __VA_ARGS__)
/* Without this the case cannot go on: it fails here. */
#define REQUIRE(cond, ...)					\
	do {							\
		if (!(cond)) {					\
			CHECK(false, __VA_ARGS__);		\
			ktap_abandon();				\
		}						\
	} while (0)

bool ktap_check(bool ok, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void ktap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ktap_abandon(void) __attribute__((noreturn));
/* "Requirement not met: " is put in front. */
void ktap_skip(const char *requirement) __attribute__((noreturn));

/*
 * Runs the cases. The program's arguments are KEY=VALUE; variation=NAME is
 * added to the ids, as in kvm.cpuid.absent~ept0.
 */
int ktap_run(const struct test *tests, size_t count);
void ktap_arguments(int argc, char **argv, const char *const *keys);
const char *ktap_argument(const char *key);

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#endif
