// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the emulator: watch BARE LIMIT MAX LOG RUN [MACHINE] COMMAND...
 *
 * A saved machine (lab/saved.cc) goes first, whose name in the cache is then LAB_SAVED
 * in the environment. If it ends without a word, that is removed, and COMMAND boots.
 * LIMIT is in seconds, MAX, the bound of the output, in MiB.
 * The folder RUN.scratch has the files of this run, the lock RUN.lock tells that
 * they are in use (scripts/lib.sh); both are removed at the end.
 * The emulator finds pipes for its serial ports at /dev/fd/3 and /dev/fd/4.
 * COM1 goes to stdout, COM2 to the file LOG ("-": nowhere), and the lines of
 * COM2 that begin with "lab: " to stderr. The patched emulator tells the byte
 * written to port 0xf4 on its stderr, and that byte is our exit status: under
 * L0 (BARE is 0) lab/init.c chose it, else the guest did.
 * LAB_TRACE in the environment is the number of one more file for the emulator; who
 * reads it is a child of the process that we were before, and ends before we do.
 */
#define _GNU_SOURCE
#include <ftw.h>
#include "console.h"
#include "pump.h"

#define LOG_MAX		((size_t)64 << 20)
#define TAIL		12

static int end_byte = -1, triple;	/* what was seen */
static struct console l0 = { .name = "L0" };
static char tail[TAIL][160];
static unsigned int lines;

/* COM2: the console of L0, which has that of an L1 in it (guest.c). */
static int l0_line(const char *line)
{
	return strncmp(line, "L1: ", 4) && console_line(&l0, line);
}

/* The emulator's own messages. */
static int emulator_line(const char *line)
{
	if (sscanf(line, "lab: debug exit %d", &end_byte) == 1)
		return 0;
	if (!strncmp(line, "lab: ", 5))
		fprintf(stderr, "%s\n", line);
	triple |= strstr(line, "3rd") && strstr(line, "exception with no resolution");
	if (*line)
		snprintf(tail[lines++ % TAIL], sizeof(tail[0]), "%s", line);
	return 0;
}

static void show_tail(void)
{
	unsigned int i = lines > TAIL ? lines - TAIL : 0;

	for (; i < lines; i++)
		fprintf(stderr, "    %s\n", tail[i % TAIL]);
}

static int verdict(int bare)
{
	if (!bare || end_byte == PASS || end_byte == FAIL || end_byte == SKIP)
		return end_byte;
	say("the guest wrote %d to the debug-exit port: 0 is pass, 1 fail, 4 all skipped", end_byte);
	return FAIL;
}

static int judge(enum why why, int bare, int status, char **argv)
{
	if (why == STOPPED)
		return 128 + stopped_by;
	if (why == LATE) {
		say("no end within %s s: stopped (--limit S gives it more)", argv[2]);
		return TIMEOUT;
	}
	if (why == FULL) {
		say("more than %s MiB of output: stopped (--max-output MIB allows more)", argv[3]);
		return FAIL;
	}
	if (l0.panicked)
		return l0.started ? FAIL : LAB;
	if (end_byte >= 0)
		return verdict(bare);
	if (triple && (bare || l0.started)) {
		say("the %s shut down by a triple fault", bare ? "guest" : "kernel of L0");
		return FAIL;
	}
	if (WIFSIGNALED(status))
		say("the emulator was ended by signal %d; its last messages:", WTERMSIG(status));
	else
		say("the emulator stopped by itself (status %d); its last messages:", WEXITSTATUS(status));
	show_tail();
	return LAB;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void remove_run(const char *run)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s.scratch", run);
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	snprintf(path, sizeof(path), "%s.lock", run);
	remove(path);
}

/* Run the command behind the saved machine, which other runs may be executing. */
static void boot(const char *saved, int status, char **argv)
{
	int i = 6;

	say("the saved machine could not go on (%s %d): this run boots", WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	if (remove(saved) && errno != ENOENT)
		say("it stays in the cache: %s", strerror(errno));
	for (; argv[i]; i++)
		argv[i] = argv[i + 1];
	unsetenv("LAB_SAVED");
	execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	struct stream s[3] = {
		{ .to = 1 },
		{ .to = -1, .max = LOG_MAX, .line = l0_line },
		{ .to = -1, .max = LOG_MAX, .line = emulator_line },
	};
	int pipes[3][2], fds[5], i, null, status, bare;
	double deadline;
	char *trace, *saved;
	enum why why;

	if (argc < 7) {
		say("usage: watch BARE LIMIT MAX LOG RUN COMMAND...");
		return LAB;
	}
	bare = atoi(argv[1]);
	s[0].max = strtoull(argv[3], NULL, 10) << 20;
	if (strcmp(argv[4], "-")) {
		s[1].to = open(argv[4], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (s[1].to < 0) {
			say("cannot write the log %s: %s", argv[4], strerror(errno));
			return LAB;
		}
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; i < 3; i++) {
		open_pipe(pipes[i]);
		s[i].from = pipes[i][0];
	}
	/* stdin, stdout, stderr, COM1, COM2 */
	fds[0] = null;
	fds[1] = fds[2] = pipes[2][1];
	fds[3] = pipes[0][1];
	fds[4] = pipes[1][1];
	deadline = now() + atof(argv[2]);
	start_child(argv + 6, fds, 5);
	trace = getenv("LAB_TRACE");
	if (trace)
		close(atoi(trace));
	for (i = 0; i < 3; i++)
		close(pipes[i][1]);
	why = pump(s, 3, deadline);
	status = end_child(s, 3, 5);
	while (trace && wait(NULL) > 0)
		;
	saved = getenv("LAB_SAVED");
	if (why == ENDED && end_byte < 0 && !l0.panicked && !triple && !s[0].total && saved)
		boot(saved, status, argv);
	remove_run(argv[5]);
	return judge(why, bare, status, argv);
}
