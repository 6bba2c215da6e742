// SPDX-License-Identifier: GPL-2.0-only
/*
 * L1 with enlightened VMCS, which has no fields for PKRS: it is not offered
 * the controls, and the register goes through L2 as it does without them
 * (KVM-24).
 */
#include <errno.h>
#include <string.h>

#include "evmcs.h"
#include "ktap.h"
#include "move.h"

/* Distinct, none denies OWN_KEY, as the first steps from them: of L1, L2. */
enum { L1 = 0x00010200, L2 = 0x02334400 };

/* In fields of vmcs12 that are not to be looked at. */
#define STALE (1ull << 63 | 0x00112233)

static struct vmx *vmx;
static struct vcpu *vcpu;

static void start(bool ept, int hyperv, void (*fn)(uint64_t), uint64_t arg)
{
	struct vm *vm;

	need_pks();
	need_nested();
	need_evmcs();
	vm = vm_new();
	vmx = vmx_new(vm, ept);
	evmcs_new(vm, vmx);
	vcpu = vcpu_new(vm, PKS_ON, fn, arg);
	vcpu->hyperv = hyperv;
	REQUIRE(!vcpu_set_cpuid(vcpu, PKS_ON), "KVM_SET_CPUID2: %s", strerror(errno));
}

static void end(void)
{
	struct vm *vm = vcpu->vm;

	vcpu_free(vcpu);
	vm_free(vm);
}

static void nothing(uint64_t unused)
{
	(void)unused;
}

/* What L1 itself reads: for the host KVM does not filter. */
static const struct {
	uint32_t msr, pkrs, other;
} offers[] = {
	{ MSR_VMX_ENTRY_CTLS, ENTRY_LOAD_PKRS, ENTRY_GUEST_64BIT },
	{ MSR_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_PKRS, ENTRY_GUEST_64BIT },
	{ MSR_VMX_EXIT_CTLS, EXIT_LOAD_PKRS, EXIT_HOST_64BIT },
	{ MSR_VMX_TRUE_EXIT_CTLS, EXIT_LOAD_PKRS, EXIT_HOST_64BIT },
};

static void l1_offers(uint64_t unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0;; i = (i + 1) % COUNT(offers))
		guest_sync(rdmsr(offers[i].msr) >> 32);
}

static void check_offered(const char *when, bool want)
{
	unsigned int i;

	for (i = 0; i < COUNT(offers); i++) {
		uint64_t allowed = vcpu_sync(vcpu);

		CHECK(!(allowed & offers[i].pkrs) == !want, "%s: MSR %#x allows %#lx", when,
		      offers[i].msr, allowed);
		CHECK(allowed & offers[i].other, "%s: MSR %#x allows %#lx", when, offers[i].msr,
		      allowed);
	}
}

static void capabilities(void)
{
	start(false, HYPERV_CPUID, l1_offers, 0);
	check_offered("without enlightened VMCS", true);
	hyperv_evmcs(vcpu);
	check_offered("enabled", false);
	end();

	start(false, HYPERV_EVMCS, l1_offers, 0);
	check_offered("without Hyper-V's CPUID", true);
	end();

	start(false, HYPERV_CPUID | HYPERV_EVMCS, l1_offers, 0);
	check_offered("enabled before", false);
	end();
}

static volatile uint64_t l2_runs;

static void l2_counts(uint64_t unused)
{
	(void)unused;
	l2_runs++;
}

static void set_controls(unsigned int controls)
{
	void *evmcs = vmx->evmcs;
	uint64_t entry = evmcs_read(evmcs, ENTRY_CONTROLS) & ~(uint64_t)ENTRY_LOAD_PKRS;
	uint64_t exit = evmcs_read(evmcs, EXIT_CONTROLS) & ~(uint64_t)EXIT_LOAD_PKRS;

	evmcs_write(evmcs, ENTRY_CONTROLS, entry | (controls & 1 ? ENTRY_LOAD_PKRS : 0));
	evmcs_write(evmcs, EXIT_CONTROLS, exit | (controls & 2 ? EXIT_LOAD_PKRS : 0));
	*evmcs_clean_fields(evmcs) = 0;
}

/* All ways of setting them, by VMLAUNCH and by VMRESUME, each then taken back. */
static void l1_sets_controls(uint64_t unused)
{
	unsigned int i;

	(void)unused;
	vmx_start(vmx);
	evmcs_start(vmx);
	for (i = 0; i < 8; i++) {
		set_controls(i & 3);
		vmx->launched = i & 4;
		evmcs_write(vmx->evmcs, INSTRUCTION_ERROR, 0);
		wrmsr(MSR_PKRS, L1 + i);
		guest_sync(vmx_run(vmx, l2_counts, 0));
		guest_sync(rdmsr(MSR_PKRS));
		set_controls(0);
		guest_sync(vmx_run(vmx, l2_counts, 0));
		guest_sync(rdmsr(MSR_PKRS));
	}
}

static void refused(void)
{
	uint64_t runs = 0;
	unsigned int i;

	start(true, HYPERV_CPUID | HYPERV_EVMCS, l1_sets_controls, 0);
	l2_runs = 0;
	for (i = 0; i < 8; i++) {
		const bool set = i & 3;
		int64_t got = vcpu_sync(vcpu);

		runs += !set;
		CHECK(got == (set ? -VMFAIL_BAD_CONTROL : EXIT_VMCALL), "controls %u: %ld", i & 3,
		      got);
		CHECK(l2_runs == runs, "controls %u: L2 ran", i & 3);
		got = vcpu_sync(vcpu);
		CHECK(got == L1 + i, "controls %u: PKRS became %#lx", i & 3, got);
		got = vcpu_sync(vcpu);
		CHECK(got == EXIT_VMCALL, "controls %u taken back: %ld", i & 3, got);
		CHECK(l2_runs == ++runs, "controls %u taken back: L2 did not run", i & 3);
		got = vcpu_sync(vcpu);
		CHECK(got == L1 + i, "controls %u taken back: PKRS became %#lx", i & 3, got);
	}
	end();
}

/*
 * Entries by two enlightened VMCSs in turn. The first is no VMLAUNCH, with
 * which KVM would clear what an ordinary VMCS has left in vmcs12. KVM marks all
 * fields clean as L2 runs; L1 leaves that as it is, or marks all dirty.
 */
static const struct {
	unsigned int which;
	bool launch, clean;
} entries[] = {
	{ 0, false, false }, { 0, false, true }, { 0, false, true }, { 0, true, true },
	{ 1, false, true }, { 1, false, true }, { 0, false, true }, { 0, false, false },
	{ 1, true, false }, { 1, false, true },
};

static void l2_change(uint64_t value)
{
	guest_sync(rdmsr(MSR_PKRS));
	wrmsr(MSR_PKRS, value);
	guest_sync(rdmsr(MSR_PKRS));
}

/* The same, but L2 leaves for L1 only. */
static volatile uint64_t l2_found;

static void l2_change_quietly(uint64_t value)
{
	l2_found = rdmsr(MSR_PKRS);
	wrmsr(MSR_PKRS, value);
}

static void l1_values(uint64_t quiet)
{
	unsigned int i;

	write_cr4(read_cr4() | CR4_PKS);
	vmx_start(vmx);
	vmwrite(GUEST_PKRS, STALE);
	vmwrite(HOST_PKRS, STALE);
	evmcs_start(vmx);
	for (i = 0; i < COUNT(entries); i++) {
		evmcs_use(vmx, entries[i].which);
		vmx->launched = !entries[i].launch;
		if (!entries[i].clean)
			*evmcs_clean_fields(vmx->evmcs) = 0;
		wrmsr(MSR_PKRS, L1 + i);
		guest_sync(vmx_run(vmx, quiet ? l2_change_quietly : l2_change, L2 + i));
		guest_sync(rdmsr(MSR_PKRS));
	}
}

static void check_sync(const enum step *order, const char *what, unsigned int i, int64_t want)
{
	int64_t got;

	if (order)
		vcpu = vcpu_move(vcpu, order, NULL);
	got = vcpu_sync(vcpu);
	CHECK(got == want, "entry %u: %s: %#lx, not %#lx", i, what, got, want);
}

/* KVM-17 and KVM-18 without the controls, with L2 left for userspace or not. */
static void each_entry(bool ept, bool quiet, const enum step *order)
{
	unsigned int i;

	start(ept, HYPERV_CPUID | HYPERV_EVMCS, l1_values, quiet);
	for (i = 0; i < COUNT(entries); i++) {
		if (!quiet) {
			check_sync(order, "L2 starts with", i, L1 + i);
			CHECK(pkrs_get(vcpu) == L1 + i, "entry %u: the host reads %#lx in L2", i,
			      pkrs_get(vcpu));
			check_sync(order, "L2 has", i, L2 + i);
			CHECK(pkrs_get(vcpu) == L2 + i, "entry %u: the host reads %#lx in L2", i,
			      pkrs_get(vcpu));
		}
		check_sync(order, "L2's exit", i, EXIT_VMCALL);
		if (!order)
			CHECK(*evmcs_clean_fields(vmx->evmcs) == EVMCS_ALL_CLEAN,
			      "entry %u: KVM has marked %#x clean", i,
			      *evmcs_clean_fields(vmx->evmcs));
		if (quiet)
			CHECK(l2_found == L1 + i, "entry %u: L2 started with %#lx", i, l2_found);
		check_sync(order, "L1 goes on with", i, L2 + i);
	}
	end();
}

static void values(void)
{
	int i;

	for (i = 0; i < 4; i++)
		each_entry(i & 1, i & 2, NULL);
}

static void moved_msrs_first(void)
{
	each_entry(false, false, msrs_first);
	each_entry(true, false, msrs_first);
}

static void moved_nested_first(void)
{
	each_entry(false, false, nested_first);
	each_entry(true, false, nested_first);
}

/* There is no field, so that L1 finds L2's value nowhere but in the register. */
static bool vmread_fails(uint64_t field)
{
	uint64_t value = 0;
	bool failed;

	asm volatile("vmread %2, %1" : "=@ccbe"(failed), "+r"(value) : "r"(field));
	return failed;
}

static void l1_looks(uint64_t unused)
{
	(void)unused;
	vmx_start(vmx);
	evmcs_start(vmx);
	wrmsr(MSR_PKRS, L1);
	guest_sync(vmx_run(vmx, l2_change_quietly, L2));
	guest_sync(vmread_fails(EXIT_REASON));
	guest_sync(vmread_fails(GUEST_PKRS));
	guest_sync(evmcs_read(vmx->evmcs, INSTRUCTION_ERROR));
	guest_sync(vmread_fails(HOST_PKRS));
	guest_sync(evmcs_read(vmx->evmcs, INSTRUCTION_ERROR));
}

static void no_field(void)
{
	const uint32_t *words;
	unsigned int i;

	start(true, HYPERV_CPUID | HYPERV_EVMCS, l1_looks, 0);
	check_sync(NULL, "L2's exit", 0, EXIT_VMCALL);
	words = (const uint32_t *)vmx->evmcs;
	for (i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		CHECK(words[i] != L1 && words[i] != L2, "%#x is at %#zx", words[i],
		      i * sizeof(*words));
	check_sync(NULL, "VMREAD of the exit reason fails", 0, false);
	check_sync(NULL, "VMREAD of the guest's field fails", 0, true);
	check_sync(NULL, "the error", 0, VMFAIL_NO_FIELD);
	check_sync(NULL, "VMREAD of the host's field fails", 0, true);
	check_sync(NULL, "the error", 0, VMFAIL_NO_FIELD);
	end();
}

/* Filters count though L1 says that its own bitmap has not changed (KVM-5). */
static void l2_accesses(uint64_t unused)
{
	uint64_t value;
	int i;

	(void)unused;
	for (i = 0; i < 2; i++) {
		guest_sync(try_rdmsr(MSR_PKRS, &value));
		guest_sync(try_wrmsr(MSR_PKRS, L2));
	}
}

static void l1_clean_bitmap(uint64_t unused)
{
	(void)unused;
	vmx_start(vmx);
	evmcs_start(vmx);
	evmcs_enlighten_bitmap(vmx->evmcs);
	vmx_run(vmx, nothing, 0);
	for (;;) {
		guest_sync(*evmcs_clean_fields(vmx->evmcs));
		guest_sync(vmx_run(vmx, l2_accesses, 0));
	}
}

static void filter_and_clean_bitmap(void)
{
	unsigned int i;

	start(true, HYPERV_CPUID | HYPERV_EVMCS, l1_clean_bitmap, 0);
	for (i = 0; i < 32; i++) {
		/* In L1 and in L2 in turn, from each to each other. */
		const unsigned int deny = (i ^ i / 4) % 4;
		int read = deny & KVM_MSR_FILTER_READ ? VECTOR_GP : NO_FAULT;
		int write = deny & KVM_MSR_FILTER_WRITE ? VECTOR_GP : NO_FAULT;

		if (!(i & 1))
			check_sync(NULL, "clean fields", i, EVMCS_ALL_CLEAN);
		vm_filter(vcpu->vm, deny);
		check_sync(NULL, "RDMSR of L2", i, read);
		check_sync(NULL, "WRMSR of L2", i, write);
		if (i & 1)
			check_sync(NULL, "L2's exit", i, EXIT_VMCALL);
	}
	end();
}

static const struct test tests[] = {
	{ "kvm.evmcs.capabilities", "KVM-24", capabilities, NULL },
	{ "kvm.evmcs.refused", "KVM-24", refused, NULL },
	{ "kvm.evmcs.values", "KVM-17, KVM-18, KVM-24", values, NULL },
	{ "kvm.evmcs.moved_msrs_first", "KVM-23, KVM-24", moved_msrs_first, NULL },
	{ "kvm.evmcs.moved_nested_first", "KVM-23, KVM-24", moved_nested_first, NULL },
	{ "kvm.evmcs.no_field", "KVM-24", no_field, NULL },
	{ "kvm.evmcs.filter_and_clean_bitmap", "KVM-5, KVM-24", filter_and_clean_bitmap, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
