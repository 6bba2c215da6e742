// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which processes are VMs, and pksctl vm. A VM is a process that has KVM's file
 * of one open. KVM counts exits in debugfs, which only root can read.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "pksctl.h"

#define PROC SYSROOT "/proc"
#define STATS SYSROOT "/sys/kernel/debug/kvm"

struct search {
	struct vms *found;
	struct vm vm;
	const char *folder;	/* /proc/PID/fd */
	bool open;		/* /dev/kvm itself */
};

static void add_exits(struct vm *vm, const char *fd)
{
	char text[32];

	if (!read_line(text, sizeof(text), STATS "/%d-%s/exits", vm->pid, fd))
		return;
	vm->exits += strtoull(text, NULL, 10);
	vm->counted = true;
}

static void see_fd(const char *fd, void *arg)
{
	struct search *s = arg;
	char path[PATH_SIZE], target[PATH_SIZE];
	ssize_t n;

	put(path, sizeof(path), "%s/%s", s->folder, fd);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = 0;
	if (!strcmp(target, "anon_inode:kvm-vm")) {
		s->vm.runs = true;
		add_exits(&s->vm, fd);
	} else if (!strncmp(target, "anon_inode:kvm-vcpu", 19)) {
		s->vm.vcpus++;
	} else if (!strcmp(target, "/dev/kvm")) {
		s->open = true;
	}
}

/* The words of a command line, each ended by a zero byte; the number of them. */
static int words(int pid, char *text, size_t size, char **list, int max)
{
	char path[PATH_SIZE];
	size_t n = 0;
	int count = 0;
	FILE *f;

	put(path, sizeof(path), PROC "/%d/cmdline", pid);
	f = fopen(path, "re");
	if (f) {
		n = fread(text, 1, size - 1, f);
		fclose(f);
	}
	text[n] = 0;
	/* To QEMU --cpu is -cpu. */
	for (size_t at = 0; at < n && count < max; at += strlen(text + at) + 1)
		list[count++] = text + at + !strncmp(text + at, "--", 2);
	return count;
}

/* QEMU's options have commas; whether that of WORD, up to END, is NAME. */
static bool is(const char *word, const char *end, const char *name)
{
	return (size_t)(end - word) == strlen(name) && !strncmp(word, name, end - word);
}

/*
 * Whether QEMU's -cpu asks for PKS: no model has it but host and max. A -pks
 * counts more than a +pks, and that more than pks=on or off.
 */
static enum tri asks_for_pks(const char *cpu)
{
	enum tri model = NO, plus = UNKNOWN, set = UNKNOWN;
	const char *end;
	bool first = true;

	for (;; cpu = end + 1, first = false) {
		end = cpu + strcspn(cpu, ",");
		if (first)
			model = is(cpu, end, "host") || is(cpu, end, "max");
		else if (is(cpu, end, "-pks"))
			return NO;
		else if (is(cpu, end, "+pks"))
			plus = YES;
		else if (is(cpu, end, "pks=on") || is(cpu, end, "pks"))
			set = YES;
		else if (is(cpu, end, "pks=off"))
			set = NO;
		if (!*end)
			break;
	}
	return plus != UNKNOWN ? plus : set != UNKNOWN ? set : model;
}

/* libvirt's -name is guest=NAME,OPTION...; a user's may be NAME alone. */
static void name_of(const char *option, struct vm *vm)
{
	option += strncmp(option, "guest=", 6) ? 0 : 6;
	put(vm->name, sizeof(vm->name), "%.*s", (int)strcspn(option, ","), option);
}

/* The value of NAME= in an option "word,name=value,...", or "". */
static void member(const char *option, const char *name, char *value, size_t size)
{
	size_t n = strlen(name);

	*value = 0;
	for (; *option; option += strcspn(option, ","), option += *option == ',')
		if (!strncmp(option, name, n) && option[n] == '=')
			put(value, size, "%.*s", (int)strcspn(option + n + 1, ","), option + n + 1);
}

/* -qmp unix:PATH,... or -chardev socket,id=ID,path=PATH,... and -mon chardev=ID,mode=control. */
static void find_monitor(struct vm *vm, char **list, int n)
{
	char id[64], other[64], mode[16], path[sizeof(vm->monitor)];

	for (int i = 1; i + 1 < n; i++) {
		if (!strcmp(list[i], "-qmp") && !strncmp(list[i + 1], "unix:", 5))
			put(vm->monitor, sizeof(vm->monitor), "%.*s", (int)strcspn(list[i + 1] + 5, ","), list[i + 1] + 5);
		if (strcmp(list[i], "-chardev"))
			continue;
		member(list[i + 1], "id", id, sizeof(id));
		member(list[i + 1], "path", path, sizeof(path));
		for (int k = 1; k + 1 < n; k++) {
			if (strcmp(list[k], "-mon"))
				continue;
			member(list[k + 1], "chardev", other, sizeof(other));
			member(list[k + 1], "mode", mode, sizeof(mode));
			if (!strcmp(id, other) && !strcmp(mode, "control"))
				put(vm->monitor, sizeof(vm->monitor), "%s", path);
		}
	}
	/* A relative one is of a folder that is not ours. */
	if (*vm->monitor != '/')
		*vm->monitor = 0;
}

static void read_options(struct vm *vm)
{
	static char text[65536], *list[2048];
	int n = words(vm->pid, text, sizeof(text), list, 2048);
	bool qemu;

	read_line(vm->name, sizeof(vm->name), PROC "/%d/comm", vm->pid);
	qemu = !strncmp(vm->name, "qemu", 4) || !strncmp(vm->name, "kvm", 3) || (n && strstr(list[0], "qemu-system"));
	vm->pks = qemu ? NO : UNKNOWN;
	vm->uses = UNKNOWN;
	if (qemu)
		find_monitor(vm, list, n);
	for (int i = 1; qemu && i + 1 < n; i++) {
		if (!strcmp(list[i], "-name"))
			name_of(list[i + 1], vm);
		else if (!strcmp(list[i], "-cpu"))
			vm->pks = asks_for_pks(list[i + 1]);
	}
	clean(vm->name);
}

static void see_process(const char *name, void *arg)
{
	struct vms *found = arg;
	char folder[PATH_SIZE];
	struct search s = { .found = found, .folder = folder, .vm.pid = atoi(name) };

	if (!isdigit((unsigned char)*name) || s.vm.pid == getpid())
		return;
	put(folder, sizeof(folder), PROC "/%s/fd", name);
	if (access(folder, R_OK) && errno == EACCES)
		found->hidden++;
	each(folder, see_fd, &s);
	if (!s.open && !s.vm.runs)
		return;
	read_options(&s.vm);
	found->list = realloc(found->list, (found->n + 1) * sizeof(s.vm));
	if (!found->list)
		die(CANNOT, "there is no memory left");
	found->list[found->n++] = s.vm;
}

void find_vms(struct vms *found)
{
	*found = (struct vms){ 0 };
	each(PROC, see_process, found);
}

static const struct vm *same_vm(const struct vms *in, const struct vm *vm)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->list[i].pid == vm->pid && in->list[i].counted)
			return &in->list[i];
	return NULL;
}

/* Exits a second since BEFORE, or a negative number where that is not known. */
static double rate(const struct vm *vm, const struct vms *before, double seconds)
{
	const struct vm *old = same_vm(before, vm);

	return old && vm->counted && vm->exits >= old->exits ? (vm->exits - old->exits) / seconds : -1;
}

/* What a VM was started with cannot be more than KVM offers, now as then: no module changes under a VM. */
static enum tri has_pks(const struct vm *vm, enum tri offered)
{
	return vm->pks == NO || offered == NO ? NO : vm->pks == YES ? offered : UNKNOWN;
}

static const char *answer(enum tri t)
{
	return t == UNKNOWN ? "?" : t ? "yes" : "no";
}

static void print_text(const struct vms *now, const struct vms *before, double seconds, enum tri offered)
{
	int running = 0;

	printf("%8s  %-32s %6s  %-4s %-4s %12s\n", "PID", "NAME", "VCPUS", "PKS", "USED", "EXITS/S");
	for (size_t i = 0; i < now->n; i++) {
		const struct vm *vm = &now->list[i];
		double r = rate(vm, before, seconds);
		char exits[32] = "?";

		if (!vm->runs)
			continue;
		running++;
		if (r >= 0)
			put(exits, sizeof(exits), "%.0f", r);
		printf("%8d  %-32.32s %6d  %-4s %-4s %12s\n", vm->pid, vm->name, vm->vcpus, answer(has_pks(vm, offered)),
		       answer(vm->uses), exits);
	}
	printf("%d VM%s; KVM offers guests PKS: %s\n", running, running == 1 ? "" : "s",
	       offered == UNKNOWN ? "unknown" : answer(offered));
	if (!is_root())
		printf("root would be told of %d more processes whether they are VMs, and the exits\n", now->hidden);
}

static void print_json(const struct vms *now, const struct vms *before, double seconds, enum tri offered)
{
	struct json j = { stdout, false };

	json_open(&j, NULL, '{');
	json_tri(&j, "offered", offered);
	json_number(&j, "not_looked_at", now->hidden);
	json_open(&j, "vms", '[');
	for (size_t i = 0; i < now->n; i++) {
		const struct vm *vm = &now->list[i];
		double r = rate(vm, before, seconds);

		if (!vm->runs)
			continue;
		json_open(&j, NULL, '{');
		json_number(&j, "pid", vm->pid);
		json_text(&j, "name", vm->name);
		json_number(&j, "vcpus", vm->vcpus);
		json_tri(&j, "pks", has_pks(vm, offered));
		json_tri(&j, "used", vm->uses);
		if (r >= 0)
			json_number(&j, "exits_per_second", r);
		else
			json_text(&j, "exits_per_second", NULL);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	putchar('\n');
}

static bool any_counted(const struct vms *vms)
{
	for (size_t i = 0; i < vms->n; i++)
		if (vms->list[i].counted)
			return true;
	return false;
}

int cmd_vm(bool json, bool once, bool monitor)
{
	bool top = !json && !once && isatty(1);
	enum tri offered = UNKNOWN;
	struct vms before = { 0 }, now;
	double then = 0, at;
	bool last;
	uint32_t ecx;

	if (kvm_cpuid_7_ecx(&ecx))
		offered = ecx >> 31 ? YES : NO;
	for (;; then = at) {
		find_vms(&now);
		at = seconds_now();
		/* Where no exits can be counted there is nothing to wait for. */
		last = !top && (then || !any_counted(&now));
		for (size_t i = 0; monitor && (top || last) && i < now.n; i++)
			if (now.list[i].runs)
				ask_qemu(&now.list[i]);
		if (top)
			printf("\033[H\033[2J");
		if (top || last)
			(json ? print_json : print_text)(&now, &before, at - then, offered);
		if (last || fflush(stdout) || ferror(stdout))
			return OK;
		free(before.list);
		before = now;
		sleep(1);
	}
}
