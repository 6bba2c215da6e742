/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hypervisor of one guest, as guest code: L1 runs functions of the test
 * program as L2, in its own address space. guest_sync() of L2 goes to the test,
 * since L1 does not intercept ports.
 */
#ifndef TESTS_KVM_VMX_H
#define TESTS_KVM_VMX_H

#include <stdbool.h>

#include "../../../guests/lib/vmcs.h"
#include "vm.h"

enum {
	EXIT_INIT = 3, EXIT_VMCALL = 18, EXIT_RDMSR = 31, EXIT_WRMSR = 32, EXIT_BAD_GUEST = 33,
	EXIT_BAD_LIST = 34
};
#define ENTRY_FAILED (1ll << 31)
enum { VMFAIL_BAD_CONTROL = 7, VMFAIL_BAD_HOST = 8 };
/* No VM-instruction error, which are small: there is no VMCS that would hold one. */
enum { VMFAIL_INVALID = 1 << 16 };

struct vmx {
	uint64_t *region, *vmcs, *msr_bitmap;	/* a page each */
	uint64_t *ept;				/* or NULL */
	uint64_t stack;				/* of L2 */
	uint64_t host_cr4, guest_cr4, guest_cr3; /* of the VMCS: bits more than L1 has */
	bool launched;
	char *evmcs;		/* in use instead of the VMCS, or NULL: evmcs.h */
	char *assist, *evmcs_pages;
};

/* The test: memory for it, with EPT or not. */
struct vmx *vmx_new(struct vm *vm, bool ept);

/* L1: enters VMX operation and fills the VMCS. Both load controls are clear. */
void vmx_start(struct vmx *vmx);
/*
 * L1: runs fn(arg) as L2 until it exits. The exit reason, with bit 31 if entry
 * failed, or minus the VM-instruction error or VMFAIL_INVALID. fn ends with an
 * exit for VMCALL.
 */
int64_t vmx_run(struct vmx *vmx, void (*fn)(uint64_t), uint64_t arg);
/* L1: sets or clears bits of a control field. */
void vmx_control(uint64_t field, uint64_t set, uint64_t clear);
/* L1: "load PKRS" of VM entry (bit 0 of controls) and of VM exit (bit 1), set or clear. */
void vmx_load_controls(unsigned int controls);

static inline uint64_t vmread(uint64_t field)
{
	uint64_t value;

	asm volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc");
	return value;
}

static inline bool vmread_works(uint64_t field)
{
	uint64_t value;
	bool failed;

	asm volatile("vmread %2, %0" : "=r"(value), "=@ccbe"(failed) : "r"(field));
	return !failed;
}

static inline bool vmwrite(uint64_t field, uint64_t value)
{
	bool failed;

	asm volatile("vmwrite %2, %1" : "=@ccbe"(failed) : "r"(field), "r"(value));
	return !failed;
}

#endif
