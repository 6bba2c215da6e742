/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the supervisors share, watch.c (the emulator) and qemu.h (QEMU): a child
 * in a process group of its own, bounded output, a time limit, and nothing left
 * behind whatever ends them. say(), a sentence on stderr, is the includer's.
 */
#ifndef LAB_PUMP_H
#define LAB_PUMP_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PASS = 0, FAIL = 1, LAB = 2, SKIP = 4, TIMEOUT = 124 };

/* Why pump() came back. */
enum why { ENDED, SEEN, FULL, LATE, STOPPED };

/* Bytes on their way from the child to the user. */
struct stream {
	int from, to;			/* -1: no more, nowhere */
	int lazy;			/* look every 20 ms: a wake-up a byte costs more than the byte */
	size_t max, total;		/* bytes that are passed on */
	char *held;			/* read, not yet written */
	size_t start, end, size;
	/* Sees what comes, or each line of it; 1 ends the pump. */
	int (*bytes)(const char *data, size_t n);
	int (*line)(const char *line);
	char text[512];
	size_t len;
};

static pid_t child;
static volatile sig_atomic_t stopped_by;

static void on_signal(int sig)
{
	stopped_by = sig;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* A pipe whose write end the child may have, and whose read end is ours. */
static void open_pipe(int fd[2])
{
	if (pipe2(fd, O_CLOEXEC)) {
		say("no pipe: %s", strerror(errno));
		exit(LAB);
	}
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
}

/* From now on a signal is noted, and ends the pump. */
static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* @fds are the child's files from 0 on. */
static void start_child(char **argv, int *fds, int nr_fds)
{
	pid_t parent = getpid();
	int i;

	catch_signals();
	child = fork();
	if (child < 0) {
		say("cannot start %s: %s", argv[0], strerror(errno));
		exit(LAB);
	}
	if (child) {
		setpgid(child, child);
		return;
	}
	setpgid(0, 0);
	/* Goes with us even if we are killed. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(LAB);
	signal(SIGPIPE, SIG_DFL);
	/* None may be in the way of another. */
	for (i = 0; i < nr_fds; i++)
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, nr_fds);
	for (i = 0; i < nr_fds; i++)
		if (dup2(fds[i], i) < 0)
			_exit(LAB);
	/* execvp() gives to /bin/sh what is no program. */
	if (strchr(argv[0], '/'))
		execv(argv[0], argv);
	else
		execvp(argv[0], argv);
	dprintf(2, "cannot start %s: %s\n", argv[0], strerror(errno));
	_exit(LAB);
}

static void stop_child(void)
{
	if (child > 0)
		kill(-child, SIGKILL);
}

static int see(struct stream *s, const char *data, size_t n)
{
	int seen = s->bytes && s->bytes(data, n);
	size_t i;

	for (i = 0; s->line && i < n; i++) {
		if (data[i] == '\n') {
			s->text[s->len] = 0;
			s->len = 0;
			seen |= s->line(s->text);
		} else if (s->len < sizeof(s->text) - 1 && data[i] != '\r') {
			s->text[s->len++] = data[i];
		}
	}
	return seen;
}

/* Called when the output is ready: a pipe takes PIPE_BUF bytes at once then. */
static void write_held(struct stream *s)
{
	size_t n = s->end - s->start < 4096 ? s->end - s->start : 4096;
	ssize_t wrote = write(s->to, s->held + s->start, n);

	if (wrote < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (wrote < 0)
		s->to = -1;		/* nobody reads: the verdict stands */
	s->start += wrote < 0 ? 0 : wrote;
	if (s->to < 0 || s->start == s->end)
		s->start = s->end = 0;
}

static enum why read_some(struct stream *s)
{
	char data[65536];
	ssize_t n = read(s->from, data, sizeof(data));
	int seen;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return ENDED;
	if (n <= 0) {
		close(s->from);
		s->from = -1;
		return ENDED;
	}
	seen = see(s, data, n);
	if ((size_t)n > s->max - s->total)
		n = s->max - s->total;
	if (s->to >= 0) {
		if (s->end + n > s->size) {
			s->size = 2 * (s->end + n);
			s->held = realloc(s->held, s->size);
			if (!s->held)
				exit(LAB);
		}
		memcpy(s->held + s->end, data, n);
		s->end += n;
	}
	s->total += n;
	return seen ? SEEN : s->total == s->max ? FULL : ENDED;
}

/*
 * Move bytes until every stream has ended and is written out, or something
 * happens before. What is over the bound of a stream is dropped, but for
 * @s[0], whose bound ends the pump.
 */
static enum why pump(struct stream *s, int nr, double deadline)
{
	struct pollfd p[16];
	enum why why;
	int i, busy, ms, lazy, tick = 0, ready;

	for (;;) {
		for (i = busy = lazy = 0; i < nr; i++) {
			int to = s[i].start < s[i].end ? s[i].to : -1;
			int from = s[i].lazy && !tick ? -1 : s[i].from;

			lazy |= s[i].lazy && s[i].from >= 0;
			p[2 * i] = (struct pollfd){ .fd = from, .events = POLLIN };
			p[2 * i + 1] = (struct pollfd){ .fd = to, .events = POLLOUT };
			busy |= s[i].from >= 0 || to >= 0;
		}
		if (!busy)
			return ENDED;
		ms = (deadline - now()) * 1000 + 1;
		if (ms <= 0)
			return LATE;
		ready = poll(p, 2 * nr, tick ? 0 : lazy && ms > 20 ? 20 : ms);
		if (ready < 0 && errno != EINTR)
			exit(LAB);
		tick = lazy && !tick && !ready;
		if (stopped_by)
			return STOPPED;
		for (i = 0; i < nr; i++) {
			if (p[2 * i + 1].revents)
				write_held(&s[i]);
			if (!p[2 * i].revents)
				continue;
			why = read_some(&s[i]);
			if (why == SEEN || (why == FULL && !i))
				return why;
		}
	}
}

/* The child is dead or dying: what it has written is still in the pipes. */
static int end_child(struct stream *s, int nr, double seconds)
{
	int i, status = 0;

	stop_child();
	for (i = 0; i < nr; i++) {
		s[i].bytes = NULL;
		s[i].lazy = 0;
	}
	while (pump(s, nr, now() + seconds) == SEEN)
		;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	child = 0;
	return status;
}
#endif
