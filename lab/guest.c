// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a multiboot ELF in stock QEMU and judges its end:
 *
 *   guest [--l1 INITRD] [--accel kvm|tcg] [--cpu LIST] [--qemu WORD]... [--stats]
 *         [--limit S] [--max-output MIB] FILE [-- ARGS]
 *
 * Each WORD goes to the end of QEMU's command line, as it is.
 * With --l1 FILE is a Linux, whose command line ARGS is: an L1 that lab/init.c
 * runs on, with COM2 as its console. What that says goes to our stderr.
 *
 * COM1 goes to stdout. The guest ends by writing 0 (pass), 1 (fail) or 4 (all
 * skipped) to port 0xf4, and that is our exit status. As a real-time process on
 * L0's one CPU we run, and end QEMU, before the guest runs another instruction.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <sched.h>
#include "console.h"
#include "qemu.h"

#define STATS		"/sys/kernel/debug/kvm"
#define L1_MB		"640"

static struct console l1 = { .name = "L1" };

static int echo_line(const char *line)
{
	fprintf(stderr, "%s\n", line);
	return qemu_line(line);
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
	const char *accel, *cpu, *limit, *max, *file;
	char *words[MAX_WORDS + 1];	/* of QEMU, at the end */
	int nr_words, l1, stats;
	char args[4096];
};

static int judge(enum why why, int status, const struct options *o)
{
	char text[1024];
	int fault;

	if (why == STOPPED)
		return 128 + stopped_by;
	if (l1.panicked)
		return l1.started ? FAIL : LAB;
	if (end_byte >= 0 && o->l1)
		return end_byte;
	if (end_byte >= 0) {
		if (end_byte == PASS || end_byte == FAIL || end_byte == SKIP)
			return end_byte;
		say("the guest wrote %d to the debug-exit port: 0 is pass, 1 fail, 4 all skipped",
		    end_byte);
		return FAIL;
	}
	if (why == LATE && !*kvm_failed) {
		say("the guest did not end within %s s: stopped (--limit S gives it more)", o->limit);
		return TIMEOUT;
	}
	if (why == FULL) {
		say("the guest printed more than %s MiB: stopped (--max-output MIB allows more)", o->max);
		return FAIL;
	}
	fault = judge_qemu(status, text, sizeof(text));
	say("%s", text);
	return fault;
}

static int usage(void)
{
	say("usage: guest [--l1 INITRD] [--accel kvm|tcg] [--cpu LIST] [--qemu WORD]... [--stats] "
	    "[--limit S] [--max-output MIB] FILE [-- ARGS]");
	return LAB;
}

/* Before the words of the user, whose -m counts. COM2 is file 5 (qemu.h). */
static void add_l1(struct options *o, char *initrd)
{
	char *words[] = {
		"-initrd", initrd, "-m", L1_MB,
		"-chardev", "file,id=com2,path=/dev/fd/5", "-serial", "chardev:com2",
	};

	memcpy(o->words, words, sizeof(words));
	o->nr_words = sizeof(words) / sizeof(*words);
	o->l1 = 1;
}

static int parse(struct options *o, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--stats"))
			o->stats = 1;
		else if (i + 1 == argc)
			return usage();
		else if (!strcmp(argv[i], "--accel"))
			o->accel = argv[++i];
		else if (!strcmp(argv[i], "--cpu"))
			o->cpu = argv[++i];
		else if (!strcmp(argv[i], "--qemu") && o->nr_words < MAX_WORDS)
			o->words[o->nr_words++] = argv[++i];
		else if (!strcmp(argv[i], "--limit"))
			o->limit = argv[++i];
		else if (!strcmp(argv[i], "--max-output"))
			o->max = argv[++i];
		else if (!strcmp(argv[i], "--l1") && !o->nr_words)
			add_l1(o, argv[++i]);
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

int main(int argc, char **argv)
{
	struct options o = { .accel = "kvm", .cpu = "", .limit = "300", .max = "16" };
	struct sched_param rt = { .sched_priority = 1 };
	struct stream s[STREAMS] = {
		[COM1] = { .to = 1, .lazy = 1 },
		[END] = { .to = -1, .max = OTHER_MAX, .bytes = end_bytes },
		[QEMU] = { .to = -1, .max = OTHER_MAX, .line = echo_line },
		[COM2] = { .to = -1, .max = OTHER_MAX, .line = l1_line },
	};
	char cpu[1024];
	char *stats = NULL;
	size_t size;
	FILE *out;
	enum why why;
	int status;

	if (parse(&o, argc, argv))
		return LAB;
	if (!strcmp(o.accel, "kvm"))
		sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &rt);
	s[COM1].max = strtoull(o.max, NULL, 10) << 20;
	snprintf(cpu, sizeof(cpu), "%s%s%s", strcmp(o.accel, "kvm") ? "max" : "host", *o.cpu ? "," : "", o.cpu);
	if (start_qemu(s, o.file, o.accel, cpu, o.args, o.words))
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
