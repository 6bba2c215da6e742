// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a QEMU says of its guest by its monitor (QMP): whether PKS is in CPUID,
 * and in CR4. libvirt keeps its own monitor to itself; this is for a QEMU that
 * listens on a socket which its command line names.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "pksctl.h"

#define REPLY_MAX (4 << 20)	/* the registers of a thousand processors */
#define CR4_PKS (1ul << 24)

struct monitor {
	int fd;
	char *reply;	/* the last line */
	size_t room;
};

static bool connect_to(struct monitor *m, const char *path, int pid)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 1 };
	struct ucred peer = { 0 };
	socklen_t n = sizeof(peer);

	if (strlen(path) >= sizeof(a.sun_path))
		return false;
	strcpy(a.sun_path, path);
	m->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* One that serves somebody else lets us wait. */
	setsockopt(m->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(m->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(m->fd, (struct sockaddr *)&a, sizeof(a)))
		return false;
	/* Any process may have any command line: the socket has to be its own. */
	return !getsockopt(m->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) && peer.pid == pid;
}

/* The next line that is no event; false if there is none in time. */
static bool hear(struct monitor *m)
{
	size_t n = 0;

	while (n < REPLY_MAX) {
		if (n + 1 >= m->room) {
			m->room += 65536;
			m->reply = realloc(m->reply, m->room);
			if (!m->reply)
				die(CANNOT, "there is no memory left");
		}
		/* By the byte: a line, and no more, is wanted. */
		if (recv(m->fd, m->reply + n, 1, 0) != 1)
			return false;
		if (m->reply[n++] != '\n')
			continue;
		m->reply[n] = 0;
		if (strncmp(m->reply, "{\"timestamp\"", 12))
			return true;
		n = 0;
	}
	return false;
}

static bool ask(struct monitor *m, const char *fmt, ...) SAYS(2);
static bool ask(struct monitor *m, const char *fmt, ...)
{
	char text[2 * LINE_SIZE];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return n < (int)sizeof(text) && send(m->fd, text, n, MSG_NOSIGNAL) == n && hear(m) &&
	       !strncmp(m->reply, "{\"return\"", 9);
}

/* Of every processor "... CR4=00000020 ...". */
static enum tri any_uses_pks(const char *text)
{
	enum tri uses = UNKNOWN;

	for (; (text = strstr(text, "CR4=")); text += 4)
		if (uses != YES)
			uses = strtoul(text + 4, NULL, 16) & CR4_PKS ? YES : NO;
	return uses;
}

void ask_qemu(struct vm *vm)
{
	struct monitor m = { .fd = -1 };
	char path[LINE_SIZE] = "", *at;

	if (!*vm->monitor || !connect_to(&m, vm->monitor, vm->pid) || !hear(&m) || strncmp(m.reply, "{\"QMP\"", 6) ||
	    !ask(&m, "{\"execute\":\"qmp_capabilities\"}\n"))
		goto end;
	if (ask(&m, "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"info registers -a\"}}\n"))
		vm->uses = any_uses_pks(m.reply);
	if (ask(&m, "{\"execute\":\"query-cpus-fast\"}\n") && (at = strstr(m.reply, "\"qom-path\": \"")))
		put(path, sizeof(path), "%.*s", (int)strcspn(at + 13, "\"\\"), at + 13);
	if (*path && ask(&m, "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"%s\",\"property\":\"pks\"}}\n", path))
		vm->pks = strstr(m.reply, "true") ? YES : NO;
end:
	if (m.fd >= 0)
		close(m.fd);
	free(m.reply);
}
