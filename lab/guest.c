// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a multiboot ELF in stock QEMU and judges its end:
 *
 *   guest [--accel kvm|tcg] [--cpu LIST] [--qemu WORD]... [--stats] [--limit S]
 *         [--max-output MIB] [--l1 INITRD] FILE [-- ARGS]
 *
 * Each WORD goes to the end of QEMU's command line, as it is.
 * With --l1 FILE is a Linux, whose command line ARGS is: an L1 that lab/init.c
 * runs on, with COM2 as its console. What that says goes to our stderr.
 *
 * COM1 goes to stdout. The guest ends by writing 0 (pass), 1 (fail) or 4 (all
 * skipped) to port 0xf4, and that is our exit status. The port is one more
 * serial port of QEMU, which hands on each byte as it is, the low one of a wider
 * write: isa-debug-exit makes QEMU exit with (byte << 1) | 1, of which 0 looks
 * like QEMU's own error exit and 128 like 0, and isa-debugcon takes no wider
 * write. As a real-time process on L0's one CPU we run, and end QEMU,
 * before the guest runs another instruction.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <sched.h>
#include "pump.h"

#define OTHER_MAX	((size_t)16 << 20)	/* of what is not the guest's */
#define STATS		"/sys/kernel/debug/kvm"
#define L1_MB		"640"
#define MAX_WORDS	256			/* of --qemu */
#define STREAMS		4			/* COM1, port 0xf4, QEMU's own, COM2 */

static int end_byte = -1, kvm_failed;
static char qemu_said[512];		/* last */
static struct console l1 = { .name = "L1" };

static int port_bytes(const char *data, size_t n)
{
	(void)n;
	if (end_byte < 0)
		end_byte = (unsigned char)data[0];
	return 1;
}

/* QEMU stays, paused, when KVM gives up: the register dump follows. */
static int qemu_line(const char *line)
{
	fprintf(stderr, "%s\n", line);
	snprintf(qemu_said, sizeof(qemu_said), "%s", line);
	if (strstr(line, "KVM: entry failed") || strstr(line, "KVM internal error") ||
	    strstr(line, "kvm run failed")) {
		if (!kvm_failed)
			say("KVM could not run the guest: %s", line);
		kvm_failed = 1;
	}
	return kvm_failed && !strncmp(line, "Code=", 5);
}

/* The prefix tells it from the console of L0, which our stderr is. */
static int l1_line(const char *line)
{
	if (*line && strncmp(line, "lab: ", 5))
		fprintf(stderr, "L1: %s\n", line);
	return console_line(&l1, line);
}

static void one_stat(FILE *out, int dir, const char *name)
{
	char text[32] = "";
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n > 0 && isdigit((unsigned char)*text) && strtoull(text, NULL, 10))
		fprintf(out, " %s=%llu", name, strtoull(text, NULL, 10));
}

/* What KVM counted: one folder a VM, PID-FD, and one file a number. */
static void read_stats(FILE *out)
{
	DIR *all = opendir(STATS), *dir;
	struct dirent *d, *f;
	char path[512];

	while (all && (d = readdir(all))) {
		if (atoi(d->d_name) != child || !strchr(d->d_name, '-'))
			continue;
		snprintf(path, sizeof(path), STATS "/%s", d->d_name);
		dir = opendir(path);
		fprintf(out, "# kvm_stat");
		while (dir && (f = readdir(dir)))
			if (f->d_type != DT_DIR)
				one_stat(out, dirfd(dir), f->d_name);
		fprintf(out, "\n");
		return;
	}
	say("no statistics in " STATS);
}

struct options {
	const char *accel, *cpu, *limit, *max, *file, *initrd;
	char *words[MAX_WORDS + 1];	/* of QEMU, at the end */
	int stats;
	char args[4096];
};

static int judge(enum why why, int status, const struct options *o)
{
	if (why == STOPPED)
		return 128 + stopped_by;
	if (l1.panicked)
		return l1.started ? FAIL : LAB;
	if (end_byte >= 0 && o->initrd)
		return end_byte;
	if (end_byte >= 0) {
		if (end_byte == PASS || end_byte == FAIL || end_byte == SKIP)
			return end_byte;
		say("the guest wrote %d to the debug-exit port: 0 is pass, 1 fail, 4 all skipped",
		    end_byte);
		return FAIL;
	}
	if (why == LATE && !kvm_failed) {
		say("the guest did not end within %s s: stopped (--limit S gives it more)", o->limit);
		return TIMEOUT;
	}
	if (why == FULL) {
		say("the guest printed more than %s MiB: stopped (--max-output MIB allows more)", o->max);
		return FAIL;
	}
	if (kvm_failed)
		return FAIL;
	if (WIFEXITED(status) && !WEXITSTATUS(status)) {
		say("the guest was reset before its end: a triple fault, or it asked for it");
		return FAIL;
	}
	say("QEMU failed (%s %d): %s", WIFSIGNALED(status) ? "signal" : "exit status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), qemu_said);
	return LAB;
}

static int usage(void)
{
	say("usage: guest [--accel kvm|tcg] [--cpu LIST] [--qemu WORD]... [--stats] [--limit S] "
	    "[--max-output MIB] [--l1 INITRD] FILE [-- ARGS]");
	return LAB;
}

static int parse(struct options *o, int argc, char **argv)
{
	int i, n = 0;

	for (i = 1; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--stats"))
			o->stats = 1;
		else if (i + 1 == argc)
			return usage();
		else if (!strcmp(argv[i], "--accel"))
			o->accel = argv[++i];
		else if (!strcmp(argv[i], "--cpu"))
			o->cpu = argv[++i];
		else if (!strcmp(argv[i], "--qemu") && n < MAX_WORDS)
			o->words[n++] = argv[++i];
		else if (!strcmp(argv[i], "--limit"))
			o->limit = argv[++i];
		else if (!strcmp(argv[i], "--max-output"))
			o->max = argv[++i];
		else if (!strcmp(argv[i], "--l1"))
			o->initrd = argv[++i];
		else
			return usage();
	}
	if (i == argc)
		return usage();
	o->file = argv[i++];
	if (i < argc && strcmp(argv[i++], "--"))
		return usage();
	for (; i < argc; i++) {
		if (strlen(o->args) + strlen(argv[i]) + 2 > sizeof(o->args)) {
			say("the guest's arguments are too long");
			return LAB;
		}
		if (*o->args)
			strcat(o->args, " ");
		strcat(o->args, argv[i]);
	}
	return 0;
}

static char **append(char **to, char *const *words)
{
	while (*words)
		*to++ = *words++;
	return to;
}

static int start_qemu(const struct options *o, struct stream *s)
{
	int pipes[STREAMS][2], null, file, i;
	char cpu[1024], *argv[MAX_WORDS + 64] = { NULL }, **end;
	char *common[] = {
		"qemu-system-x86_64", "-accel", (char *)o->accel, "-cpu", cpu, "-machine", "pc",
		"-nodefaults", "-display", "none", "-no-reboot",
		"-chardev", "file,id=com1,path=/dev/fd/3", "-serial", "chardev:com1",
		"-chardev", "file,id=end,path=/dev/fd/4",
		"-device", "isa-serial,iobase=0xf4,irq=5,chardev=end",
		/* QEMU puts this name before a guest's arguments: it must be one word. */
		"-kernel", "/dev/fd/6", "-append", (char *)o->args, NULL
	};
	char *for_l1[] = {
		"-initrd", (char *)o->initrd, "-m", L1_MB,
		"-chardev", "file,id=com2,path=/dev/fd/5", "-serial", "chardev:com2", NULL
	};

	snprintf(cpu, sizeof(cpu), "%s%s%s", strcmp(o->accel, "kvm") ? "max" : "host",
		 *o->cpu ? "," : "", o->cpu);
	end = append(argv, common);
	if (o->initrd)
		end = append(end, for_l1);
	append(end, o->words);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; i < STREAMS; i++) {
		open_pipe(pipes[i]);
		s[i].from = pipes[i][0];
	}
	file = open(o->file, O_RDONLY | O_CLOEXEC);
	if (file < 0) {
		say("cannot read %s: %s", o->file, strerror(errno));
		return LAB;
	}
	start_child(argv, (int[]){ null, pipes[2][1], pipes[2][1], pipes[0][1], pipes[1][1],
			       pipes[3][1], file }, 7);
	for (i = 0; i < STREAMS; i++)
		close(pipes[i][1]);
	close(file);
	close(null);
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { .accel = "kvm", .cpu = "", .limit = "300", .max = "16" };
	struct sched_param rt = { .sched_priority = 1 };
	struct stream s[STREAMS] = {
		{ .to = 1, .lazy = 1 },
		{ .to = -1, .max = OTHER_MAX, .bytes = port_bytes },
		{ .to = -1, .max = OTHER_MAX, .line = qemu_line },
		{ .to = -1, .max = OTHER_MAX, .line = l1_line },
	};
	char *stats = NULL;
	size_t size;
	FILE *out;
	enum why why;
	int status;

	if (parse(&o, argc, argv))
		return LAB;
	if (!strcmp(o.accel, "kvm"))
		sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &rt);
	s[0].max = strtoull(o.max, NULL, 10) << 20;
	if (start_qemu(&o, s))
		return LAB;
	why = pump(s, STREAMS, now() + atof(o.limit));
	if (o.stats && end_byte >= 0) {
		out = open_memstream(&stats, &size);
		read_stats(out);
		fclose(out);
	}
	status = end_child(s, STREAMS, 60);
	if (stats)
		printf("%s", stats);
	return judge(why, status, &o);
}
