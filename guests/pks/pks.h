/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the guest "pks" share: a vault page and its accesses. */
#ifndef GUESTS_PKS_H
#define GUESTS_PKS_H

#include "guest.h"

/* Below 4 GiB, for the modes that see no more. */
#define VAULT 0x80000000ull
#define VAULT_2M 0xc0000000ull
#define VAULT_1G ROOT_ENTRY(1)
#define KEY 5
#define AD KEY_AD(KEY)
#define WD KEY_WD(KEY)
#define NONE (-1)	/* the access has to succeed */
#define SUPER (PTE_P | PTE_W | PTE_KEY(KEY))
#define USER (SUPER | PTE_U)

extern u64 *leaf;		/* of VAULT */
extern u32 *content;		/* its memory */
extern u32 reset_pkrs;		/* PKRS as the guest found it */

/* Give the vault these flags, and the processor PKS and this PKRS. */
void vault(u64 flags, u32 pkrs);
void set_pkru(u32 v);
void clear_wp(void);

/* One access to VA: its error code, or NONE, is ERROR, and CR2 is VA. */
void expect(const char *what, int cpl, const void *fn, u64 va, int error);
#define expect_read(cpl, error) expect("read", cpl, acc_read, VAULT, error)
#define expect_write(cpl, error) expect("write", cpl, acc_write, VAULT, error)
#define expect_rmw(cpl, error) expect("read-modify-write", cpl, acc_rmw, VAULT, error)
#define expect_fetch(cpl, error) expect("fetch", cpl, acc_jump, VAULT, error)

/* Why a machine is known to fail a test. */
#define TCG_PK "TCG reports no PK on a user access to a supervisor address"
#define TCG_RMW "TCG's read of a read-modify-write faults as a read"
#define TCG_RSVD "TCG reports a reserved bit without P"
#define TCG_MSR "TCG has IA32_PKRS whatever CPUID says"
#define BARE_MSR "Bochs ignores accesses to MSRs that it lacks"
#define TCG_CR4 "TCG keeps its TLB when only CR4.PKS changes"

/* rules.c: PKS-1 to PKS-8; register.c: PKS-9 to PKS-12; hidden.c */
extern const struct test rule_tests[], register_tests[], hidden_tests[];
extern const unsigned int n_rule_tests, n_register_tests, n_hidden_tests;

#endif
