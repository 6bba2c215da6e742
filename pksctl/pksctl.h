/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pksctl, the command of a host that gives its guests PKS. One file a command;
 * machine.c is all that asks the processor and KVM or changes what is loaded,
 * and tests/pksctl puts another in its place.
 */
#ifndef PKSCTL_H
#define PKSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Where /proc, /sys, /dev, /lib and /var are: elsewhere for a test. */
#ifndef SYSROOT
#define SYSROOT ""
#endif
/* Where the guests are that pksctl test runs. */
#ifndef GUESTS
#define GUESTS "/usr/lib/kvm-pks/guests"
#endif
#ifndef VERSION
#define VERSION "unknown"
#endif

#define PATH_SIZE 512
#define LINE_SIZE 512

/* Exit status. */
enum { OK = 0, NOT_SO = 1, CANNOT = 2 };

/* What may be unknown, too. */
enum tri { UNKNOWN = -1, NO = 0, YES = 1 };

#define SAYS(n) __attribute__((format(printf, n, n + 1)))

/* util.c: one sentence on stderr; die() exits with STATUS after it. */
void say(const char *fmt, ...) SAYS(1);
void die(int status, const char *fmt, ...) SAYS(2) __attribute__((noreturn));
/* A sentence or path into BUF, cut to SIZE. */
void put(char *buf, size_t size, const char *fmt, ...) SAYS(3);
/* The file's first line, without its end; false if it cannot be read (errno). */
bool read_line(char *buf, size_t size, const char *fmt, ...) SAYS(3);
double seconds_now(void);
bool there(const char *fmt, ...) SAYS(1);
/* Calls SEE with each name in a folder that is not hidden, and how many there were. */
int each(const char *folder, void (*see)(const char *name, void *arg), void *arg);
/* What others wrote is shown without its control characters. */
void clean(char *text);

/* A file in memory. */
struct blob {
	unsigned char *data;
	size_t size;
};
/* Reads FD to its end, at most MAX bytes; false with errno. */
bool read_all(int fd, size_t max, struct blob *b);

/* util.c: JSON, written as it comes. KEY is NULL in a list and at the top. */
struct json {
	FILE *out;
	bool comma;
};
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_text(struct json *j, const char *key, const char *value);	/* NULL: null */
void json_number(struct json *j, const char *key, double value);
void json_tri(struct json *j, const char *key, enum tri value);		/* UNKNOWN: null */

/* machine.c */
void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4]);
/* Of processor 0, by the module msr; false with errno. */
bool read_msr(uint32_t msr, uint64_t *value);
/* ECX of CPUID.(7,0) as KVM offers it to guests; false with errno. */
bool kvm_cpuid_7_ecx(uint32_t *ecx);
/* What KVM lets a guest hypervisor have in a VMX capability MSR; false with errno. */
bool kvm_feature_msr(uint32_t msr, uint64_t *value);

bool is_root(void);
/* False with errno; EAGAIN where it is in use. */
bool unload_module(const char *name);
bool load_module(const struct blob *b, const char *options);

/* modules.c */
struct module {
	const char *name;		/* as lsmod has it */
	bool loaded, builtin;
	char id[41];			/* the build ID of what is loaded, or "" */
	char file[PATH_SIZE];		/* the file with that, "" if none is known */
	char stock[PATH_SIZE];		/* the kernel's own, or "" */
	char next[PATH_SIZE];		/* the file that modprobe would load, or "" */
	char next_id[41];
	bool next_pks;			/* that one has the parameter pks */
	bool next_signed;
	char unread[LINE_SIZE];		/* why next could not be read, or "" */
};
void look_at_module(struct module *m, const char *name, const char *release);
/* Whether FILE's name, packed or not, is that of the module. */
bool is_file_of(const struct module *m, const char *file);
/* A module's file, decompressed; false with the reason in WHY (LINE_SIZE). */
bool read_module(const char *file, struct blob *b, char *why);

/* status.c: all that is known of this host. */
struct status {
	char vendor[13], cpu[128], microcode[32];
	unsigned int family, model, stepping;
	bool pks, vmx, hypervisor;
	char hypervisor_name[13];
	enum tri entry, exit;		/* the two controls that load IA32_PKRS */
	const char *controls_by;	/* who says so, or NULL */
	char release[65], version[65];
	struct module kvm, intel;
	char param_pks[8], param_ept[8];	/* "" where there is no such parameter */
	enum tri secure_boot, lockdown;
	int iommu_groups, kvmgt, mdevs;
	char vfio[LINE_SIZE];		/* devices that guests may have been given */
	enum tri guests, nested_entry, nested_exit;
	int kvm_errno;			/* of /dev/kvm */
	char refused[LINE_SIZE];	/* why there is no kvm-pks for this kernel, or "" */
	bool root;
	char missing[2 * LINE_SIZE];	/* what is missing and what helps, "" if all is there */
};
void look(struct status *s);
void judge(struct status *s);	/* judge.c: fills in what is missing */
void json_host(struct json *j, const struct status *s);	/* the members of an object */
void print_host(FILE *out, const struct status *s);	/* as text */
int cmd_status(bool json);

/* vm.c: a process that has /dev/kvm open, and a VM of its own if it runs one. */
struct vm {
	int pid, vcpus;
	bool runs, counted;		/* whether exits are known */
	char name[64];
	unsigned long long exits;
	enum tri pks;			/* in CPUID: as QEMU was told to, or says */
	enum tri uses;			/* CR4.PKS, as QEMU says */
	char monitor[128];		/* QEMU's socket for questions, or "" */
};
struct vms {
	struct vm *list;
	size_t n;
	int hidden;			/* processes that only root may look at */
};
void find_vms(struct vms *found);
/* qmp.c: asks QEMU what of PKS its guest has, and waits for a second at most for each answer. */
void ask_qemu(struct vm *vm);
int cmd_vm(bool json, bool once, bool monitor);

int cmd_reload(bool json);

/* guest.c */
#define MAX_FIGURES 32
#define MAX_DEVIATIONS 256	/* described */
#define DETAILS_SIZE 4096

struct figure {			/* in ticks of the time stamp counter */
	char name[64];
	long median, min, spread, n;
};
struct deviation {
	char what[LINE_SIZE], details[DETAILS_SIZE];
};
struct run {
	const char *id, *file, *cpu, *args;
	int passed, failed, skipped;
	double seconds;
	char note[LINE_SIZE];
	/* Lines "# cell ...", which are the same on all machines that are right, and their cksum(1). */
	int cells;
	uint32_t cksum;
	size_t cell_bytes;
	char diagnostics[DETAILS_SIZE];	/* since the last result */
	struct figure figures[MAX_FIGURES];
	int n_figures;
	struct deviation deviations[MAX_DEVIATIONS];
	int n_deviations;
};
/* From now on a signal is noted, and stops the guest that runs. */
void heed_signals(void);
/* Runs a guest of the folder GUESTS: 0, or an exit status where a signal stopped it. */
int run_guest(struct run *run, const char *guests);
bool qemu_version(char *version);

/* Writes the report to OUTPUT.txt and OUTPUT.json; CASES of conformance, or 0 for all. */
int cmd_test(bool json, unsigned long cases, const char *guests, const char *output);

#endif
