/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMX for a guest that is a hypervisor (L1) itself: its L2 runs 64-bit code in
 * the same address space, with the same descriptor tables, on its own stack.
 */
#ifndef GUESTS_LIB_VMX_H
#define GUESTS_LIB_VMX_H

#include "guest.h"
#include "vmcs.h"

#define ACTIVITY_HLT		1
#define ACTIVITY_WAIT_FOR_SIPI	3

/* Basic exit reasons; a failed entry has ENTRY_FAILED set as well. */
enum exit_reason {
	EXITED_EXCEPTION = 0, EXITED_INTERRUPT = 1, EXITED_TRIPLE_FAULT = 2,
	EXITED_CPUID = 10, EXITED_HLT = 12, EXITED_VMCALL = 18,
	EXITED_CR = 28, EXITED_RDMSR = 31, EXITED_WRMSR = 32,
	EXITED_BAD_GUEST = 33, EXITED_BAD_LIST = 34, EXITED_STEP = 37,
	EXITED_EPT = 48, EXITED_EPT_MISCONFIG = 49, EXITED_TIMER = 52,
};
#define ENTRY_FAILED		(1u << 31)

/* VM-instruction errors. */
#define VMERR_LAUNCH_NOT_CLEAR	4
#define VMERR_RESUME_NOT_LAUNCHED 5
#define VMERR_CONTROLS		7
#define VMERR_HOST_STATE	8
#define VMERR_NO_FIELD		12
#define VMERR_READ_ONLY		13
#define VMERR_INVALID		0x100	/* VMfailInvalid: there is no number */

struct l2 {
	u64 regs[16];		/* as instructions number them, but RSP is in the VMCS */
	u64 stack;
	void *vmcs;
	u8 *msr_bitmap;		/* of its own, nothing intercepted */
	bool launched;
};
enum { RAX, RCX, RDX, RBX, RBP = 5, RSI, RDI };

struct msr_entry {
	u32 msr, reserved;
	u64 value;
} __attribute__((aligned(16)));

/* By their types, as the manual has them. */
static inline void invept(u64 type, u64 eptp)
{
	u64 d[2] = { eptp, 0 };

	asm volatile("invept %0, %1" : : "m"(d), "r"(type) : "memory", "cc");
}

static inline void invvpid(u64 type, u64 vpid, u64 address)
{
	u64 d[2] = { vpid, address };

	asm volatile("invvpid %0, %1" : : "m"(d), "r"(type) : "memory", "cc");
}

/* What the machine lacks for VMX, or NULL. */
const char *vmx_missing(void);
bool vmx_allows(u32 msr, u32 bits);	/* may these controls be 1? */
void vmx_on(void);

/* These return 0, or the VM-instruction error. */
u32 vmcs_try_read(u64 field, u64 *v);
u32 vmcs_try_write(u64 field, u64 v);
/* These end the guest if it fails. */
u64 vmcs_read(u64 field);
void vmcs_write(u64 field, u64 v);
void vmcs_control(u64 field, u32 set, u32 clear);

/*
 * A new VMCS, current afterwards, for an L2 that starts CODE. HLT exits, MSRs
 * do not; both PKRS controls are clear and their fields untouched; CR4 is what
 * L1 has now.
 */
void l2_create(struct l2 *g, void (*code)(void));
void l2_restart(struct l2 *g, void (*code)(void));	/* VMCLEAR: as it is, but to launch */
void l2_use_ept(void);		/* one to one, without the page EPT_HOLE */
#define EPT_HOLE RAM_FREE
void l2_current(struct l2 *g);	/* VMPTRLD */

/*
 * Enter the current VMCS, G's. VMX writes nothing to the VMCS, so that this is
 * a clean entry. Returns 0 if it exited, or the VM-instruction error.
 */
u32 l2_enter(struct l2 *g);
u32 l2_enter_as(struct l2 *g, bool resume);

/* Intercept reads and writes of IA32_PKRS, or do not. */
void l2_intercept(struct l2 *g, bool read, bool write);

/*
 * Have L2 go on behind the LENGTH bytes at its RIP: by a VMWRITE, or, if
 * CLEAN, by a NOP in their place (1 to 3 bytes), which l2_mend() takes back.
 */
void l2_skip(u32 length, bool clean);
void l2_mend(void);

#endif
