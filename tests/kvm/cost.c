// SPDX-License-Identifier: GPL-2.0-only
/*
 * That KVM's walks for a guest without keys do not ask for any (KVM-16). Where
 * they do there is nothing wrong with what they find: only time tells. What is
 * measured here is compared within one KVM; make bench compares with the stock
 * one, to the instruction.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ktap.h"
#include "vm.h"

enum { ROUNDS = 200 };

/* In the lab the time stamp counter counts instructions. */
static inline uint64_t now(void)
{
	uint64_t low, high;

	asm volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
	return high << 32 | low;
}

static void exits(uint64_t cr4)
{
	write_cr4(read_cr4() | cr4);
	for (;;)
		guest_sync(0);
}

/* The least, for the host's clock may tick in any other. */
static uint64_t cost_of_walk(int pks, uint64_t cr4)
{
	struct kvm_translation t;
	struct vm *vm = vm_new();
	struct vcpu *vcpu = vcpu_new(vm, pks, exits, cr4);
	uint64_t least = ~0ull;
	int i, failed;

	memset(&t, 0, sizeof(t));
	t.linear_address = (uint64_t)vm->ram;
	for (i = 0; i < ROUNDS; i++) {
		uint64_t time;

		vcpu_sync(vcpu);
		time = now();
		failed = ioctl(vcpu->fd, KVM_TRANSLATE, &t);
		time = now() - time;
		REQUIRE(!failed && t.valid, "KVM_TRANSLATE: %s", strerror(errno));
		if (time < least)
			least = time;
	}
	vcpu_free(vcpu);
	vm_free(vm);
	return least;
}

static void walk_without_keys(void)
{
	uint64_t hidden, exposed, keys;

	need_pks();
	if (!(cpuid_leaf(kvm_cpuid(), 7, 0)->ecx & 1 << 3))
		ktap_skip("KVM supports PKU");
	/* CR4.PKE: the check is made, of a supervisor-mode address and in vain. */
	keys = cost_of_walk(PKS_ON, CR4_PKE);
	exposed = cost_of_walk(PKS_ON, 0);
	hidden = cost_of_walk(PKS_OFF, 0);
	ktap_note("a walk takes %lu with keys, %lu without, %lu with PKS hidden", keys, exposed,
		  hidden);
	CHECK(exposed < keys, "without keys %lu, with them %lu", exposed, keys);
	CHECK(hidden < keys, "with PKS hidden %lu, with keys %lu", hidden, keys);
}

static const struct test tests[] = {
	{ "kvm.cost.walk_without_keys", "KVM-16", walk_without_keys, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
