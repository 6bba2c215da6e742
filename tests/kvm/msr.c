// SPDX-License-Identifier: GPL-2.0-only
/* IA32_PKRS as the host sees and sets it, and as the guest does. */
#include "ktap.h"
#include "vm.h"

static struct vm *vm;
static struct vcpu *vcpu;

static void start(int pks, void (*fn)(uint64_t), uint64_t arg)
{
	need_pks();
	vm = vm_new();
	vcpu = vcpu_new(vm, pks, fn, arg);
}

static void end(void)
{
	vcpu_free(vcpu);
	vm_free(vm);
}

static void nothing(uint64_t unused)
{
	(void)unused;
}

static void listed(void)
{
	need_pks();
	CHECK(kvm_lists_msr(MSR_PKRS), "KVM_GET_MSR_INDEX_LIST lacks IA32_PKRS");
}

static void host_round_trip(void)
{
	static const uint32_t more[] = { 0, ~0u, 0x55555555, 0xaaaaaaaa, 0x12345678 };
	uint64_t got;
	unsigned int i;

	start(PKS_ON, nothing, 0);
	for (i = 0; i < 32 + COUNT(more); i++) {
		uint64_t value = i < 32 ? 1ull << i : more[i - 32];

		pkrs_set(vcpu, value);
		got = pkrs_get(vcpu);
		CHECK(got == value, "set %#lx, got %#lx", value, got);
	}
	end();
}

static void host_reserved(void)
{
	const uint64_t before = 0xabcd1234;
	uint64_t got;
	int bit;

	start(PKS_ON, nothing, 0);
	pkrs_set(vcpu, before);
	for (bit = 32; bit < 64; bit++) {
		CHECK(!msr_set(vcpu, MSR_PKRS, 1ull << bit | 0x77), "bit %d is taken", bit);
		got = pkrs_get(vcpu);
		CHECK(got == before, "refused bit %d, but the value is %#lx", bit, got);
	}
	end();
}

static void without_cpuid(struct vcpu *v)
{
	uint64_t value = 1;

	CHECK(msr_get(v, MSR_PKRS, &value), "the host may not read");
	CHECK(!value, "the host reads %#lx", value);
	CHECK(msr_set(v, MSR_PKRS, 0), "the host may not write 0");
	CHECK(!msr_set(v, MSR_PKRS, 1), "the host may write 1");
	CHECK(!msr_set(v, MSR_PKRS, 1ull << 32), "the host may write bit 32");
	CHECK(msr_get(v, MSR_PKRS, &value) && !value, "the host then reads %#lx", value);
}

static void host_before_cpuid(void)
{
	need_pks();
	vm = vm_new();
	vcpu = vcpu_bare(vm, 0);
	without_cpuid(vcpu);
	end();
}

static void host_without_guest_pks(void)
{
	start(PKS_OFF, nothing, 0);
	without_cpuid(vcpu);
	end();
}

/* With PKS in CR4 or not, the register works alike (PKS-10). */
static void echo(uint64_t cr4_pks)
{
	uint64_t value;

	if (cr4_pks)
		write_cr4(read_cr4() | CR4_PKS);
	for (;;) {
		guest_sync(rdmsr(MSR_PKRS));
		/* The test left the next value to write here. */
		value = this_cpu()->value;
		wrmsr(MSR_PKRS, value);
		guest_sync(rdmsr(MSR_PKRS));
	}
}

static void host_to_guest_to_host(int cr4_pks)
{
	uint64_t got;
	int bit;

	start(PKS_ON, echo, cr4_pks);
	for (bit = 0; bit < 32; bit++) {
		uint64_t mine = 1ull << bit, its = ~mine & 0xffffffff & ~(3u << 2 * OWN_KEY);

		if (cr4_pks)
			mine &= ~(3u << 2 * OWN_KEY);
		pkrs_set(vcpu, mine);
		got = vcpu_sync(vcpu);
		CHECK(got == mine, "the host set %#lx, the guest reads %#lx", mine, got);
		vcpu->cpu->value = its;
		got = vcpu_sync(vcpu);
		CHECK(got == its, "the guest wrote %#lx and reads %#lx", its, got);
		got = pkrs_get(vcpu);
		CHECK(got == its, "the guest wrote %#lx, the host reads %#lx", its, got);
	}
	end();
}

static void both_ways(void)
{
	host_to_guest_to_host(0);
}

static void both_ways_active(void)
{
	host_to_guest_to_host(1);
}

/* The guest has changed the register behind KVM's cached value. */
static void stale_cache(void)
{
	const uint64_t cached = 0x11110000, changed = 0x00002222;
	uint64_t got;

	start(PKS_ON, echo, 0);
	pkrs_set(vcpu, cached);
	CHECK(pkrs_get(vcpu) == cached, "the host reads what it did not write");
	vcpu_sync(vcpu);
	vcpu->cpu->value = changed;
	got = vcpu_sync(vcpu);
	CHECK(got == changed, "the guest reads %#lx", got);
	pkrs_set(vcpu, cached);
	got = vcpu_sync(vcpu);
	CHECK(got == cached, "a write of the cached value was lost: the guest reads %#lx", got);
	end();
}

static void write_reserved(uint64_t bit)
{
	const uint64_t before = 0x00001234;

	for (bit = 32; bit < 64; bit++) {
		uint64_t after;

		wrmsr(MSR_PKRS, before);
		guest_sync(try_wrmsr(MSR_PKRS, 1ull << bit | 0x77));
		after = rdmsr(MSR_PKRS);
		guest_sync(after == before ? this_cpu()->error : after);
	}
}

static void guest_reserved(void)
{
	int bit;

	start(PKS_ON, write_reserved, 0);
	for (bit = 32; bit < 64; bit++) {
		uint64_t got;

		CHECK((int)vcpu_sync(vcpu) == VECTOR_GP, "WRMSR of bit %d: no #GP", bit);
		got = vcpu_sync(vcpu);
		CHECK(!got, "bit %d: error code not 0 or value changed: %#lx", bit, got);
	}
	vcpu_done(vcpu);
	end();
}

static const struct test tests[] = {
	{ "kvm.msr.listed", "KVM-8", listed, NULL },
	{ "kvm.msr.host_round_trip", "KVM-8", host_round_trip, NULL },
	{ "kvm.msr.host_reserved", "KVM-8", host_reserved, NULL },
	{ "kvm.msr.host_before_cpuid", "KVM-8", host_before_cpuid, NULL },
	{ "kvm.msr.host_without_guest_pks", "KVM-8", host_without_guest_pks, NULL },
	{ "kvm.msr.both_ways", "KVM-4, KVM-6", both_ways, NULL },
	{ "kvm.msr.both_ways_active", "KVM-4, KVM-6", both_ways_active, NULL },
	{ "kvm.msr.stale_cache", "KVM-7", stale_cache, NULL },
	{ "kvm.msr.guest_reserved", "PKS-10", guest_reserved, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
