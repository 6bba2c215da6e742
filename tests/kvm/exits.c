// SPDX-License-Identifier: GPL-2.0-only
/* The guest's own RDMSR and WRMSR of IA32_PKRS do not exit (KVM-4), nor L2's (KVM-21). */
#include "ktap.h"
#include "vmx.h"

enum { ROUNDS = 1000000, L2_ROUNDS = 100000, INTERCEPTED_ROUNDS = 1000 };

/* Who runs the code. */
enum level { IN_L1, IN_L2, IN_L2_WITH_EPT };

/* A filter that denies it, then none: what it was is to come back (KVM-5). */
static bool filtered;

static void ask(uint64_t unused)
{
	(void)unused;
	guest_sync(0);
	guest_sync(try_wrmsr(MSR_PKRS, 0));
}

static void read_write(uint64_t rounds)
{
	uint64_t lost = 0, i;

	wrmsr(MSR_PKRS, rdmsr(MSR_PKRS));
	guest_sync(0);
	for (i = 0; i < rounds; i++) {
		uint64_t value = i & 0xffffffff;

		wrmsr(MSR_PKRS, value);
		lost += rdmsr(MSR_PKRS) != value;
	}
	guest_sync(lost);
}

static void read_intercepted(uint64_t rounds)
{
	rdmsr(MSR_BIOS_SIGN_ID);
	guest_sync(0);
	while (rounds--)
		rdmsr(MSR_BIOS_SIGN_ID);
	guest_sync(0);
}

static struct vmx *vmx;
static void (*measured)(uint64_t);

static void no_l2(uint64_t rounds)
{
	if (filtered)
		ask(0);
	measured(rounds);
}

/*
 * L1 intercepts no MSR, and would not return from an exit of L2. All that L2 is
 * asked of a filter exits until L1 enters it again.
 */
static void l1(uint64_t rounds)
{
	vmx_start(vmx);
	if (filtered)
		vmx_run(vmx, ask, 0);
	vmx_run(vmx, measured, rounds);
}

/* Of the code between two syncs; the host's own interrupts do not count. */
static uint64_t exits_of(void (*fn)(uint64_t), enum level level, uint64_t rounds, uint64_t *lost)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu;
	uint64_t exits;

	vmx = level == IN_L1 ? NULL : vmx_new(vm, level == IN_L2_WITH_EPT);
	measured = fn;
	vcpu = vcpu_new(vm, PKS_ON, level == IN_L1 ? no_l2 : l1, rounds);
	vcpu_sync(vcpu);
	if (level != IN_L1)
		CHECK(vcpu_stat(vcpu, "guest_mode"), "L2 is not active");
	if (filtered) {
		vm_filter(vm, KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE);
		CHECK((int)vcpu_sync(vcpu) == VECTOR_GP, "the filter does not deny it");
		vm_filter(vm, 0);
		vcpu_sync(vcpu);
	}
	exits = vcpu_stat(vcpu, "exits") - vcpu_stat(vcpu, "irq_exits");
	*lost = vcpu_sync(vcpu);
	exits = vcpu_stat(vcpu, "exits") - vcpu_stat(vcpu, "irq_exits") - exits;
	vcpu_free(vcpu);
	vm_free(vm);
	return exits;
}

static void check_none(enum level level, unsigned int rounds)
{
	uint64_t exits, lost;

	exits = exits_of(read_write, level, rounds, &lost);
	CHECK(!lost, "level %d: %lu of %u writes are not read back", level, lost, rounds);
	/* The sync at its end is one. */
	CHECK(exits == 1, "level %d: %lu exits for %u writes and reads", level, exits - 1, rounds);
}

/* The statistic that the cases rely on does count. */
static void check_counted(enum level level)
{
	uint64_t exits, lost;

	exits = exits_of(read_intercepted, level, INTERCEPTED_ROUNDS, &lost);
	CHECK(exits == INTERCEPTED_ROUNDS + 1, "level %d: %lu exits for %d intercepted reads",
	      level, exits - 1, INTERCEPTED_ROUNDS);
}

static void none(void)
{
	need_pks();
	check_none(IN_L1, ROUNDS);
}

static void none_after_filter(void)
{
	need_pks();
	filtered = true;
	check_none(IN_L1, L2_ROUNDS);
	filtered = false;
}

static void counted(void)
{
	need_pks();
	check_counted(IN_L1);
}

/* An exit to L1 is one of L0 first, so that none of L0 is none at all. */
static void none_in_l2(void)
{
	need_pks();
	need_nested();
	check_none(IN_L2, L2_ROUNDS);
	check_none(IN_L2_WITH_EPT, L2_ROUNDS);
}

static void none_in_l2_after_filter(void)
{
	filtered = true;
	none_in_l2();
	filtered = false;
}

static void counted_in_l2(void)
{
	need_pks();
	need_nested();
	check_counted(IN_L2);
	check_counted(IN_L2_WITH_EPT);
}

static const struct test tests[] = {
	{ "kvm.exits.counted", "KVM-4 (control)", counted, NULL },
	{ "kvm.exits.none", "KVM-4", none, NULL },
	{ "kvm.exits.none_after_filter", "KVM-4, KVM-5", none_after_filter, NULL },
	{ "kvm.exits.counted_in_l2", "KVM-21 (control)", counted_in_l2, NULL },
	{ "kvm.exits.none_in_l2", "KVM-4, KVM-21", none_in_l2, NULL },
	{ "kvm.exits.none_in_l2_after_filter", "KVM-5, KVM-21", none_in_l2_after_filter, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
