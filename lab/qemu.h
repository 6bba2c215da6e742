/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest in stock QEMU, for lab/guest.c and pksctl/guest.c: its start, and its end
 * where it said nothing of it itself.
 *
 * COM1 has what the guest says, a byte written to port 0xf4 ends it. The port is
 * one more serial port of QEMU, which hands on each byte as it is, the low one of
 * a wider write: isa-debug-exit makes QEMU exit with (byte << 1) | 1, of which 0
 * looks like QEMU's own error exit and 128 like 0, and isa-debugcon takes no wider
 * write.
 */
#ifndef LAB_QEMU_H
#define LAB_QEMU_H

#include "pump.h"

#define OTHER_MAX	((size_t)16 << 20)	/* of what is not the guest's */
#define MAX_WORDS	256

enum { COM1, END, QEMU, COM2, STREAMS };

static int end_byte;
static char kvm_failed[512], qemu_said[512];	/* KVM's last word, QEMU's */

/* Of the stream END: the first byte counts. */
static int end_bytes(const char *data, size_t n)
{
	(void)n;
	if (end_byte < 0)
		end_byte = (unsigned char)data[0];
	return 1;
}

/* Of the stream QEMU, which stays, paused, when KVM gives up: the register dump follows. */
static int qemu_line(const char *line)
{
	snprintf(qemu_said, sizeof(qemu_said), "%s", line);
	if (!*kvm_failed && (strstr(line, "KVM: entry failed") || strstr(line, "KVM internal error") ||
			     strstr(line, "kvm run failed")))
		strcpy(kvm_failed, qemu_said);
	return *kvm_failed && !strncmp(line, "Code=", 5);
}

/*
 * Starts QEMU, with @words at the end of its command line, for the multiboot ELF
 * @file: child and @s are then those of pump.h. 0, or LAB.
 */
static int start_qemu(struct stream *s, const char *file, const char *accel, const char *cpu, const char *args,
		      char *const *words)
{
	int pipes[STREAMS][2], null = open("/dev/null", O_RDWR | O_CLOEXEC), guest = open(file, O_RDONLY | O_CLOEXEC), i;
	char *argv[MAX_WORDS + 32] = {
		"qemu-system-x86_64", "-accel", (char *)accel, "-cpu", (char *)cpu, "-machine", "pc",
		"-nodefaults", "-display", "none", "-no-reboot",
		"-chardev", "file,id=com1,path=/dev/fd/3", "-serial", "chardev:com1",
		"-chardev", "file,id=end,path=/dev/fd/4",
		"-device", "isa-serial,iobase=0xf4,irq=5,chardev=end",
		/* QEMU puts this name before a guest's arguments: it must be one word. */
		"-kernel", "/dev/fd/6", "-append", (char *)args
	}, **end = argv;

	if (guest < 0) {
		say("cannot read %s: %s", file, strerror(errno));
		return LAB;
	}
	while (*end)
		end++;
	for (i = 0; words[i] && i < MAX_WORDS; i++)
		*end++ = words[i];
	end_byte = -1;
	*kvm_failed = *qemu_said = 0;
	for (i = 0; i < STREAMS; i++) {
		open_pipe(pipes[i]);
		s[i].from = pipes[i][0];
	}
	start_child(argv, (int[]){ null, pipes[QEMU][1], pipes[QEMU][1], pipes[COM1][1], pipes[END][1],
				   pipes[COM2][1], guest }, 7);
	for (i = 0; i < STREAMS; i++)
		close(pipes[i][1]);
	close(guest);
	close(null);
	return 0;
}

/* Why it ended without a byte, with @status of waitpid(), into @text; whose fault it is: FAIL or LAB. */
static int judge_qemu(int status, char *text, size_t size)
{
	if (*kvm_failed) {
		snprintf(text, size, "KVM could not run the guest: %s", kvm_failed);
		return FAIL;
	}
	if (WIFEXITED(status) && !WEXITSTATUS(status)) {
		snprintf(text, size, "the guest was reset before its end: a triple fault, or it asked for it");
		return FAIL;
	}
	snprintf(text, size, "QEMU failed (%s %d): %s", WIFSIGNALED(status) ? "signal" : "exit status",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), qemu_said);
	return LAB;
}
#endif
