// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host with two processors. A vCPU goes from one to the other, in the middle of
 * a window too, and has its PKRS there; each processor has the host's value that
 * is its own; what a processor has kept of a page is not used when it is old.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host.h"
#include "ktap.h"
#include "vmx.h"

enum { KEY = 3, DENIED = 5, ROUNDS = 24, MOVES = 60, SWAPS = 10, RELOADS = 4, EXITS = 2000 };

/* L1, vmcs12's fields and L2: of KEY they allow all, forbid writes, or both. */
enum { L1 = 0x00010203, GUEST = 0x00112283, HOST_FIELD = 0x01223344, L2 = 0x02334455 };

#define MSR_STEAL_TIME	0x4b564d03
#define STEAL_FLUSH	2	/* in the byte "preempted": what another vCPU asks for */

static volatile bool stop;

/* The calling thread runs there from here on. */
static void on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	REQUIRE(!sched_setaffinity(0, sizeof(set), &set), "no processor %d: %s", processor,
		strerror(errno));
}

static struct vm *two_processors(void)
{
	need_pks();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		ktap_skip("two processors");
	on(0);
	stop = false;
	return vm_new();
}

static void end(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	vcpu_free(vcpu);
	vm_free(vm);
	on(0);
}

static uint64_t *keyed(struct vm *vm, uint64_t *page, int key)
{
	*page = (uint64_t)vm_pages(vm, 1);
	return vm_map(vm, *page, *page, PTE_W | PTE_A | PTE_D | PTE_KEY(key), 1);
}

/* How the guest's PKRS is not the given one: none, or a bit for each way. */
enum { NOT_READ = 1, NOT_APPLIED = 2, NOT_EMULATED = 4 };

static unsigned int differs(uint64_t pkrs, uint64_t page)
{
	unsigned int bits = pkrs >> 2 * KEY & 3, how = 0;
	int read = bits & KEY_AD ? PF_P | PF_PK : NO_FAULT;
	int write = bits ? PF_P | PF_PK | PF_W : NO_FAULT;
	void *at = (void *)page;

	if (rdmsr(MSR_PKRS) != pkrs)
		how |= NOT_READ;
	if (guest_probe(probe_read, at, 0, 0) != read || guest_probe(probe_write, at, 0, 0) != write)
		how |= NOT_APPLIED;
	/* KVM finishes these. */
	if (guest_probe(probe_read_mmio, at, MMIO, 0) != read ||
	    guest_probe(probe_write_mmio, at, MMIO, 0) != write)
		how |= NOT_EMULATED;
	return how;
}

/* Another value each time; syncs in the window, and after it. */
static void windows(uint64_t page)
{
	uint64_t i, value;

	write_cr4(read_cr4() | CR4_PKS);
	for (i = 1;; i++) {
		value = (i * 0x9e3779b1 & 0xffffffff & ~KEY_BITS(OWN_KEY, 3) & ~KEY_BITS(KEY, 3)) |
			KEY_BITS(KEY, i & 3);
		wrmsr(MSR_PKRS, value);
		guest_sync(value);
		guest_sync(differs(value, page));
	}
}

/* In a window of the guest's; userspace looks from the other processor, too. */
static void moved(void)
{
	struct vm *vm = two_processors();
	struct vcpu *vcpu;
	uint64_t page, value, how;
	bool readable;
	int i;

	keyed(vm, &page, KEY);
	vcpu = vcpu_new(vm, PKS_ON, windows, page);
	for (i = 0; i < ROUNDS; i++) {
		value = vcpu_sync(vcpu);
		readable = !(value >> 2 * KEY & KEY_AD);
		on(~i & 1);
		if (i % 3 == 1)
			CHECK(pkrs_get(vcpu) == value, "PKRS is %#lx, not %#lx", pkrs_get(vcpu), value);
		if (i % 3 == 2)
			CHECK(translates(vcpu, page) == readable, "with PKRS %#lx KVM_TRANSLATE %s", value,
			      readable ? "refuses" : "translates");
		how = vcpu_sync(vcpu);
		CHECK(!how, "moved to %d with PKRS %#lx: differs by %#lx", ~i & 1, value, how);
	}
	end(vcpu);
}

static void l2_window(uint64_t page)
{
	guest_sync(rdmsr(MSR_PKRS));
	guest_sync(differs(rdmsr(MSR_PKRS), page));
	wrmsr(MSR_PKRS, L2);
	guest_sync(rdmsr(MSR_PKRS));
	guest_sync(differs(L2, page));
}

static struct vmx *vmx;

static void l1_windows(uint64_t page)
{
	unsigned int controls;

	write_cr4(read_cr4() | CR4_PKS);
	vmx_start(vmx);
	for (controls = 0;; controls++) {
		vmx_load_controls(controls & 3);
		vmwrite(GUEST_PKRS, GUEST);
		vmwrite(HOST_PKRS, HOST_FIELD);
		wrmsr(MSR_PKRS, L1);
		guest_sync(vmx_run(vmx, l2_window, page));
		guest_sync(rdmsr(MSR_PKRS));
		guest_sync(vmread(GUEST_PKRS));
	}
}

/* In L2's windows and L1's. */
static void moved_nested(void)
{
	struct vm *vm = two_processors();
	struct vcpu *vcpu;
	uint64_t page, got;
	unsigned int controls, i, moves = 0;

	need_nested();
	keyed(vm, &page, KEY);
	vmx = vmx_new(vm, true);
	vcpu = vcpu_new(vm, PKS_ON, l1_windows, page);
	/* An odd number of syncs: each is met on either processor. */
	for (controls = 0; controls < 8; controls++) {
		const uint64_t want[] = {
			controls & 1 ? GUEST : L1, 0, L2, 0, EXIT_VMCALL,
			controls & 2 ? HOST_FIELD : L2, L2,
		};

		for (i = 0; i < COUNT(want); i++) {
			on(moves++ & 1);
			got = vcpu_sync(vcpu);
			CHECK(got == want[i], "E %u X %u, sync %u: %#lx, not %#lx", controls & 1,
			      controls >> 1 & 1, i, got, want[i]);
		}
	}
	end(vcpu);
}

/* Until it is told to stop; the number of times that PKRS was not the guest's own. */
static volatile unsigned int rounds;

static void restless(uint64_t page)
{
	uint64_t value = 1, lost = 0;

	write_cr4(read_cr4() | CR4_PKS);
	for (; !stop; rounds++) {
		value = value * 6364136223846793005 + 1442695040888963407;
		wrmsr(MSR_PKRS, value >> 32 & ~KEY_BITS(OWN_KEY, 3));
		lost += !!differs(value >> 32 & ~KEY_BITS(OWN_KEY, 3), page);
	}
	guest_sync(lost);
}

static volatile pid_t moved_thread, other_thread;

static bool move(pid_t thread, int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	return !sched_setaffinity(thread, sizeof(set), &set);
}

/* Runs beside the case's thread, which it moves, and ends the guest's run. */
static void *mover(void *moves)
{
	int i;

	for (i = 0; i < MOVES; i++) {
		*(int *)moves += move(moved_thread, ~i & 1);
		usleep(20);
	}
	stop = true;
	return NULL;
}

static void beside(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	moved_thread = gettid();
	REQUIRE(!pthread_create(thread, NULL, fn, arg), "no second thread");
}

/* In the middle of KVM_RUN, wherever the guest is. */
static void moved_while_running(void)
{
	struct vm *vm = two_processors();
	struct vcpu *vcpu;
	uint64_t page, lost;
	pthread_t thread;
	int moves = 0;

	keyed(vm, &page, KEY);
	vcpu = vcpu_new(vm, PKS_ON, restless, page);
	beside(&thread, mover, &moves);
	lost = vcpu_sync(vcpu);
	pthread_join(thread, NULL);
	CHECK(!lost, "the guest lost its own value %lu times", lost);
	CHECK(moves == MOVES, "moved %d times, not %d", moves, MOVES);
	end(vcpu);
}

/* Each processor has its own (tests/host-pks), and no exit has left another there. */
static void check_host(uint32_t pkrs)
{
	unsigned int processor;

	for (processor = 0; processor < 2; processor++) {
		on(processor);
		CHECK(host_get("pkrs") == (pkrs ^ processor << 30), "processor %u has PKRS %#lx, not %#x",
		      processor, host_get("pkrs"), pkrs ^ processor << 30);
	}
	CHECK(!host_get("wrong"), "after %lu of %lu exits the host had another value", host_get("wrong"),
	      host_get("exits"));
}

/* A second VM, run by a thread of its own. */
struct other {
	struct vcpu *vcpu;
	uint64_t runs, lost;
};

/* KVM_RUN until the guest's next sync, in a thread that must not end the case. */
static bool run_quietly(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	for (;;) {
		if (ioctl(vcpu->fd, KVM_RUN, 0))
			return false;
		if (run->exit_reason == KVM_EXIT_MMIO)
			memset(run->mmio.data, MMIO_BYTE, sizeof(run->mmio.data));
		else
			return run->exit_reason == KVM_EXIT_IO && run->io.port == PORT_SYNC;
	}
}

static void *run_other(void *arg)
{
	struct other *o = arg;
	cpu_set_t set;

	while (!stop) {
		CPU_ZERO(&set);
		CPU_SET(o->runs & 1, &set);
		sched_setaffinity(0, sizeof(set), &set);
		/* Its window is open here; the second sync tells how it was. */
		if (!run_quietly(o->vcpu) || !run_quietly(o->vcpu))
			break;
		o->lost += !!o->vcpu->cpu->value;
		o->runs++;
	}
	return NULL;
}

/* The host, whose value changes, and two VMs, each with others, on both processors. */
static void host_values_of(void (*fn)(uint64_t), const uint64_t *want, unsigned int syncs)
{
	struct vm *vm = two_processors();
	static struct other other;
	struct vcpu *vcpu;
	pthread_t thread;
	uint64_t page, got;
	uint32_t i;

	host_has(DENY_ALL);
	keyed(vm, &page, KEY);
	if (fn == l1_windows)
		vmx = vmx_new(vm, true);
	vcpu = vcpu_new(vm, PKS_ON, fn, page);
	vm = vm_new();
	keyed(vm, &page, KEY);
	other = (struct other){ .vcpu = vcpu_new(vm, PKS_ON, windows, page) };
	beside(&thread, run_other, &other);
	for (i = 1; i <= 8 * syncs; i++) {
		host_set("pkrs", i * 0x01000194);
		on(i & 1);
		got = vcpu_sync(vcpu);
		if (want[(i - 1) % syncs] != ~0ull)
			CHECK(got == want[(i - 1) % syncs], "sync %u: %#lx", i, got);
		check_host(i * 0x01000194);
	}
	stop = true;
	pthread_join(thread, NULL);
	CHECK(!other.lost, "the other guest lost its own value %lu times", other.lost);
	CHECK(other.runs > syncs, "the other guest ran %lu times only", other.runs);
	host_set("watch", 0);
	end(other.vcpu);
	end(vcpu);
}

static void host_values(void)
{
	static const uint64_t want[] = { ~0ull, 0 };

	host_values_of(windows, want, COUNT(want));
}

static void host_values_nested(void)
{
	/* What L1 and L2 have goes by the controls: moved_nested. */
	static const uint64_t want[] = { ~0ull, 0, L2, 0, EXIT_VMCALL, ~0ull, L2 };

	need_nested();
	host_values_of(l1_windows, want, COUNT(want));
}

/* The second processor goes, or comes back. */
static bool set_online(bool online)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, online ? "1" : "0", 1) == 1;

	close(fd);
	return done;
}

/* Where the guest's window is open goes offline; it goes on with it elsewhere. */
static void hotplug(void)
{
	struct vm *vm = two_processors();
	struct vcpu *vcpu;
	uint64_t page, how;
	uint32_t i;

	host_has(DENY_ALL);
	keyed(vm, &page, KEY);
	vcpu = vcpu_new(vm, PKS_ON, windows, page);
	for (i = 1; i <= 3; i++) {
		on(1);
		vcpu_sync(vcpu);
		on(0);
		REQUIRE(set_online(false), "processor 1 does not go: %s", strerror(errno));
		how = vcpu_sync(vcpu);
		CHECK(!how, "processor 1 gone: differs by %#lx", how);
		host_set("pkrs", i * 0x01000194);
		vcpu_sync(vcpu);
		REQUIRE(set_online(true), "processor 1 does not come back: %s", strerror(errno));
		on(1);
		how = vcpu_sync(vcpu);
		CHECK(!how, "processor 1 back: differs by %#lx", how);
		check_host(i * 0x01000194);
	}
	host_set("watch", 0);
	end(vcpu);
}

static void *plugger(void *done)
{
	unsigned int i, seen;

	for (i = 0; i < 3; i++) {
		move(moved_thread, 1);
		for (seen = rounds; rounds - seen < 2;)
			usleep(20);
		*(int *)done += set_online(false);
		*(int *)done += set_online(true);
	}
	stop = true;
	return NULL;
}

/* The processor goes while the guest runs there. */
static void hotplug_while_running(void)
{
	struct vm *vm = two_processors();
	struct vcpu *vcpu;
	uint64_t page, lost;
	pthread_t thread;
	int done = 0;

	host_has(DENY_ALL);
	keyed(vm, &page, KEY);
	vcpu = vcpu_new(vm, PKS_ON, restless, page);
	beside(&thread, plugger, &done);
	lost = vcpu_sync(vcpu);
	pthread_join(thread, NULL);
	CHECK(!lost, "the guest lost its own value %lu times", lost);
	CHECK(done == 6, "the processor went and came %d times, not 6", done);
	check_host(DENY_ALL);
	host_set("watch", 0);
	end(vcpu);
}

/* What a guest's paging entry has of its key, and what a read of that page gives. */
static volatile struct {
	uint64_t *entry, page;
	uint8_t *steal;
	uint64_t request, done, wrong;
} shared;

enum { NO_MORE = -1 };

static void set_key(uint64_t key)
{
	*shared.entry = (*shared.entry & ~PTE_KEY(15)) | PTE_KEY(key);
	flush((void *)shared.page);
}

static int read_page(void)
{
	return guest_probe(probe_read, (void *)shared.page, 0, 0);
}

static void deny(void)
{
	write_cr4(read_cr4() | CR4_PKS);
	wrmsr(MSR_PKRS, KEY_BITS(DENIED, KEY_AD));
}

/* The key of a page that this processor knows changes while the vCPU is on the other. */
static void change_key(uint64_t unused)
{
	uint64_t i;

	(void)unused;
	deny();
	for (i = 0;; i++) {
		set_key(KEY);
		guest_sync(read_page() != NO_FAULT);	/* here */
		set_key(DENIED);
		guest_sync(read_page() != (PF_P | PF_PK));	/* there */
		guest_sync(read_page() != (PF_P | PF_PK));	/* and back */
	}
}

static void l1_change_key(uint64_t unused)
{
	vmx_start(vmx);
	guest_sync(vmx_run(vmx, change_key, unused));
}

static void key_changed_of(bool nested)
{
	struct vm *vm = two_processors();
	struct vcpu *vcpu;
	int i;

	if (nested) {
		need_nested();
		vmx = vmx_new(vm, true);
	}
	shared.entry = keyed(vm, (uint64_t *)&shared.page, KEY);
	vcpu = vcpu_new(vm, PKS_ON, nested ? l1_change_key : change_key, 0);
	for (i = 0; i < 6; i++) {
		on(i & 1);
		CHECK(!vcpu_sync(vcpu), "round %d: the page cannot be read with its first key", i);
		on(~i & 1);
		CHECK(!vcpu_sync(vcpu), "round %d: no fault where the key was changed", i);
		on(i & 1);
		CHECK(!vcpu_sync(vcpu), "round %d: the processor has used a key of before", i);
	}
	end(vcpu);
}

static void key_changed_elsewhere(void)
{
	key_changed_of(false);
}

static void key_changed_elsewhere_nested(void)
{
	key_changed_of(true);
}

/* One vCPU changes the key, and waits until the other has flushed; both are moved. */
static void shooter(uint64_t unused)
{
	uint64_t i, wrong = 0;

	(void)unused;
	deny();
	for (i = 1; !stop; i++) {
		set_key(i & 1 ? DENIED : KEY);
		shared.request = i;
		while (shared.done != i)
			;
		wrong += read_page() != (i & 1 ? PF_P | PF_PK : NO_FAULT);
	}
	shared.request = NO_MORE;
	guest_sync(wrong);
}

static void target(uint64_t unused)
{
	uint64_t request;

	(void)unused;
	deny();
	for (;;) {
		/* Between change and flush either is right. */
		read_page();
		request = shared.request;
		if (request == shared.done)
			continue;
		if (request == (uint64_t)NO_MORE)
			break;
		flush((void *)shared.page);
		shared.wrong += read_page() != (request & 1 ? PF_P | PF_PK : NO_FAULT);
		shared.done = request;
	}
	guest_sync(shared.wrong);
}

static void *run_target(void *vcpu)
{
	other_thread = gettid();
	move(0, 1);
	return run_quietly(vcpu) ? vcpu : NULL;
}

/* A second guest, on the other processor, from when this returns. */
static void run_beside(pthread_t *thread, struct vcpu *vcpu)
{
	other_thread = 0;
	beside(thread, run_target, vcpu);
	while (!other_thread)
		usleep(20);
}

/* Each goes to where the other was, in the middle of KVM_RUN. Ends both. */
static void *swapper(void *swaps)
{
	int i;

	for (i = 0; i < SWAPS; i++) {
		*(int *)swaps += move(moved_thread, ~i & 1) && move(other_thread, i & 1);
		usleep(20);
	}
	stop = true;
	return NULL;
}

static void shootdown(void)
{
	struct vm *vm = two_processors();
	struct vcpu *vcpu = vcpu_new(vm, PKS_ON, shooter, 0);
	struct vcpu *other = vcpu_new_id(vm, 1, PKS_ON, target, 0);
	pthread_t thread, swapping;
	int swaps = 0;
	uint64_t wrong;
	void *ended;

	shared.request = shared.done = shared.wrong = 0;
	shared.entry = keyed(vm, (uint64_t *)&shared.page, KEY);
	run_beside(&thread, other);
	beside(&swapping, swapper, &swaps);
	wrong = vcpu_sync(vcpu);
	pthread_join(thread, &ended);
	pthread_join(swapping, NULL);
	CHECK(ended == other, "the other vCPU did not come to its end");
	CHECK(swaps == SWAPS, "moved %d times, not %d", swaps, SWAPS);
	CHECK(shared.done > SWAPS, "the key was changed %lu times only", shared.done);
	CHECK(!wrong, "%lu of %lu times the page did not have its key", wrong, shared.done);
	CHECK(!shared.wrong, "%lu of %lu times the other vCPU did not see its key", shared.wrong,
	      shared.done);
	vcpu_free(other);
	end(vcpu);
}

/* Nothing but exits, each of the two vCPUs with values of its own: as many as there can
 * be of what they do to each other (tests/debug). */
static void exits_often(uint64_t seed)
{
	uint64_t i, value, lost = 0;
	uint32_t eax;

	write_cr4(read_cr4() | CR4_PKS);
	for (i = 0; i < EXITS; i++) {
		value = (2 * i + seed) * 0x9e3779b1 & 0xffffffff & ~KEY_BITS(OWN_KEY, 3);
		wrmsr(MSR_PKRS, value);
		if (i % 16 == 0)
			lost += !!differs(value, shared.page);
		asm volatile("cpuid" : "=a"(eax) : "0"(0) : "ebx", "ecx", "edx");
		lost += rdmsr(MSR_PKRS) != value;
	}
	guest_sync(lost);
}

static void side_by_side(void)
{
	struct vm *vm = two_processors();
	struct vcpu *vcpu = vcpu_new(vm, PKS_ON, exits_often, 0);
	struct vcpu *other = vcpu_new_id(vm, 1, PKS_ON, exits_often, 1);
	pthread_t thread;
	uint64_t lost;
	void *ended;

	host_has(DENY_ALL);
	keyed(vm, (uint64_t *)&shared.page, KEY);
	run_beside(&thread, other);
	lost = vcpu_sync(vcpu);
	pthread_join(thread, &ended);
	CHECK(!lost, "the first vCPU lost its value %lu times", lost);
	CHECK(ended == other && !other->cpu->value, "the second vCPU lost its value %lu times",
	      other->cpu->value);
	check_host(DENY_ALL);
	host_set("watch", 0);
	vcpu_free(other);
	end(vcpu);
}

/* A vCPU that does not run is flushed by KVM, which is asked for in its steal time. */
static void asks_kvm(uint64_t unused)
{
	(void)unused;
	for (;;) {
		set_key(DENIED);
		__atomic_fetch_or(shared.steal, STEAL_FLUSH, __ATOMIC_SEQ_CST);
		guest_sync(0);
		set_key(KEY);
		guest_sync(0);
	}
}

static void sleeps(uint64_t steal)
{
	deny();
	wrmsr(MSR_STEAL_TIME, steal | 1);
	for (;;)
		guest_sync(read_page());
}

static void shootdown_by_kvm(void)
{
	enum { PREEMPTED = 16 };	/* its place in the steal time */
	struct vm *vm = two_processors();
	char *steal = vm_pages(vm, 1);
	struct vcpu *vcpu = vcpu_new(vm, PKS_ON, asks_kvm, 0);
	struct vcpu *other = vcpu_new_id(vm, 1, PKS_ON, sleeps, (uint64_t)steal);
	int i, got;

	shared.steal = (uint8_t *)steal + PREEMPTED;
	shared.entry = keyed(vm, (uint64_t *)&shared.page, KEY);
	for (i = 0; i < 6; i++) {
		on(1);
		got = vcpu_sync(other);
		CHECK(got == NO_FAULT, "round %d: the first key gives %#x", i, got);
		on(0);
		vcpu_sync(vcpu);
		on(1);
		got = vcpu_sync(other);
		CHECK(got == (PF_P | PF_PK), "round %d: the changed key gives %#x", i, got);
		on(0);
		vcpu_sync(vcpu);
	}
	vcpu_free(other);
	end(vcpu);
}

/* VMs that the other processor has seen, without PKS and with it. */
static volatile unsigned int vms[2];

/* kvm_intel without PKS, with it, and so on, each as soon as no VM keeps the last. */
static void *reloader(void *done)
{
	char command[128];
	unsigned int i, seen;

	for (i = 0; i < RELOADS && !stop; i++) {
		while (system("rmmod kvm_intel 2>/dev/null") && !stop)
			usleep(100);
		seen = vms[i & 1];
		snprintf(command, sizeof(command), "insmod /job/kvm-intel.ko $(cat /job/kvm-intel.params) pks=%u",
			 i & 1);
		*(int *)done += !system(command);
		while (vms[i & 1] == seen && !stop)
			usleep(100);
	}
	stop = true;
	return NULL;
}

/* One guest, or what KVM says without PKS; the module stays for as long. */
static void use_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct vm *vm;
	struct vcpu *vcpu;
	uint64_t page, how;
	bool pks;

	if (fd < 0)
		return;
	pks = *module_param("kvm_intel", "pks") == 'Y';
	CHECK(kvm_has_pks() == pks, "with pks=%d KVM advertises %d", pks, !pks);
	if (pks) {
		vm = vm_new();
		keyed(vm, &page, KEY);
		vcpu = vcpu_new(vm, PKS_ON, windows, page);
		vcpu_sync(vcpu);
		how = vcpu_sync(vcpu);
		CHECK(!how, "in a new VM PKRS differs by %#lx", how);
		vcpu_free(vcpu);
		vm_free(vm);
	}
	kvm_leave();
	close(fd);
	check_host(DENY_ALL);
	vms[pks]++;
}

/* VMs come and go on the other processor, and each finds the module whole. */
static void reload(void)
{
	static int done;
	sigset_t children;
	pthread_t thread;

	/* Or those that the other thread starts would end KVM_RUN. */
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &children, NULL);
	vm_free(two_processors());
	kvm_leave();
	host_has(DENY_ALL);
	host_set("watch", 0);
	beside(&thread, reloader, &done);
	while (!stop) {
		on(1);
		use_kvm();
		usleep(100);
	}
	pthread_join(thread, NULL);
	CHECK(done == RELOADS, "reloaded %d times, not %d", done, RELOADS);
	on(0);
}

static const struct test tests[] = {
	{ "kvm.smp.moved", "KVM-6, KVM-14", moved, NULL },
	{ "kvm.smp.moved_nested", "KVM-17, KVM-18", moved_nested, NULL },
	{ "kvm.smp.moved_while_running", "KVM-6", moved_while_running, NULL },
	{ "kvm.smp.host_values", "KVM-10", host_values, NULL },
	{ "kvm.smp.host_values_nested", "KVM-10, KVM-25", host_values_nested, NULL },
	{ "kvm.smp.hotplug", "KVM-6, KVM-10", hotplug, NULL },
	{ "kvm.smp.hotplug_while_running", "KVM-6, KVM-10", hotplug_while_running, NULL },
	{ "kvm.smp.key_changed_elsewhere", "TLB-8", key_changed_elsewhere, NULL },
	{ "kvm.smp.key_changed_elsewhere_nested", "TLB-8", key_changed_elsewhere_nested, NULL },
	{ "kvm.smp.shootdown", "TLB-8", shootdown, NULL },
	{ "kvm.smp.side_by_side", "KVM-6, KVM-10", side_by_side, NULL },
	{ "kvm.smp.shootdown_by_kvm", "TLB-11", shootdown_by_kvm, NULL },
	{ "kvm.smp.reload", "KVM-1, KVM-10", reload, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
