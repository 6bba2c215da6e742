// SPDX-License-Identifier: GPL-2.0-only
/* QEMU as a process, and its monitor. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "qemu.h"

#define PATIENCE	20.0	/* seconds: far more than anything takes */
#define STATS		"/sys/kernel/debug/kvm"

/* A diagnostic, and the end. */
void end(int status, const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(status);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* The next line, for the caller to free, or NULL: it has ended, or is late. */
char *qemu_line(struct reader *r)
{
	double left, deadline = now() + PATIENCE;
	struct pollfd p = { .fd = r->fd, .events = POLLIN };
	ssize_t n;
	char *nl, *s;

	while (!(nl = memchr(r->text, '\n', r->len))) {
		left = deadline - now();
		if (left <= 0 || r->len == sizeof(r->text) || poll(&p, 1, left * 1000 + 1) < 0)
			return NULL;
		if (!p.revents)
			continue;
		n = read(r->fd, r->text + r->len, sizeof(r->text) - r->len);
		r->ended = n <= 0;
		if (r->ended)
			return NULL;
		r->len += n;
	}
	s = strndup(r->text, nl - r->text);
	r->len -= nl + 1 - r->text;
	memmove(r->text, nl + 1, r->len);
	s[strcspn(s, "\r")] = 0;
	return s;
}

/* End it, and show what it printed itself; the lines' number. */
int qemu_quit(struct qemu *q)
{
	int lines = 0;
	char *s;

	kill(q->pid, SIGKILL);
	waitpid(q->pid, NULL, 0);
	while ((s = qemu_line(&q->said))) {
		printf("# QEMU: %s\n", s);
		free(s);
		lines++;
	}
	close(q->input);
	close(q->com1.fd);
	close(q->qmp.fd);
	close(q->port.fd);
	close(q->said.fd);
	free(q);
	return lines;
}

void qemu_silent(struct qemu *q, const char *what)
{
	qemu_quit(q);
	end(FAIL, "no answer to: %s", what);
}

/* {"timestamp": {"seconds": 1, "microseconds": 2}, ... */
static double timestamp(const char *s)
{
	const char *sec = strstr(s, "\"seconds\": "), *us = strstr(s, "\"microseconds\": ");

	return sec && us ? atof(sec + 11) + atof(us + 16) * 1e-6 : 0;
}

/* The next message of QMP with either text in it, or NULL: QEMU has ended. */
char *qemu_message(struct qemu *q, const char *has, const char *or)
{
	char *s;

	while ((s = qemu_line(&q->qmp))) {
		if (strstr(s, "\"event\": \"STOP\""))
			q->stopped = timestamp(s);
		if (strstr(s, "\"event\": \"RESUME\""))
			q->resumed = timestamp(s);
		if (strstr(s, has) || strstr(s, or))
			return s;
		free(s);
	}
	if (!q->qmp.ended)
		qemu_silent(q, has);
	return NULL;
}

/* The reply to a command, that must not be refused. */
char *qemu_command(struct qemu *q, const char *name, const char *arguments)
{
	char *s;

	dprintf(q->qmp.fd, "{\"execute\": \"%s\", \"arguments\": {%s}}\n", name, arguments);
	s = qemu_message(q, "\"return\": ", "\"error\": ");
	if (!s)
		qemu_silent(q, name);
	if (strstr(s, "\"error\": "))
		end(FAIL, "QEMU refuses %s: %s", name, s);
	return s;
}

static void channel(int fd[2], int ok)
{
	if (ok)
		end(LAB, "no channel to QEMU: %s", strerror(errno));
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	fcntl(fd[1], F_SETFD, FD_CLOEXEC);
}

/* QEMU, with a guest that begins or waits to come in. */
struct qemu *qemu_start(const char *cpu, const char *args, int incoming)
{
	struct qemu *q = calloc(1, sizeof(*q));
	int in[2], out[2], err[2], qmp[2], port[2], fds[5], i;
	char *argv[] = {
		"qemu-system-x86_64", "-accel", "kvm", "-cpu", (char *)cpu, "-machine", "pc",
		"-m", "80", "-nodefaults", "-display", "none", "-no-reboot",
		"-chardev", "stdio,id=com1,signal=off", "-serial", "chardev:com1",
		"-chardev", "file,id=end,path=/dev/fd/4",
		"-device", "isa-serial,iobase=0xf4,irq=5,chardev=end",
		"-chardev", "socket,id=qmp,fd=3", "-mon", "chardev=qmp,mode=control",
		"-kernel", "migrate.elf", "-append", (char *)args,
		incoming ? "-incoming" : NULL, "defer", NULL
	};

	channel(in, pipe(in));
	channel(out, pipe(out));
	channel(err, pipe(err));
	channel(qmp, socketpair(AF_UNIX, SOCK_STREAM, 0, qmp));
	channel(port, pipe(port));
	q->pid = fork();
	if (q->pid < 0)
		end(LAB, "no process for QEMU: %s", strerror(errno));
	if (!q->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_DFL);
		fds[0] = in[0], fds[1] = out[1], fds[2] = err[1], fds[3] = qmp[1], fds[4] = port[1];
		/* None may be in the way of another. */
		for (i = 0; i < 5; i++)
			fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 5);
		for (i = 0; i < 5; i++)
			dup2(fds[i], i);
		execvp(argv[0], argv);
		dprintf(2, "cannot start %s: %s\n", argv[0], strerror(errno));
		_exit(LAB);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	close(qmp[1]);
	close(port[1]);
	q->input = in[1];
	q->com1.fd = out[0];
	q->said.fd = err[0];
	q->qmp.fd = qmp[0];
	q->port.fd = port[0];
	return q;
}

/* Wait for QMP: 0 if QEMU ended before. */
int qemu_ready(struct qemu *q)
{
	char *s = qemu_message(q, "\"QMP\": ", "\"QMP\": ");

	if (!s)
		return 0;
	q->version = atoi(strstr(s, "\"major\": ") + 9) * 100 + atoi(strstr(s, "\"minor\": ") + 9);
	free(s);
	/* It greets before it looks at its processor. */
	dprintf(q->qmp.fd, "{\"execute\": \"qmp_capabilities\"}\n");
	s = qemu_message(q, "\"return\": ", "\"return\": ");
	if (!s)
		return 0;
	free(s);
	free(qemu_command(q, "migrate-set-capabilities",
		     "\"capabilities\": [{\"capability\": \"events\", \"state\": true}]"));
	return 1;
}

/* Was its processor in L2 when it was stopped? By KVM's own statistics. */
int qemu_in_l2(struct qemu *q)
{
	DIR *all = opendir(STATS);
	struct dirent *d;
	char path[512];
	FILE *f = NULL;
	int active = -1;

	while (all && (d = readdir(all)))
		if (atoi(d->d_name) == q->pid && strchr(d->d_name, '-')) {
			snprintf(path, sizeof(path), STATS "/%s/guest_mode", d->d_name);
			f = fopen(path, "re");
		}
	if (!f || fscanf(f, "%d", &active) != 1)
		end(LAB, "no guest_mode in " STATS);
	fclose(f);
	closedir(all);
	return active;
}

