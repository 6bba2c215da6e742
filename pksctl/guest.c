// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a guest in stock QEMU and reads what it finds. COM1 has its results in
 * KTAP; its end is a byte written to port 0xf4, for QEMU one more serial port,
 * which hands on each byte as it is (isa-debug-exit changes it).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "pksctl.h"

#define SILENCE 600	/* seconds without a word: conformance tells how far it is */
#define TAINT_DIE (1 << 7)
#define TAINT_WARN (1 << 9)

enum { COM1, END, STDERR, PIPES };

volatile sig_atomic_t stopped_by;

/* What is known of a guest that runs. */
struct state {
	struct run *run;
	int planned, results, end;	/* end: -1 */
	char line[PIPES][4 * LINE_SIZE];
	size_t length[PIPES];
	char failed[LINE_SIZE];		/* KVM's last word */
	char said[LINE_SIZE];		/* QEMU's */
};

static void on_signal(int sig)
{
	stopped_by = sig;
}

void heed_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void deviate(struct run *r, const char *what)
{
	if (r->n_deviations == MAX_DEVIATIONS)
		return;
	put(r->deviations[r->n_deviations].what, LINE_SIZE, "%s", what);
	put(r->deviations[r->n_deviations++].details, DETAILS_SIZE, "%s", r->diagnostics);
}

static long member(const char *line, const char *name)
{
	char key[32];
	const char *at;

	put(key, sizeof(key), "\"%s\":", name);
	at = strstr(line, key);
	return at ? atol(at + strlen(key)) : 0;
}

/* # {"name":"window.pkrs","variant":"guest",...,"median":8,...} */
static void read_figure(struct run *r, const char *line)
{
	struct figure *f = &r->figures[r->n_figures];
	char name[32], variant[32];

	if (r->n_figures == MAX_FIGURES ||
	    sscanf(line, "# {\"name\":\"%31[^\"]\",\"variant\":\"%31[^\"]\"", name, variant) != 2)
		return;
	put(f->name, sizeof(f->name), "%s/%s", name, variant);
	f->median = member(line, "median");
	f->min = member(line, "min");
	f->spread = member(line, "spread");
	f->n = member(line, "n");
	r->n_figures++;
}

/* The CRC of cksum(1), one byte further. */
static uint32_t sum(uint32_t crc, unsigned char byte)
{
	crc ^= (uint32_t)byte << 24;
	for (int i = 0; i < 8; i++)
		crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7 : 0);
	return crc;
}

static void see_cell(struct run *r, const char *line)
{
	r->cells++;
	for (; *line; line++, r->cell_bytes++)
		r->cksum = sum(r->cksum, *line);
	r->cksum = sum(r->cksum, '\n');
	r->cell_bytes++;
}

/* Their length comes last. */
static void end_cells(struct run *r)
{
	for (size_t n = r->cell_bytes; n; n >>= 8)
		r->cksum = sum(r->cksum, n & 255);
	r->cksum = ~r->cksum;
	if (r->cells)
		put(r->note, sizeof(r->note), "%d cells, cksum %u", r->cells, r->cksum);
}

static void progress(const struct run *r, const char *what)
{
	if (isatty(2))
		fprintf(stderr, "\r%s: %-60.60s", r->id, what);
}

static void see_result(struct state *s, bool ok, const char *id)
{
	struct run *r = s->run;

	s->results++;
	if (!ok) {
		r->failed++;
		deviate(r, id);
	} else if (strstr(id, "# SKIP")) {
		r->skipped++;
		put(r->note, sizeof(r->note), "skipped: %s", strstr(id, "# SKIP") + 7);
	} else {
		r->passed++;
	}
	*r->diagnostics = 0;
	progress(r, id);
}

static void see_guest(struct state *s, char *line)
{
	struct run *r = s->run;
	size_t n = strlen(r->diagnostics);
	int number, at = 0;

	if (sscanf(line, "ok %d %n", &number, &at) == 1 && at) {
		see_result(s, true, line + at);
	} else if (sscanf(line, "not ok %d %n", &number, &at) == 1 && at) {
		see_result(s, false, line + at);
	} else if (sscanf(line, "1..%d", &number) == 1) {
		s->planned = number;
	} else if (strncmp(line, "# ", 2)) {
		return;
	} else if (line[2] == '{') {
		read_figure(r, line);
	} else if (strstr(line, " cases, ")) {
		put(r->note, sizeof(r->note), "%s", line + 2);
	} else if (strstr(line, " cases")) {
		progress(r, line + 2);
	} else if (!strncmp(line, "# cell", 6)) {
		see_cell(r, line);
	} else {
		put(r->diagnostics + n, sizeof(r->diagnostics) - n, "  %s\n", line + 2);
	}
}

/* QEMU stays, paused, when KVM gives up. */
static void see_qemu(struct state *s, const char *line)
{
	put(s->said, sizeof(s->said), "%s", line);
	if (!*s->failed && (strstr(line, "KVM: entry failed") || strstr(line, "KVM internal error") ||
			    strstr(line, "kvm run failed")))
		put(s->failed, sizeof(s->failed), "%s", line);
}

static void see(struct state *s, int from, const char *data, size_t n)
{
	if (from == END && n && s->end < 0)
		s->end = (unsigned char)*data;
	for (size_t i = 0; from != END && i < n; i++) {
		if (data[i] == '\n') {
			s->line[from][s->length[from]] = 0;
			s->length[from] = 0;
			clean(s->line[from]);
			(from == COM1 ? (void)see_guest(s, s->line[from]) : see_qemu(s, s->line[from]));
		} else if (data[i] != '\r' && s->length[from] < sizeof(s->line[from]) - 1) {
			s->line[from][s->length[from]++] = data[i];
		}
	}
}

/* The file by a number above those that QEMU gets. */
static int above(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 10);

	close(fd);
	return moved;
}

/* COM1 is file 3 of QEMU's, the end 4, the guest 5. */
static pid_t start(const struct run *r, int guest, int ends[PIPES])
{
	char cpu[64];
	char *argv[] = {
		"qemu-system-x86_64", "-accel", "kvm", "-cpu", cpu, "-machine", "pc", "-nodefaults",
		"-display", "none", "-no-reboot",
		"-chardev", "file,id=com1,path=/dev/fd/3", "-serial", "chardev:com1",
		"-chardev", "file,id=end,path=/dev/fd/4", "-device", "isa-serial,iobase=0xf4,irq=5,chardev=end",
		"-kernel", "/dev/fd/5", "-append", (char *)(r->args ? r->args : ""), NULL
	};
	int p[PIPES][2], null = open("/dev/null", O_RDWR | O_CLOEXEC), i;
	pid_t parent = getpid(), pid;

	put(cpu, sizeof(cpu), "host%s", r->cpu ? r->cpu : "");
	for (i = 0; i < PIPES; i++) {
		if (pipe2(p[i], O_CLOEXEC))
			die(CANNOT, "there is no pipe to be had: %s", strerror(errno));
		p[i][1] = above(p[i][1]);
		ends[i] = p[i][0];
	}
	guest = above(guest);
	pid = fork();
	if (pid < 0)
		die(CANNOT, "qemu-system-x86_64 cannot be started: %s", strerror(errno));
	if (!pid) {
		/* It goes with us even if we are killed. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(CANNOT);
		setpgid(0, 0);
		dup2(null, 0);
		dup2(p[STDERR][1], 1);
		dup2(p[STDERR][1], 2);
		dup2(p[COM1][1], 3);
		dup2(p[END][1], 4);
		dup2(guest, 5);
		execvp(argv[0], argv);
		dprintf(2, "%s\n", strerror(errno));
		_exit(CANNOT);
	}
	setpgid(pid, pid);
	for (i = 0; i < PIPES; i++)
		close(p[i][1]);
	close(guest);
	close(null);
	return pid;
}

/* Until the guest has ended and all that it said is read; false where it said nothing for too long. */
static bool follow(struct state *s, pid_t pid, int from[PIPES])
{
	double heard = seconds_now();
	bool in_time = true, killed = false;
	char data[65536];

	for (;;) {
		struct pollfd p[PIPES];
		int open = 0;

		for (int i = 0; i < PIPES; i++) {
			p[i] = (struct pollfd){ .fd = from[i], .events = POLLIN };
			open += from[i] >= 0;
		}
		if (!open)
			return in_time;
		in_time = in_time && seconds_now() - heard < SILENCE;
		if (!killed && (s->end >= 0 || *s->failed || stopped_by || !in_time)) {
			kill(-pid, SIGKILL);
			killed = true;
		}
		if (poll(p, PIPES, 1000) < 0)
			continue;
		for (int i = 0; i < PIPES; i++) {
			ssize_t n = p[i].revents ? read(from[i], data, sizeof(data)) : -1;

			if (n > 0) {
				heard = seconds_now();
				see(s, i, data, n);
			} else if (p[i].revents && (!n || errno != EINTR)) {
				close(from[i]);
				from[i] = -1;
			}
		}
	}
}

/* How it ended, apart from its results. */
static void judge_end(struct state *s, bool in_time, int status)
{
	struct run *r = s->run;
	char what[2 * LINE_SIZE];

	if (*s->failed)
		put(what, sizeof(what), "KVM could not run the guest: %s", s->failed);
	else if (!in_time)
		put(what, sizeof(what), "the guest said nothing for %d seconds and was stopped", SILENCE);
	else if (s->end < 0 && WIFEXITED(status) && !WEXITSTATUS(status))
		put(what, sizeof(what), "the guest was reset before its end: a triple fault");
	else if (s->end < 0)
		put(what, sizeof(what), "QEMU failed: %s", s->said);
	else if (!s->results || s->results != s->planned)
		put(what, sizeof(what), "%d results where %d were planned", s->results, s->planned);
	else if ((s->end != 0 && s->end != 1 && s->end != 4) || (s->end == 1) != (r->failed > 0))
		put(what, sizeof(what), "the guest ended with %d", s->end);
	else
		return;
	deviate(r, what);
	r->failed++;
}

static long taint(void)
{
	char text[32];

	return read_line(text, sizeof(text), SYSROOT "/proc/sys/kernel/tainted") ? atol(text) & (TAINT_DIE | TAINT_WARN) : 0;
}

bool run_guest(struct run *r, const char *guests)
{
	struct state s = { .run = r, .end = -1 };
	char path[PATH_SIZE];
	int from[PIPES], guest, status = 0;
	long tainted = taint();
	double began = seconds_now();
	bool in_time;
	pid_t pid;

	put(path, sizeof(path), "%s/%s", guests, r->file);
	guest = open(path, O_RDONLY | O_CLOEXEC);
	if (guest < 0)
		die(CANNOT, "the guest %s cannot be read: %s", path, strerror(errno));
	progress(r, "");
	pid = start(r, guest, from);
	in_time = follow(&s, pid, from);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (isatty(2))
		fprintf(stderr, "\r%79s\r", "");
	if (stopped_by) {
		say("interrupted: there is no report");
		return false;
	}
	judge_end(&s, in_time, status);
	end_cells(r);
	if (taint() != tainted) {
		*r->diagnostics = 0;
		deviate(r, "the host's kernel gave a warning: dmesg has it");
		r->failed++;
	}
	r->seconds = seconds_now() - began;
	return true;
}

/* QEMU's own first line, into VERSION (LINE_SIZE). */
bool qemu_version(char *version)
{
	FILE *f = popen("qemu-system-x86_64 --version 2>/dev/null", "re");
	bool got = f && fgets(version, LINE_SIZE, f);

	version[strcspn(version, "\n")] = 0;
	return f && !pclose(f) && got;
}
