/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process of stock QEMU with guests/migrate.c, driven by QMP. What goes wrong
 * here ends the program: with FAIL where QEMU or the guest did it.
 */
#ifndef TESTS_MIGRATE_QEMU_H
#define TESTS_MIGRATE_QEMU_H

#include <sys/types.h>

enum { PASS = 0, FAIL = 1, LAB = 2 };

/* What comes from QEMU, by lines. */
struct reader {
	int fd, ended;
	size_t len;
	char text[1 << 16];
};

struct qemu {
	pid_t pid;
	int version;			/* 702 */
	int input;			/* COM1 */
	double stopped, resumed;	/* when its last events say, in seconds */
	struct reader com1, qmp, port, said;
};

/* Say why, as a diagnostic, and end. */
void end(int status, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* The guest of ARGS begins, or waits to come in. */
struct qemu *qemu_start(const char *cpu, const char *args, int incoming);
int qemu_ready(struct qemu *q);		/* 0: it ended before it was */
int qemu_quit(struct qemu *q);		/* end it; how many lines it printed itself */
void qemu_silent(struct qemu *q, const char *what) __attribute__((noreturn));

/* Strings are for the caller to free. NULL: there is none, QEMU has ended. */
char *qemu_line(struct reader *r);	/* NULL also if none came for long */
char *qemu_message(struct qemu *q, const char *has, const char *or);	/* with either in it */
char *qemu_command(struct qemu *q, const char *name, const char *arguments);
int qemu_in_l2(struct qemu *q);		/* was its processor in L2 when it was stopped? */

#endif
