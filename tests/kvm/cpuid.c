// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who gets PKS (KVM-1, KVM-4). With expect=hidden, for a machine or module
 * parameters that rule PKS out: that nothing of it can be had.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ktap.h"
#include "vm.h"

enum { PKRS_VALUE = 0x4a5a1234 };

static void advertised(void)
{
	CHECK(kvm_has_pks(), "KVM_GET_SUPPORTED_CPUID has no PKS");
}

static void guest_cpuid(uint64_t unused)
{
	uint32_t a = 7, b, c = 0, d;

	(void)unused;
	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	guest_sync(c >> 31);
}

static void seen_by_guest(void)
{
	int pks;

	need_pks();
	for (pks = PKS_OFF; pks <= PKS_ON; pks++) {
		struct vm *vm = vm_new();
		struct vcpu *vcpu = vcpu_new(vm, pks, guest_cpuid, 0);

		CHECK(vcpu_sync(vcpu) == (uint64_t)pks,
		      "guest CPUID does not show PKS as set to %d", pks);
		vcpu_free(vcpu);
		vm_free(vm);
	}
}

/* What a guest can do with PKS, one sync each; the values show up in order. */
static void guest_tries(uint64_t unused)
{
	uint64_t value = 0;

	(void)unused;
	guest_sync(try_rdmsr(MSR_PKRS, &value));
	guest_sync(value);
	guest_sync(try_wrmsr(MSR_PKRS, 0));
	guest_sync(try_wrmsr(MSR_PKRS, PKRS_VALUE));
	guest_sync(try_cr4(read_cr4() | CR4_PKS));
	guest_sync(read_cr4() & CR4_PKS);
}

/* Nothing of PKS can be had in the guest. */
static void check_absent(struct vcpu *vcpu)
{
	CHECK((int)vcpu_sync(vcpu) == VECTOR_GP, "RDMSR did not #GP");
	vcpu_sync(vcpu);
	CHECK((int)vcpu_sync(vcpu) == VECTOR_GP, "WRMSR of 0 did not #GP");
	CHECK((int)vcpu_sync(vcpu) == VECTOR_GP, "WRMSR did not #GP");
	CHECK((int)vcpu_sync(vcpu) == VECTOR_GP, "MOV to CR4 with PKS did not #GP");
	CHECK(!vcpu_sync(vcpu), "CR4.PKS is set");
	vcpu_done(vcpu);
}

static void check_present(struct vcpu *vcpu, uint64_t value)
{
	uint64_t exits, got;

	CHECK((int)vcpu_sync(vcpu) == NO_FAULT, "RDMSR faults");
	got = vcpu_sync(vcpu);
	CHECK(got == value, "the guest reads %#lx, not %#lx", got, value);
	exits = vcpu_stat(vcpu, "exits") - vcpu_stat(vcpu, "irq_exits");
	CHECK((int)vcpu_sync(vcpu) == NO_FAULT, "WRMSR of 0 faults");
	CHECK((int)vcpu_sync(vcpu) == NO_FAULT, "WRMSR faults");
	exits = vcpu_stat(vcpu, "exits") - vcpu_stat(vcpu, "irq_exits") - exits;
	/* Two OUTs, and what a first touch of a page may cost. */
	CHECK(exits <= 4, "%lu exits for two syncs and two WRMSR", exits);
	CHECK((int)vcpu_sync(vcpu) == NO_FAULT, "MOV to CR4 with PKS faults");
	CHECK(vcpu_sync(vcpu), "CR4.PKS is not set");
	vcpu_done(vcpu);
}

static void removed(void)
{
	struct vm *vm;
	struct vcpu *vcpu;

	need_pks();
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_OFF, guest_tries, 0);
	check_absent(vcpu);
	vcpu_free(vcpu);
	vm_free(vm);
}

static void given(void)
{
	struct vm *vm;
	struct vcpu *vcpu;

	need_pks();
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_ON, guest_tries, 0);
	check_present(vcpu, 0);
	vcpu_free(vcpu);
	vm_free(vm);
}

/* CPUID set, removed, set again …: the last one holds, the value is kept. */
static void toggled(int last)
{
	struct vm *vm;
	struct vcpu *vcpu;
	uint64_t value = 1;

	need_pks();
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_ON, guest_tries, 0);
	pkrs_set(vcpu, PKRS_VALUE);
	CHECK(!vcpu_set_cpuid(vcpu, PKS_OFF), "cannot remove PKS: %s", strerror(errno));
	CHECK(msr_get(vcpu, MSR_PKRS, &value), "without PKS the host may not read");
	CHECK(!value, "without PKS the host reads %#lx", value);
	CHECK(!msr_set(vcpu, MSR_PKRS, 1), "without PKS the host may write 1");
	if (last == PKS_ON) {
		CHECK(!vcpu_set_cpuid(vcpu, PKS_ON), "cannot set PKS again: %s",
		      strerror(errno));
		CHECK(pkrs_get(vcpu) == PKRS_VALUE, "the value is not kept");
		check_present(vcpu, PKRS_VALUE);
	} else {
		check_absent(vcpu);
	}
	vcpu_free(vcpu);
	vm_free(vm);
}

static void set_removed(void)
{
	toggled(PKS_OFF);
}

static void set_removed_set(void)
{
	toggled(PKS_ON);
}

static void hidden(void)
{
	CHECK(!kvm_has_pks(), "KVM_GET_SUPPORTED_CPUID has PKS");
}

static void hidden_in_list(void)
{
	CHECK(!kvm_lists_msr(MSR_PKRS), "KVM_GET_MSR_INDEX_LIST has IA32_PKRS");
}

/*
 * With the CPUID bit set by a userspace that does not heed what KVM supports,
 * too: KVM must not touch VMCS fields that the processor may not have.
 */
static void hidden_from_guest(int pks)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, PKS_OFF, guest_tries, 0);

	if (vcpu_set_cpuid(vcpu, pks))
		ktap_skip("KVM_SET_CPUID2 takes the bit");
	check_absent(vcpu);
	vcpu_free(vcpu);
	vm_free(vm);
}

static void hidden_guest(void)
{
	hidden_from_guest(PKS_OFF);
}

static void hidden_guest_forced(void)
{
	hidden_from_guest(PKS_ON);
}

static void hidden_from_host(int pks)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, PKS_OFF, guest_tries, 0);
	struct kvm_sregs sregs;
	uint64_t value = 1;

	if (vcpu_set_cpuid(vcpu, pks))
		ktap_skip("KVM_SET_CPUID2 takes the bit");
	CHECK(!msr_set(vcpu, MSR_PKRS, 1), "KVM_SET_MSRS takes IA32_PKRS = 1");
	CHECK(!msr_set(vcpu, MSR_PKRS, 0), "KVM_SET_MSRS takes IA32_PKRS = 0");
	CHECK(!msr_get(vcpu, MSR_PKRS, &value), "KVM_GET_MSRS gives IA32_PKRS = %#lx", value);
	sregs = sregs_get(vcpu);
	sregs.cr4 |= CR4_PKS;
	CHECK(!sregs_set(vcpu, &sregs), "KVM_SET_SREGS takes CR4.PKS");
	CHECK(!(sregs_get(vcpu).cr4 & CR4_PKS), "CR4.PKS is set");
	vcpu_free(vcpu);
	vm_free(vm);
}

static void hidden_host(void)
{
	hidden_from_host(PKS_OFF);
}

static void hidden_host_forced(void)
{
	hidden_from_host(PKS_ON);
}

static const struct test shown_tests[] = {
	{ "kvm.cpuid.advertised", "KVM-1", advertised, NULL },
	{ "kvm.cpuid.seen_by_guest", "KVM-4", seen_by_guest, NULL },
	{ "kvm.cpuid.given", "KVM-4", given, NULL },
	{ "kvm.cpuid.removed", "KVM-4", removed, NULL },
	{ "kvm.cpuid.set_removed", "KVM-4", set_removed, NULL },
	{ "kvm.cpuid.set_removed_set", "KVM-4", set_removed_set, NULL },
};

static const struct test hidden_tests[] = {
	{ "kvm.cpuid.hidden", "KVM-1, KVM-2", hidden, NULL },
	{ "kvm.cpuid.hidden_msr_list", "KVM-8", hidden_in_list, NULL },
	{ "kvm.cpuid.hidden_guest", "KVM-4", hidden_guest, NULL },
	{ "kvm.cpuid.hidden_guest_forced", "KVM-1, KVM-4", hidden_guest_forced, NULL },
	{ "kvm.cpuid.hidden_host", "KVM-8", hidden_host, NULL },
	{ "kvm.cpuid.hidden_host_forced", "KVM-1, KVM-8", hidden_host_forced, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "expect", "variation", NULL };
	const char *expect;

	ktap_arguments(argc, argv, keys);
	expect = ktap_argument("expect");
	if (expect && !strcmp(expect, "hidden"))
		return ktap_run(hidden_tests, COUNT(hidden_tests));
	return ktap_run(shown_tests, COUNT(shown_tests));
}
