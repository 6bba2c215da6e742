// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live migration: a vCPU is saved in the middle of what it does with PKS and
 * goes on in another VM with the same memory, whatever the order of restoring.
 */
#include "ktap.h"
#include "move.h"

enum { KEY = 2, ROUNDS = 8 };

/* What else the guest keeps in registers: proof that the rest is restored. */
enum { COOKIE = 0x1badb002 };

/* A page that only write windows may change. */
static void windows(uint64_t page)
{
	register uint64_t cookie asm("r12") = COOKIE;
	volatile uint64_t *counter = (uint64_t *)page;
	const uint32_t closed = KEY_BITS(KEY, KEY_WD) | KEY_BITS(15, KEY_AD);

	asm volatile("" : "+r"(cookie));
	wrmsr(MSR_PKRS, closed);
	write_cr4(read_cr4() | CR4_PKS);
	for (;;) {
		wrmsr(MSR_PKRS, closed & ~KEY_BITS(KEY, 3));
		guest_sync(cookie);			/* moved in the open window */
		(*counter)++;
		wrmsr(MSR_PKRS, closed);
		guest_sync(rdmsr(MSR_PKRS) == closed);	/* moved in the closed window */
		guest_sync((unsigned int)guest_probe(probe_write, counter, 0, 0));
		asm volatile("" : "+r"(cookie));
	}
}

static void in_order(const enum step *order)
{
	struct vm *vm;
	struct vcpu *vcpu;
	uint64_t *page;
	int i, got;

	need_pks();
	vm = vm_new();
	page = vm_pages(vm, 1);
	vm_map(vm, (uint64_t)page, (uint64_t)page, PTE_W | PTE_A | PTE_D | PTE_KEY(KEY), 1);
	vcpu = vcpu_new(vm, PKS_ON, windows, (uint64_t)page);
	for (i = 0; i < ROUNDS; i++) {
		CHECK(vcpu_sync(vcpu) == COOKIE, "round %d: a register is lost", i);
		vcpu = vcpu_move(vcpu, order, NULL);
		CHECK(vcpu_sync(vcpu) == 1, "round %d: PKRS reads otherwise", i);
		CHECK(*page == (uint64_t)i + 1, "round %d: the write in the window is lost", i);
		vcpu = vcpu_move(vcpu, order, NULL);
		got = vcpu_sync(vcpu);
		CHECK(got == (PF_P | PF_W | PF_PK), "round %d: outside a write gives %#x", i, got);
	}
	vm = vcpu->vm;
	vcpu_free(vcpu);
	vm_free(vm);
}

static void moved_msrs_first(void)
{
	static const enum step order[] = {
		CPUID, FEATURE_CONTROL, MSRS, SREGS, REGS, NESTED, EVENTS, FPU
	};

	in_order(order);
}

static void sregs_first(void)
{
	static const enum step order[] = {
		CPUID, FPU, FEATURE_CONTROL, REGS, SREGS, NESTED, EVENTS, MSRS
	};

	in_order(order);
}

/* A target that was told no PKS refuses what it cannot keep. */
static void to_no_pks(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	struct kvm_sregs s;

	need_pks();
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_OFF, windows, 0);
	CHECK(!msr_set(vcpu, MSR_PKRS, KEY_BITS(KEY, KEY_WD)), "it takes PKRS");
	CHECK(msr_set(vcpu, MSR_PKRS, 0), "it does not take PKRS = 0");
	s = sregs_get(vcpu);
	s.cr4 |= CR4_PKS;
	CHECK(!sregs_set(vcpu, &s), "it takes CR4.PKS");
	vcpu_free(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	{ "kvm.migrate.msrs_first", "KVM-8", moved_msrs_first, NULL },
	{ "kvm.migrate.sregs_first", "KVM-8", sregs_first, NULL },
	{ "kvm.migrate.to_no_pks", "KVM-8", to_no_pks, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
