// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of L0, the kernel under test, and of an L1 that is one of its guests. The
 * job of this run is in /job. An L1 finds it there, L0 takes it in two parts:
 *
 *   irqbypass.ko kvm.ko kvm-intel.ko   loaded in this order, those that are there
 *   kvm.params kvm-intel.params        their parameters
 *
 *   argv                               what to run, each word ended by a zero byte
 *   files/                             where it runs
 *
 * Its stdout is COM1 and nothing else is; COM2 has everything else. A line
 * that begins with "lab: " there is shown to the user. The end is a byte
 * written to port 0xf4.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "job.h"

#define TAINT_DIE	(1 << 7)
#define TAINT_WARN	(1 << 9)

enum { PASS = 0, FAIL = 1, LAB = 2, SKIP = 4, TIMEOUT = 124 };

static int com1;

/* Who we are: the kernel hands on what its command line says (lab/run). */
static const char *level(void)
{
	const char *l = getenv("lab");

	return l ? l : "L0";
}

static void finish(int status)
{
	tcdrain(com1);
	tcdrain(2);
	if (iopl(3))
		perror("iopl");
	outb(status, 0xf4);
	for (;;)
		pause();
}

static void lab_error(const char *what)
{
	fprintf(stderr, "\nlab: %s cannot %s: %s\n", level(), what, strerror(errno));
	finish(LAB);
}

static int open_serial(const char *name)
{
	int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;

	if (fd >= 0 && !tcgetattr(fd, &t)) {
		cfmakeraw(&t);
		tcsetattr(fd, TCSANOW, &t);
	}
	return fd;
}

static void mounts(void)
{
	static const char *const what[][2] = {
		{ "proc", "/proc" }, { "sysfs", "/sys" }, { "devtmpfs", "/dev" },
		{ "debugfs", "/sys/kernel/debug" }, { "tracefs", "/sys/kernel/tracing" },
		{ "tmpfs", "/tmp" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(what) / sizeof(*what); i++) {
		mkdir(what[i][1], 0755);
		mount(what[i][0], what[i][1], what[i][0], 0, NULL);
	}
	if (symlink("/proc/self/fd", "/dev/fd"))
		perror("/dev/fd");
}

static char *read_all(const char *name, size_t *size)
{
	static const size_t max = 65536;
	char *text = calloc(1, max + 1);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, max);

	if (fd >= 0)
		close(fd);
	if (size)
		*size = n < 0 ? 0 : n;
	return text;
}

/* A header of a cpio archive: 13 numbers of 8 digits, then the name and the file. */
struct newc {
	char magic[6];
	char ino[8], mode[8], uid[8], gid[8], links[8], mtime[8], size[8];
	char device[2][8], number[2][8], name_size[8], check[8];
};

static size_t hex(const char digits[8])
{
	char text[9] = "";

	return strtoul(memcpy(text, digits, 8), NULL, 16);
}

/* By a mapping: the kernel's own copies from user memory, under SMAP, are the emulator's slowest. */
static int put_file(const char *name, mode_t mode, const char *data, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, mode & 0777);
	char *to;

	if (fd < 0 || ftruncate(fd, size))
		return -1;
	if (size) {
		to = mmap(NULL, size, PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
		if (to == MAP_FAILED)
			return -1;
		memcpy(to, data, size);
		munmap(to, size);
	}
	return close(fd);
}

/* The next part of the job, which the machine has for L0. Up to here other runs may be the same. */
static void take_job(void)
{
	size_t size, at = 0, data, mode;
	const struct newc *header;
	const char *job, *name;
	int fd;

	if (iopl(3))
		lab_error("use its ports");
	size = inl(JOB_PORT);
	fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	job = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, JOB);
	if (job == MAP_FAILED)
		lab_error("read its job");
	for (;; at = (data + hex(header->size) + 3) & ~3ul) {
		header = (void *)(job + at);
		name = (char *)(header + 1);
		data = (at + sizeof(*header) + hex(header->name_size) + 3) & ~3ul;
		mode = hex(header->mode);
		if (S_ISDIR(mode))
			mkdir(name, 0755);
		else if (S_ISREG(mode) && put_file(name, mode, job + data, hex(header->size)))
			lab_error("unpack its job");
		if (!mode)	/* the trailer */
			break;
	}
	munmap((void *)job, size);
	close(fd);
}

/* Tell why, in the kernel's words: @log has what it said since. */
static void refused(const char *module, int log)
{
	char record[2048], *text;
	ssize_t n;

	fprintf(stderr, "\nlab: %s of %s refused to load: %s", module, level(), strerror(errno));
	/* "priority,number,time,flags;text\n more\n" */
	while ((n = read(log, record, sizeof(record) - 1)) > 0) {
		record[n] = 0;
		text = strchr(record, ';');
		if (text)
			fprintf(stderr, "; %.*s", (int)strcspn(text + 1, "\n"), text + 1);
	}
	fprintf(stderr, "\n");
	finish(LAB);
}

static void load_modules(void)
{
	static const char *const names[] = { "irqbypass", "kvm", "kvm-intel" };
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char path[64], params[64];
	unsigned int i;
	int fd;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "/job/%s.ko", names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		snprintf(params, sizeof(params), "/job/%s.params", names[i]);
		lseek(log, 0, SEEK_END);
		if (syscall(SYS_finit_module, fd, read_all(params, NULL), 0))
			refused(names[i], log);
		close(fd);
	}
	close(log);
}

static char **read_argv(void)
{
	size_t size, at, n = 0;
	char *text = read_all("/job/argv", &size);
	char **argv = calloc(size + 1, sizeof(*argv));

	for (at = 0; at < size; at += strlen(text + at) + 1)
		argv[n++] = text + at;
	return argv;
}

static int run(char **argv)
{
	int status;
	pid_t child = fork(), got;

	if (!child) {
		setsid();
		dup2(com1, 1);
		execv(argv[0], argv);
		fprintf(stderr, "\nlab: %s cannot run %s: %s\n", level(), argv[0], strerror(errno));
		_exit(LAB);
	}
	do {
		got = wait(&status);
	} while (got != child && (got > 0 || errno == EINTR));
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "\nlab: %s was ended by signal %d (%s)\n", argv[0],
			WTERMSIG(status), strsignal(WTERMSIG(status)));
		return FAIL;
	}
	switch (WEXITSTATUS(status)) {
	case PASS: case FAIL: case LAB: case SKIP: case TIMEOUT:
		return WEXITSTATUS(status);
	}
	fprintf(stderr, "\nlab: %s exited with status %d\n", argv[0], WEXITSTATUS(status));
	return FAIL;
}

static void dump_dmesg(void)
{
	size_t max = 1 << 20;
	char *text = malloc(max);
	int n = klogctl(3, text, max);

	if (n > 0)
		fwrite(text, 1, n, stderr);
}

/* A warning or an oops of the host is a failure of the code under test. */
static int check_taint(int status)
{
	long taint = atol(read_all("/proc/sys/kernel/tainted", NULL));

	if (!(taint & (TAINT_DIE | TAINT_WARN)))
		return status;
	dump_dmesg();
	fprintf(stderr, "\nlab: the host kernel (%s) %s: see its messages in the log (--log FILE)\n",
		level(), taint & TAINT_DIE ? "had an oops" : "gave a warning");
	return FAIL;
}

int main(void)
{
	char **argv;
	int fd, status, l1;

	mounts();
	fd = open_serial("/dev/ttyS1");
	dup2(fd, 2);
	setvbuf(stderr, NULL, _IOLBF, 0);
	com1 = open_serial("/dev/ttyS0");
	fd = open("/dev/null", O_RDWR);
	dup2(fd, 0);
	dup2(fd, 1);
	if (com1 < 0)
		lab_error("open its first serial port");
	setenv("PATH", "/bin:/usr/bin", 1);
	setenv("HOME", "/tmp", 1);
	l1 = !access("/job", F_OK);
	if (!l1)
		take_job();
	load_modules();
	if (!l1)
		take_job();
	if (chdir("/job/files"))
		lab_error("find the files of this run");
	argv = read_argv();
	fprintf(stderr, "\nlab-init: starting %s\n", argv[0]);
	status = run(argv);
	finish(check_taint(status));
}
