// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that uses PKS itself keeps its PKRS whatever its guests do (KVM-10).
 * tests/host-pks' module made it one before kvm_intel was loaded; one with
 * cr4_pks=0 only looks at a host that does not.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "ktap.h"
#include "vmx.h"

enum { ENTRIES = 1000000, ROUNDS = 200 };

/* All exits from here on. */
static void start(uint32_t pkrs)
{
	host_has(pkrs);
	CHECK(host_get("pkrs") == pkrs, "the host has PKRS %#lx from the start", host_get("pkrs"));
}

static void check_host(uint32_t pkrs)
{
	CHECK(host_get("pkrs") == pkrs, "the host has PKRS %#lx, not %#x", host_get("pkrs"), pkrs);
	CHECK(!host_get("wrong"), "after %lu of %lu exits the host had another value", host_get("wrong"),
	      host_get("exits"));
}

static void end(struct vm *vm, struct vcpu *vcpu)
{
	vcpu_free(vcpu);
	vm_free(vm);
	host_set("watch", 0);
}

static void exit_once(void)
{
	uint32_t a = 0, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

/* Other values each time, CR4.PKS on and off. Syncs in rounds of entries. */
static void restless(uint64_t entries)
{
	uint64_t value = 1, lost = 0, i;

	for (;;) {
		for (i = 0; i < entries; i++) {
			value = value * 6364136223846793005 + 1442695040888963407;
			wrmsr(MSR_PKRS, value >> 32 & ~KEY_BITS(OWN_KEY, 3));
			if (!(value >> 60))
				write_cr4(read_cr4() ^ CR4_PKS);
			else
				exit_once();
			lost += rdmsr(MSR_PKRS) != (value >> 32 & ~KEY_BITS(OWN_KEY, 3));
		}
		guest_sync(lost);
	}
}

static void without_pks(uint64_t unused)
{
	(void)unused;
	for (;;) {
		exit_once();
		guest_sync(0);
	}
}

static void survives(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	uint64_t lost;

	need_pks();
	start(DENY_ALL);
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_ON, restless, ENTRIES);
	lost = vcpu_sync(vcpu);
	CHECK(!lost, "the guest lost its own value %lu times", lost);
	check_host(DENY_ALL);
	CHECK(host_get("exits") >= ENTRIES, "only %lu exits were seen", host_get("exits"));
	end(vm, vcpu);
}

/* The host changes its value between entries, as with each of its tasks. */
static void refreshed(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	uint64_t lost = 0;
	uint32_t i;

	need_pks();
	start(DENY_ALL);
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_ON, restless, 5);
	for (i = 1; i <= ROUNDS; i++) {
		host_set("pkrs", i * 0x01000194);
		lost += vcpu_sync(vcpu);
		check_host(i * 0x01000194);
	}
	CHECK(!lost, "the guest lost its own value %lu times", lost);
	end(vm, vcpu);
}

/* Between two entries of one KVM_RUN, too: another task of the host has another. */
static volatile bool stop;

static void *change_value(void *changes)
{
	FILE *file = fopen("/sys/module/" HOST "/parameters/pkrs", "w");
	uint32_t i;

	for (i = 1; file && !stop; i++) {
		fprintf(file, "%u", i * 0x01000194);
		*(uint64_t *)changes += !fflush(file);
		sched_yield();
	}
	fclose(file);
	return NULL;
}

static void while_running(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	uint64_t lost, changes = 0;
	pthread_t thread;

	need_pks();
	start(DENY_ALL);
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_ON, restless, ENTRIES);
	stop = false;
	REQUIRE(!pthread_create(&thread, NULL, change_value, &changes), "no second thread");
	lost = vcpu_sync(vcpu);
	stop = true;
	pthread_join(thread, NULL);
	CHECK(!lost, "the guest lost its own value %lu times", lost);
	CHECK(changes > 10, "the host's value changed %lu times only", changes);
	CHECK(!host_get("wrong"), "after %lu of %lu exits the host had another value", host_get("wrong"),
	      host_get("exits"));
	end(vm, vcpu);
}

/* A host that does not use PKS is left with 0. */
static void unused(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	uint64_t lost = 0;
	int i;

	need_pks();
	start(0);
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_ON, restless, 5);
	for (i = 0; i < ROUNDS; i++) {
		lost += vcpu_sync(vcpu);
		check_host(0);
	}
	CHECK(!lost, "the guest lost its own value %lu times", lost);
	end(vm, vcpu);
}

/* KVM may hide PKS or not. */
static void guest_without_pks(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	int i;

	start(DENY_ALL);
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_OFF, without_pks, 0);
	for (i = 0; i < ROUNDS; i++)
		vcpu_sync(vcpu);
	check_host(DENY_ALL);
	end(vm, vcpu);
}

/* Two guests and the host, each with its own. */
static void two_guests(void)
{
	struct vm *vm[2];
	struct vcpu *vcpu[2];
	uint64_t lost = 0;
	int i;

	need_pks();
	start(DENY_ALL);
	vm[0] = vm_new();
	vcpu[0] = vcpu_new(vm[0], PKS_ON, restless, 3);
	lost += vcpu_sync(vcpu[0]);
	vm[1] = vm_new();
	vcpu[1] = vcpu_new(vm[1], PKS_ON, restless, 2);
	for (i = 0; i < ROUNDS; i++) {
		host_set("pkrs", 4 * i);
		lost += vcpu_sync(vcpu[0]);
		lost += vcpu_sync(vcpu[1]);
		check_host(4 * i);
	}
	CHECK(!lost, "the guests lost their values %lu times", lost);
	vcpu_free(vcpu[1]);
	vm_free(vm[1]);
	end(vm[0], vcpu[0]);
}

static struct vmx *vmx;

static void l2(uint64_t value)
{
	wrmsr(MSR_PKRS, value);
	/* Exits to KVM, which answers it; CPUID would exit to L1. */
	rdmsr(MSR_BIOS_SIGN_ID);
	guest_sync(rdmsr(MSR_PKRS) != value);
}

/* L1 and L2 in turn, with every pair of controls. */
static void l1(uint64_t value)
{
	unsigned int i;

	vmx_start(vmx);
	for (i = 0;; i++) {
		vmx_control(ENTRY_CONTROLS, i & 1 ? ENTRY_LOAD_PKRS : 0,
			    i & 1 ? 0 : ENTRY_LOAD_PKRS);
		vmx_control(EXIT_CONTROLS, i & 2 ? EXIT_LOAD_PKRS : 0,
			    i & 2 ? 0 : EXIT_LOAD_PKRS);
		value = (value * 0x01000193 + i) & ~KEY_BITS(OWN_KEY, 3);
		wrmsr(MSR_PKRS, value & 0xffffffff);
		value = ~value & 0xffffffff & ~KEY_BITS(OWN_KEY, 3);
		guest_sync(vmx_run(vmx, l2, value) != EXIT_VMCALL);
	}
}

/* The value changes while L2 is active, and is right after L1's next exits (KVM-25). */
static void nested(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	uint64_t lost = 0;
	uint32_t i;

	need_pks();
	need_nested();
	start(DENY_ALL);
	vm = vm_new();
	vmx = vmx_new(vm, true);
	vcpu = vcpu_new(vm, PKS_ON, l1, 1);
	for (i = 1; i <= ROUNDS; i++) {
		/* In L1 after an even number of syncs, in L2 after an odd one. */
		if (i % 3)
			host_set("pkrs", i * 0x01000194);
		lost += vcpu_sync(vcpu);
		check_host((i % 3 ? i : i - 1) * 0x01000194);
	}
	CHECK(!lost, "L2 lost its own value, or did not run, %lu times", lost);
	end(vm, vcpu);
}

static const struct test tests[] = {
	{ "kvm.host.survives", "KVM-10", survives, NULL },
	{ "kvm.host.refreshed", "KVM-10", refreshed, NULL },
	{ "kvm.host.while_running", "KVM-10", while_running, NULL },
	{ "kvm.host.guest_without_pks", "KVM-3, KVM-10", guest_without_pks, NULL },
	{ "kvm.host.two_guests", "KVM-10", two_guests, NULL },
	{ "kvm.host.nested", "KVM-10, KVM-25", nested, NULL },
};

/* The only one in which KVM's trial entries for L1 (nested_early_check) matter. */
static const struct test nested_tests[] = {
	{ "kvm.host.nested", "KVM-10, KVM-25", nested, NULL },
};

static const struct test unused_tests[] = {
	{ "kvm.host.unused", "KVM-10", unused, NULL },
};

static const struct test hidden_tests[] = {
	{ "kvm.host.guest_without_pks", "KVM-3, KVM-10", guest_without_pks, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "expect", "variation", NULL };
	const char *expect;

	ktap_arguments(argc, argv, keys);
	expect = ktap_argument("expect");
	if (expect && !strcmp(expect, "hidden"))
		return ktap_run(hidden_tests, COUNT(hidden_tests));
	if (expect && !strcmp(expect, "nested"))
		return ktap_run(nested_tests, COUNT(nested_tests));
	if (expect && !strcmp(expect, "unused"))
		return ktap_run(unused_tests, COUNT(unused_tests));
	return ktap_run(tests, COUNT(tests));
}
