// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests for Protection Keys for Supervisor pages (PKS): CPUID, CR4.PKS,
 * IA32_PKRS, MSR filters, and page faults with and without forced emulation.
 */
#include "kvm_test_harness.h"
#include "test_util.h"
#include "kvm_util.h"
#include "processor.h"

/* Arbitrary values that don't restrict key 0, i.e. the guest's own memory. */
#define PKRS_GUEST	0x12345678
#define PKRS_HOST	0xedcba984

#define NR_MSR_ACCESSES	1000

#define NR_PKEYS	16
#define PKR_AD		BIT(0)
#define PKR_WD		BIT(1)
#define PKR_MASK	(PKR_AD | PKR_WD)

enum access_type {
	ACCESS_READ,
	ACCESS_WRITE,
	ACCESS_FETCH,
	NR_ACCESS_TYPES,
};

/* The forced emulation prefix as code, to be put in front of keyed pages. */
static const u8 kvm_fep[] = { 0x0f, 0x0b, 'k', 'v', 'm' };

#define RET_OPCODE	0xc3

static gva_t pkey_pages;

/*
 * There is one page for each {supervisor, user} x key, filled with RETs, and
 * in front of each an unkeyed page that ends with the forced emulation prefix.
 */
static gva_t pkey_page(bool user, int pkey)
{
	return pkey_pages + ((user * NR_PKEYS + pkey) * 2 + 1) * PAGE_SIZE;
}

static u8 guest_rdmsr(u32 msr, u64 *val, bool fep)
{
	return fep ? rdmsr_safe_fep(msr, val) : rdmsr_safe(msr, val);
}

static u8 guest_wrmsr(u32 msr, u64 val, bool fep)
{
	if (fep)
		return kvm_asm_safe_fep("wrmsr", "a"(val & -1u), "d"(val >> 32), "c"(msr));

	return wrmsr_safe(msr, val);
}

static u8 guest_set_cr4(u64 val, bool fep)
{
	if (fep)
		return kvm_asm_safe_fep("mov %[val], %%cr4", [val]"r"(val));

	return kvm_asm_safe("mov %[val], %%cr4", [val]"r"(val));
}

static u8 guest_access(gva_t gva, enum access_type type, bool fep, u64 *ec)
{
	switch (type) {
	case ACCESS_READ:
		if (fep)
			return kvm_asm_safe_ec_fep("cmpb $0, (%[gva])", *ec, [gva]"r"(gva));

		return kvm_asm_safe_ec("cmpb $0, (%[gva])", *ec, [gva]"r"(gva));
	case ACCESS_WRITE:
		if (fep)
			return kvm_asm_safe_ec_fep("movb %[ret], (%[gva])", *ec,
						   [ret]"i"(RET_OPCODE), [gva]"r"(gva));

		return kvm_asm_safe_ec("movb %[ret], (%[gva])", *ec,
				       [ret]"i"(RET_OPCODE), [gva]"r"(gva));
	default:
		/*
		 * Keys don't apply to instruction fetches, i.e. this must not
		 * fault.  To have KVM fetch from the page, start at the prefix
		 * in front of it: KVM reads the prefix itself as data.
		 */
		((void (*)(void))(gva - (fep ? sizeof(kvm_fep) : 0)))();
		return 0;
	}
}

/*
 * Returns the register value that gives @pkey the rights @bits, and the exact
 * opposite to all other keys, except for key 0, i.e. for all other memory.
 */
static u32 pkr_val(int pkey, u32 bits)
{
	u32 others = 0x55555554 * (~bits & PKR_MASK);

	return (others & ~(PKR_MASK << (pkey * 2))) | bits << (pkey * 2);
}

static void guest_test_access(bool user, int pkey, u32 bits,
			      enum access_type type, bool fep)
{
	u64 cr4 = get_cr4(), wp = get_cr0() & X86_CR0_WP, ec = 0;
	u32 pkr = pkr_val(pkey, bits), other = pkr_val(pkey, ~bits & PKR_MASK);
	gva_t gva = pkey_page(user, pkey);
	u64 ex_ec = PFERR_PRESENT_MASK | PFERR_PK_MASK;
	bool fault = false;
	u8 vector;

	/* The address selects the register, not the CPL (which is 0). */
	wrmsr(MSR_IA32_PKRS, user ? other : pkr);
	if (cr4 & X86_CR4_PKE)
		wrpkru(user ? pkr : other);

	if (type != ACCESS_FETCH && (cr4 & (user ? X86_CR4_PKE : X86_CR4_PKS)))
		fault = (bits & PKR_AD) ||
			((bits & PKR_WD) && type == ACCESS_WRITE && wp);

	if (type == ACCESS_WRITE)
		ex_ec |= PFERR_WRITE_MASK;

	vector = guest_access(gva, type, fep, &ec);

	__GUEST_ASSERT(vector == (fault ? PF_VECTOR : 0),
		       "Wanted vector %u, got %u on access type %u%s, %s page, key %d, rights %u, CR0.WP = %u, CR4.PKS = %u",
		       fault ? PF_VECTOR : 0, vector, type, fep ? " (FEP)" : "",
		       user ? "user" : "supervisor", pkey, bits, !!wp,
		       !!(cr4 & X86_CR4_PKS));

	if (fault) {
		GUEST_ASSERT_EQ(ec, ex_ec);
		GUEST_ASSERT_EQ(get_cr2(), gva);
	}
}

static void guest_test_accesses(bool fep)
{
	int user, pkey, bits, type;

	for (user = 0; user <= 1; user++)
		for (bits = 0; bits <= PKR_MASK; bits++)
			for (type = 0; type < NR_ACCESS_TYPES; type++)
				for (pkey = 1; pkey < NR_PKEYS; pkey++)
					guest_test_access(user, pkey, bits, type, fep);
}

static void guest_page_faults(void)
{
	int i;

	if (this_cpu_has(X86_FEATURE_PKU))
		set_cr4(get_cr4() | X86_CR4_PKE);

	/* All combinations of CR4.PKS and CR0.WP. */
	for (i = 0; i < 4; i++) {
		set_cr4((get_cr4() & ~X86_CR4_PKS) | (i & 1 ? X86_CR4_PKS : 0));
		set_cr0((get_cr0() & ~X86_CR0_WP) | (i & 2 ? X86_CR0_WP : 0));

		guest_test_accesses(false);
		if (is_forced_emulation_enabled)
			guest_test_accesses(true);
	}

	GUEST_DONE();
}

static void guest_test_msr(bool fep)
{
	u64 val;
	int i;

	GUEST_ASSERT_EQ(guest_wrmsr(MSR_IA32_PKRS, PKRS_HOST, fep), 0);
	GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), PKRS_HOST);

	wrmsr(MSR_IA32_PKRS, PKRS_GUEST);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR_IA32_PKRS, &val, fep), 0);
	GUEST_ASSERT_EQ(val, PKRS_GUEST);

	for (i = 32; i < 64; i++) {
		GUEST_ASSERT_EQ(guest_wrmsr(MSR_IA32_PKRS, BIT_ULL(i), fep), GP_VECTOR);
		GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), PKRS_GUEST);
	}
}

static void guest_msr(void)
{
	GUEST_ASSERT(this_cpu_has(X86_FEATURE_PKS));
	GUEST_ASSERT(!(get_cr4() & X86_CR4_PKS));
	GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), 0);

	wrmsr(MSR_IA32_PKRS, -1u);
	GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), -1u);

	/* The MSR exists, and has reserved bits, irrespective of CR4.PKS. */
	guest_test_msr(false);
	set_cr4(get_cr4() | X86_CR4_PKS);
	guest_test_msr(false);

	if (is_forced_emulation_enabled)
		guest_test_msr(true);

	GUEST_SYNC(1);

	GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), PKRS_HOST);
	wrmsr(MSR_IA32_PKRS, PKRS_GUEST);
	GUEST_SYNC(2);

	GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), PKRS_HOST);
	GUEST_DONE();
}

static void guest_test_cr4(bool fep)
{
	gva_t gva = pkey_page(false, 1);
	u64 ec;

	GUEST_ASSERT_EQ(guest_set_cr4(get_cr4() | X86_CR4_PKS, fep), 0);
	GUEST_ASSERT(get_cr4() & X86_CR4_PKS);
	GUEST_ASSERT_EQ(guest_access(gva, ACCESS_READ, false, &ec), PF_VECTOR);

	GUEST_ASSERT_EQ(guest_set_cr4(get_cr4() & ~X86_CR4_PKS, fep), 0);
	GUEST_ASSERT(!(get_cr4() & X86_CR4_PKS));
	GUEST_ASSERT_EQ(guest_access(gva, ACCESS_READ, false, &ec), 0);
}

static void guest_cr4(void)
{
	gva_t gva = pkey_page(false, 1);
	u64 ec;

	wrmsr(MSR_IA32_PKRS, pkr_val(1, PKR_AD));

	guest_test_cr4(false);
	if (is_forced_emulation_enabled)
		guest_test_cr4(true);
	GUEST_SYNC(1);

	GUEST_ASSERT(get_cr4() & X86_CR4_PKS);
	GUEST_ASSERT_EQ(guest_access(gva, ACCESS_READ, false, &ec), PF_VECTOR);
	GUEST_SYNC(2);

	GUEST_ASSERT(!(get_cr4() & X86_CR4_PKS));
	GUEST_ASSERT_EQ(guest_access(gva, ACCESS_READ, false, &ec), 0);
	GUEST_DONE();
}

static void guest_test_no_cpuid(bool fep)
{
	u64 val;

	GUEST_ASSERT_EQ(guest_rdmsr(MSR_IA32_PKRS, &val, fep), GP_VECTOR);
	GUEST_ASSERT_EQ(guest_wrmsr(MSR_IA32_PKRS, 0, fep), GP_VECTOR);
	GUEST_ASSERT_EQ(guest_wrmsr(MSR_IA32_PKRS, PKRS_GUEST, fep), GP_VECTOR);
	GUEST_ASSERT_EQ(guest_set_cr4(get_cr4() | X86_CR4_PKS, fep), GP_VECTOR);
}

static void guest_no_cpuid(void)
{
	GUEST_ASSERT(!this_cpu_has(X86_FEATURE_PKS));

	guest_test_no_cpuid(false);
	if (is_forced_emulation_enabled)
		guest_test_no_cpuid(true);

	GUEST_DONE();
}

static void guest_msr_filter(void)
{
	u64 val;
	u8 w, r;
	int i;

	for (;;) {
		w = wrmsr_safe(MSR_IA32_PKRS, PKRS_GUEST);
		r = rdmsr_safe(MSR_IA32_PKRS, &val);
		GUEST_SYNC_ARGS(1, w, r, r ? 0 : val, 0);

		for (i = 0; i < NR_MSR_ACCESSES; i++) {
			wrmsr(MSR_IA32_PKRS, i);
			GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), i);
		}
		GUEST_SYNC(2);
	}
}

static void get_guest_ucall(struct kvm_vcpu *vcpu, u64 cmd, struct ucall *uc)
{
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_IO);

	if (get_ucall(vcpu, uc) == UCALL_ABORT)
		REPORT_GUEST_ASSERT(*uc);

	TEST_ASSERT(uc->cmd == cmd, "Wanted ucall %lu, got %lu", cmd, uc->cmd);
}

static void run_vcpu(struct kvm_vcpu *vcpu, u64 cmd)
{
	struct ucall uc;

	vcpu_run(vcpu);
	get_guest_ucall(vcpu, cmd, &uc);
}

static void vm_alloc_pkey_pages(struct kvm_vm *vm)
{
	int user, pkey, level;
	gva_t gva;
	u64 *pte;

	pkey_pages = vm_alloc_pages(vm, 4 * NR_PKEYS);
	sync_global_to_guest(vm, pkey_pages);

	for (user = 0; user <= 1; user++) {
		for (pkey = 0; pkey < NR_PKEYS; pkey++) {
			gva = pkey_page(user, pkey);
			memset(addr_gva2hva(vm, gva), RET_OPCODE, PAGE_SIZE);
			memcpy(addr_gva2hva(vm, gva - sizeof(kvm_fep)), kvm_fep,
			       sizeof(kvm_fep));

			pte = &vm->mmu.pgd;
			for (level = vm->mmu.pgtable_levels; level > 0; level--) {
				pte = addr_gpa2hva(vm, PTE_GET_PA(*pte));
				pte += (gva >> PG_LEVEL_SHIFT(level)) & 0x1ff;
				if (user)
					*pte |= PTE_USER_MASK(&vm->mmu);
			}
			*pte |= (u64)pkey << 59;
		}
	}
}

KVM_ONE_VCPU_TEST_SUITE(pks);

KVM_ONE_VCPU_TEST(pks, page_faults, guest_page_faults)
{
	vm_alloc_pkey_pages(vcpu->vm);
	run_vcpu(vcpu, UCALL_DONE);
}

KVM_ONE_VCPU_TEST(pks, msr, guest_msr)
{
	int i;

	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_IA32_PKRS), 0);

	run_vcpu(vcpu, UCALL_SYNC);
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_IA32_PKRS), PKRS_GUEST);

	for (i = 32; i < 64; i++) {
		TEST_ASSERT(!_vcpu_set_msr(vcpu, MSR_IA32_PKRS, BIT_ULL(i)),
			    "KVM_SET_MSRS succeeded with bit %d set", i);
		TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_IA32_PKRS), PKRS_GUEST);
	}
	vcpu_set_msr(vcpu, MSR_IA32_PKRS, PKRS_HOST);

	/* Set the same value again, after the guest changed the register. */
	run_vcpu(vcpu, UCALL_SYNC);
	vcpu_set_msr(vcpu, MSR_IA32_PKRS, PKRS_HOST);

	run_vcpu(vcpu, UCALL_DONE);
}

KVM_ONE_VCPU_TEST(pks, cr4, guest_cr4)
{
	struct kvm_sregs sregs;

	vm_alloc_pkey_pages(vcpu->vm);

	run_vcpu(vcpu, UCALL_SYNC);
	vcpu_sregs_get(vcpu, &sregs);
	TEST_ASSERT_EQ(sregs.cr4 & X86_CR4_PKS, 0);
	sregs.cr4 |= X86_CR4_PKS;
	vcpu_sregs_set(vcpu, &sregs);

	run_vcpu(vcpu, UCALL_SYNC);
	vcpu_sregs_get(vcpu, &sregs);
	TEST_ASSERT_EQ(sregs.cr4 & X86_CR4_PKS, X86_CR4_PKS);
	sregs.cr4 &= ~X86_CR4_PKS;
	vcpu_sregs_set(vcpu, &sregs);

	run_vcpu(vcpu, UCALL_DONE);
}

KVM_ONE_VCPU_TEST(pks, no_cpuid, guest_no_cpuid)
{
	struct kvm_sregs sregs;

	/* KVM's ABI with respect to ignore_msrs is a mess. */
	TEST_REQUIRE(!kvm_is_ignore_msrs());

	/* The value outlives changes of CPUID. */
	vcpu_set_msr(vcpu, MSR_IA32_PKRS, PKRS_HOST);
	vcpu_clear_cpuid_feature(vcpu, X86_FEATURE_PKS);
	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_PKS);
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_IA32_PKRS), PKRS_HOST);
	vcpu_set_msr(vcpu, MSR_IA32_PKRS, 0);
	vcpu_clear_cpuid_feature(vcpu, X86_FEATURE_PKS);

	/* Userspace may save and restore '0', as for any advertised MSR. */
	vcpu_set_msr(vcpu, MSR_IA32_PKRS, 0);
	TEST_ASSERT(!_vcpu_set_msr(vcpu, MSR_IA32_PKRS, PKRS_HOST),
		    "KVM_SET_MSRS succeeded without PKS in guest CPUID");
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_IA32_PKRS), 0);

	vcpu_sregs_get(vcpu, &sregs);
	sregs.cr4 |= X86_CR4_PKS;
	TEST_ASSERT(_vcpu_sregs_set(vcpu, &sregs),
		    "KVM_SET_SREGS succeeded without PKS in guest CPUID");

	run_vcpu(vcpu, UCALL_DONE);
}

static void test_msr_passthrough(struct kvm_vcpu *vcpu)
{
	u64 exits = vcpu_get_stat(vcpu, exits);

	run_vcpu(vcpu, UCALL_SYNC);

	/* Allow for unrelated exits, e.g. due to host interrupts. */
	exits = vcpu_get_stat(vcpu, exits) - exits;
	TEST_ASSERT(exits < NR_MSR_ACCESSES,
		    "%lu exits for %u reads and writes of IA32_PKRS", exits, NR_MSR_ACCESSES);
}

static void test_msr_filter(struct kvm_vcpu *vcpu, u32 denied, u64 exit_reasons)
{
	u64 w = 0, r = 0, val = PKRS_GUEST, deny_bits = 0;
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges = {
			{
				.flags = denied,
				.nmsrs = !!denied,
				.base = MSR_IA32_PKRS,
				.bitmap = (u8 *)&deny_bits,
			},
		},
	};
	struct kvm_run *run = vcpu->run;
	struct ucall uc;

	vm_enable_cap(vcpu->vm, KVM_CAP_X86_USER_SPACE_MSR, exit_reasons);
	vm_ioctl(vcpu->vm, KVM_X86_SET_MSR_FILTER, &filter);
	vcpu_set_msr(vcpu, MSR_IA32_PKRS, PKRS_HOST);

	vcpu_run(vcpu);

	if (denied & KVM_MSR_FILTER_WRITE) {
		val = PKRS_HOST;
		w = GP_VECTOR;
		if (exit_reasons) {
			TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_X86_WRMSR);
			TEST_ASSERT_EQ(run->msr.index, MSR_IA32_PKRS);
			TEST_ASSERT_EQ(run->msr.reason, KVM_MSR_EXIT_REASON_FILTER);
			TEST_ASSERT_EQ(run->msr.data, PKRS_GUEST);
			w = 0;
			vcpu_run(vcpu);
		}
	}

	if (denied & KVM_MSR_FILTER_READ) {
		val = 0;
		r = GP_VECTOR;
		if (exit_reasons) {
			TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_X86_RDMSR);
			TEST_ASSERT_EQ(run->msr.index, MSR_IA32_PKRS);
			TEST_ASSERT_EQ(run->msr.reason, KVM_MSR_EXIT_REASON_FILTER);
			run->msr.data = ~PKRS_HOST;
			val = ~PKRS_HOST;
			r = 0;
			vcpu_run(vcpu);
		}
	}

	get_guest_ucall(vcpu, UCALL_SYNC, &uc);
	TEST_ASSERT_EQ(uc.args[2], w);
	TEST_ASSERT_EQ(uc.args[3], r);
	TEST_ASSERT_EQ(uc.args[4], val);
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_IA32_PKRS),
		       denied & KVM_MSR_FILTER_WRITE ? PKRS_HOST : PKRS_GUEST);

	/* Remove the filter, and verify that accesses are passed through. */
	filter.ranges[0].nmsrs = 0;
	vm_ioctl(vcpu->vm, KVM_X86_SET_MSR_FILTER, &filter);
	test_msr_passthrough(vcpu);
}

KVM_ONE_VCPU_TEST(pks, msr_filter, guest_msr_filter)
{
	u32 denied;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_X86_USER_SPACE_MSR));
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_X86_MSR_FILTER));

	for (denied = 0; denied <= KVM_MSR_FILTER_RANGE_VALID_MASK; denied++) {
		test_msr_filter(vcpu, denied, KVM_MSR_EXIT_REASON_FILTER);
		test_msr_filter(vcpu, denied, 0);
	}
}

int main(int argc, char *argv[])
{
	TEST_ASSERT_EQ(kvm_msr_is_in_save_restore_list(MSR_IA32_PKRS),
		       kvm_cpu_has(X86_FEATURE_PKS));

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_PKS));

	/* KVM can enforce keys only if hardware walks the guest's page tables. */
	TEST_ASSERT(this_cpu_has(X86_FEATURE_PKS) && kvm_is_tdp_enabled(),
		    "KVM advertises PKS without hardware PKS and TDP");

	return test_harness_run(argc, argv);
}
