// SPDX-License-Identifier: GPL-2.0-only
/*
 * For CBMC: KVM's check of an access that its walk of the guest's page tables
 * found a page for, whole, from the guest's registers and the bits of the entries
 * to the error code, against the oracle: for every state.
 */
#include "kernel.h"
#include "cut.h"
#include "oracle.h"

int main(void)
{
	struct kvm_vcpu vcpu;
	unsigned long cr0 = nondet_u64() | X86_CR0_PG, cr4 = nondet_u64();
	u64 efer = nondet_u64(), pte = nondet_u64() | 1, upper = nondet_u64() | 1;
	enum oracle_access access = nondet_u8();
	int cpl = nondet_bool() ? 3 : 0;

	__CPROVER_assume(access <= ORACLE_IMPLICIT_WRITE);
	/* A processor that has them set would not be in long mode. */
	if (efer & EFER_LMA)
		__CPROVER_assume(cr4 & X86_CR4_PAE);

	/* The guest owns CR0.WP under EPT: KVM's idea of it may be old. */
	tdp_enabled = nondet_bool();
	now_cr0 = tdp_enabled && nondet_bool() ? cr0 ^ X86_CR0_WP : cr0;
	now_rflags = nondet_u64();
	now_pkrs = nondet_u32();
	vcpu.arch.pkru = nondet_u32();
	pkrs_cached = nondet_bool();
	vcpu.arch.pkrs = pkrs_cached ? now_pkrs : nondet_u32();

	/* As KVM sets it up, then uses it. */
	struct kvm_mmu_role_regs regs = { .cr0 = cr0, .cr4 = cr4, .efer = efer };
	struct WALK *w = &vcpu.arch.gva_walk;
	w->cpu_role = kvm_calc_cpu_role(&vcpu, &regs);
	reset_guest_paging_metadata(&vcpu, w);

	const struct oracle_cpu cpu = {
		.wp = now_cr0 & X86_CR0_WP, .smep = cr4 & X86_CR4_SMEP, .smap = cr4 & X86_CR4_SMAP,
		.pke = cr4 & X86_CR4_PKE, .pks = cr4 & X86_CR4_PKS, .nxe = efer & EFER_NX,
		.lma = efer & EFER_LMA, .ac = now_rflags & X86_EFLAGS_AC,
		.pkru = vcpu.arch.pkru, .pkrs = now_pkrs,
	};
	const struct oracle_page page = {
		.present = true,
		.writable = pte & 2, .upper_writable = upper & 2,
		.user = pte & 4, .upper_user = upper & 4,
		.nx = (pte | upper) >> 63, .key = pte >> 59 & 15,
	};
	/* The walk ends earlier where bit 63 is reserved. */
	__CPROVER_assume(!page.nx || (cpu.nxe && cr4 & X86_CR4_PAE));

	u64 pfec = (oracle_is_write(access) ? PFERR_WRITE_MASK : 0) |
		(oracle_is_user_access(access, cpl) ? PFERR_USER_MASK : 0) |
		(access == ORACLE_FETCH ? PFERR_FETCH_MASK : 0) |
		(oracle_is_implicit(access) ? PFERR_IMPLICIT_ACCESS : 0);
	/* The walk combines the levels' bits, NX as what it allows. */
	u64 all = (pte & upper & ~(1ull << 63)) | ((pte | upper) & 1ull << 63);
	u32 error = permission_fault(&vcpu, w, gpte_access(all), gpte_pkeys(&vcpu, pte), pfec);
	struct oracle_verdict v = oracle(&cpu, &page, access, cpl);

	__CPROVER_assert((error != 0) == v.fault, "PKS-1 to PKS-8: a fault, where the spec has one");
	__CPROVER_assert(!v.fault || error == (v.error & (ORACLE_P | ORACLE_PK)),
			 "PKS-7: P and PK of its error code");
}
