// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves guests/migrate.c between processes of stock QEMU, in L0:
 *
 *   migrate live COUNT [nested]	by a unix socket; COUNT are the moves that met L2
 *   migrate file [nested]		saved to a file and restored from it
 *   migrate left			to nobody, then to one without PKS: the source runs on
 *   migrate save FILE			saved, to be restored by other modules:
 *   migrate restore FILE		the guest goes on
 *   migrate refused FILE CPU		with -cpu CPU it must not, and QEMU say why
 *
 * The guest's results go to stdout, and what we have to say of the moves as
 * diagnostics; "refused" has results of its own. Exit status: 0 passed, 1 failed,
 * 2 the lab failed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qemu.h"

#define FILE_NAME	"/tmp/migrate.state"
#define SOCKET		"unix:/tmp/migrate.socket"

/* What is known of the moves so far. */
static struct {
	int moves, in_l2;
	double ms_min, ms_max, us_min, us_max;
} total = { .ms_min = 1e9, .us_min = 1e9 };

static void with_uri(struct qemu *q, const char *name, const char *uri)
{
	char arguments[256];

	snprintf(arguments, sizeof(arguments), "\"uri\": \"%s\"", uri);
	free(qemu_command(q, name, arguments));
}

/* Hand on what the guest says before a line that begins so, which is returned. */
static char *hear(struct qemu *q, const char *until)
{
	char *s;

	while ((s = qemu_line(&q->com1))) {
		if (!strncmp(s, until, strlen(until)))
			return s;
		printf("%s\n", s);
		free(s);
	}
	return NULL;
}

/* It runs: how far is it? */
static char *ask(struct qemu *q)
{
	char *s = write(q->input, "?", 1) == 1 ? hear(q, "# at ") : NULL;

	if (!s)
		qemu_silent(q, "a question to the guest");
	return s;
}

static struct qemu *begin(const char *args)
{
	struct qemu *q = qemu_start("host", args, 0);
	char *s;

	if (!qemu_ready(q))
		qemu_silent(q, "the start of QEMU");
	s = hear(q, "# begins");
	if (!s)
		qemu_silent(q, "the guest's begin");
	free(s);
	return q;
}

static struct qemu *waiting(const char *cpu, const char *args)
{
	struct qemu *q = qemu_start(cpu, args, 1);

	if (!qemu_ready(q))
		qemu_silent(q, "the start of QEMU");
	return q;
}

/* Its results, and its exit status. */
static int results(struct qemu *q)
{
	unsigned char status = FAIL;
	char *s;

	if (total.moves)
		printf("# %d moves, %d with L2 active: downtime %.0f to %.0f ms by query-migrate, "
		       "%.0f to %.0f us between the events STOP and RESUME\n", total.moves,
		       total.in_l2, total.ms_min, total.ms_max, total.us_min, total.us_max);
	if (write(q->input, "q", 1) != 1)
		qemu_silent(q, "the end of the guest");
	while ((s = qemu_line(&q->com1)) && !strstr(s, " skipped")) {
		printf("%s\n", s);
		free(s);
	}
	if (!s || read(q->port.fd, &status, 1) != 1)
		qemu_silent(q, "the results of the guest");
	printf("%s\n", s);
	free(s);
	qemu_quit(q);
	return status;
}

/* Send it; 1 if QEMU says that it is done, 0 if that it failed. */
static int send_away(struct qemu *q, const char *uri)
{
	char *s;
	int done;

	with_uri(q, "migrate", uri);
	s = qemu_message(q, "\"status\": \"completed\"", "\"status\": \"failed\"");
	if (!s)
		qemu_silent(q, "migrate");
	done = !!strstr(s, "completed");
	free(s);
	return done;
}

static void note_move(struct qemu *from, struct qemu *to)
{
	char *s = qemu_command(from, "query-migrate", ""), *ms = strstr(s, "\"downtime\": ");
	double us = (to->resumed - from->stopped) * 1e6, downtime = ms ? atof(ms + 12) : -1;

	free(s);
	total.moves++;
	total.ms_min = downtime < total.ms_min ? downtime : total.ms_min;
	total.ms_max = downtime > total.ms_max ? downtime : total.ms_max;
	total.us_min = us < total.us_min ? us : total.us_min;
	total.us_max = us > total.us_max ? us : total.us_max;
	s = ask(to);
	printf("%s, move %d, downtime %.0f ms, %.0f us\n", s, total.moves, downtime, us);
	free(s);
}

/* What comes before that for the guest is lost. */
static void arrive(struct qemu *q)
{
	char *s = qemu_message(q, "\"event\": \"RESUME\"", "\"event\": \"RESUME\"");

	if (!s)
		qemu_silent(q, "the migration");
	free(s);
}

/* To another QEMU, which is returned. */
static struct qemu *move(struct qemu *q, const char *args)
{
	struct qemu *to = waiting("host", args);

	with_uri(to, "migrate-incoming", SOCKET);
	if (!send_away(q, SOCKET))
		end(FAIL, "the source says that the migration failed");
	total.in_l2 += qemu_in_l2(q);
	arrive(to);
	note_move(q, to);
	qemu_quit(q);
	return to;
}

static int live(int count, const char *args)
{
	struct qemu *q = begin(args);
	const int *done = *args ? &total.in_l2 : &total.moves;

	while (*done < count) {
		if (total.moves > 2 * count)
			end(FAIL, "of %d moves only %d met L2", total.moves, total.in_l2);
		q = move(q, args);
	}
	return results(q);
}

/* To be used before the next call. */
static const char *file_uri(const struct qemu *q, const char *file, int write)
{
	static char uri[256];

	/* QEMU has a form of its own for files since 8.2. */
	snprintf(uri, sizeof(uri), q->version >= 802 ? "file:%s" : write ? "exec:cat >%s" : "exec:cat %s",
		 file);
	return uri;
}

static void save(struct qemu *q, const char *file)
{
	if (!send_away(q, file_uri(q, file, 1)))
		end(FAIL, "the guest could not be saved to %s", file);
}

static struct qemu *restore(const char *file, const char *args)
{
	struct qemu *q = waiting("host", args);
	char *s;

	with_uri(q, "migrate-incoming", file_uri(q, file, 0));
	arrive(q);
	s = ask(q);
	printf("%s, restored from %s\n", s, file);
	free(s);
	return q;
}

static int by_file(const char *args)
{
	struct qemu *q = begin(args);

	save(q, FILE_NAME);
	if (*args && !qemu_in_l2(q))
		printf("# L2 was not active\n");
	qemu_quit(q);
	return results(restore(FILE_NAME, args));
}

/* Whatever becomes of the migration, the source's guest is there and goes on. */
static int left(void)
{
	struct qemu *q = begin(""), *to;
	char *s;

	if (send_away(q, SOCKET))
		end(FAIL, "the source says that the migration to nobody is done");
	s = ask(q);
	printf("%s, left by a QEMU that did not start\n", s);
	free(s);
	to = waiting("host,-pks", "");
	with_uri(to, "migrate-incoming", SOCKET);
	send_away(q, SOCKET);
	while ((s = qemu_line(&to->com1))) {
		printf("# -cpu host,-pks: %s\n", s);
		free(s);
	}
	if (!to->com1.ended)
		end(FAIL, "with -cpu host,-pks QEMU goes on");
	qemu_quit(to);
	/* Not until it is all over does the source take it. */
	do {
		s = qemu_command(q, "query-status", "");
	} while (strstr(s, "finish-migrate") && (free(s), 1));
	printf("# the source: %s\n", s);
	free(s);
	free(qemu_command(q, "cont", ""));
	s = ask(q);
	printf("%s, left by a QEMU with -cpu host,-pks\n", s);
	free(s);
	return results(move(q, ""));
}

/*
 * The guest must not go on there as if nothing was lost: QEMU ends, and says
 * why. Before 9.2 it ignores that KVM refuses the registers, and the guest is
 * reset: only a -cpu with "enforce" makes it say so.
 */
static int refused(const char *file, const char *cpu)
{
	struct qemu *q = qemu_start(cpu, "", 1);
	int spoke = 0, mute, version = 0;
	char *s;

	if (qemu_ready(q)) {
		version = q->version;
		with_uri(q, "migrate-incoming", file_uri(q, file, 0));
	}
	while ((s = qemu_line(&q->com1))) {
		printf("# the guest: %s\n", s);
		free(s);
		spoke = 1;
	}
	spoke |= !q->com1.ended;
	printf("KTAP version 1\n1..2\n");
	printf("%sok 1 migrate.refused.guest_stays_back\n", spoke ? "not " : "");
	mute = version && version < 902;
	if ((qemu_quit(q) > 0) != mute)
		printf("ok 2 migrate.refused.says_why%s\n",
		       mute ? " # XFAIL QEMU before 9.2 does not look at what KVM answers" : "");
	else
		printf("not ok 2 migrate.refused.says_why\n");
	return PASS;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *args = argc > 1 ? argv[argc - 1] : "";
	struct qemu *q;

	args = !strcmp(args, "nested") ? args : "";
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(what, "live") && argc > 2)
		return live(atoi(argv[2]), args);
	if (!strcmp(what, "file"))
		return by_file(args);
	if (!strcmp(what, "left"))
		return left();
	if (!strcmp(what, "save") && argc > 2) {
		q = begin("");
		save(q, argv[2]);
		qemu_quit(q);
		return PASS;
	}
	if (!strcmp(what, "restore") && argc > 2)
		return results(restore(argv[2], ""));
	if (!strcmp(what, "refused") && argc > 3)
		return refused(argv[2], argv[3]);
	end(LAB, "usage: see tests/migrate/migrate.c");
}
