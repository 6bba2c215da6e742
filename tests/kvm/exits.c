// SPDX-License-Identifier: GPL-2.0-only
/* The guest's own RDMSR and WRMSR of IA32_PKRS do not exit (KVM-4). */
#include "ktap.h"
#include "vm.h"

enum { ROUNDS = 1000000, INTERCEPTED_ROUNDS = 1000 };

/* Intercepted on every kernel: KVM emulates it. */
#define MSR_BIOS_SIGN_ID	0x8b

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

/* Of the code between two syncs; the host's own interrupts do not count. */
static uint64_t exits_of(void (*fn)(uint64_t), uint64_t rounds, uint64_t *lost)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, PKS_ON, fn, rounds);
	uint64_t exits;

	vcpu_sync(vcpu);
	exits = vcpu_stat(vcpu, "exits") - vcpu_stat(vcpu, "irq_exits");
	*lost = vcpu_sync(vcpu);
	exits = vcpu_stat(vcpu, "exits") - vcpu_stat(vcpu, "irq_exits") - exits;
	vcpu_free(vcpu);
	vm_free(vm);
	return exits;
}

static void none(void)
{
	uint64_t exits, lost;

	need_pks();
	exits = exits_of(read_write, ROUNDS, &lost);
	CHECK(!lost, "%lu of %d writes are not read back", lost, ROUNDS);
	/* The sync at its end is one. */
	CHECK(exits == 1, "%lu exits for %d writes and reads", exits - 1, ROUNDS);
}

/* The statistic that the case above relies on does count. */
static void counted(void)
{
	uint64_t exits, lost;

	need_pks();
	exits = exits_of(read_intercepted, INTERCEPTED_ROUNDS, &lost);
	CHECK(exits == INTERCEPTED_ROUNDS + 1, "%lu exits for %d intercepted reads",
	      exits - 1, INTERCEPTED_ROUNDS);
}

static const struct test tests[] = {
	{ "kvm.exits.counted", "KVM-4 (control)", counted, NULL },
	{ "kvm.exits.none", "KVM-4", none, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
