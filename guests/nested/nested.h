/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the guest "nested" share. */
#ifndef GUESTS_NESTED_H
#define GUESTS_NESTED_H

#include "vmx.h"
#include "pkrs_model.h"

extern struct l2 first, second;

/* A page of the supervisor's with key VAULT_KEY, for both L1 and L2. */
#define VAULT		0x80000000ull
#define VAULT_KEY	1
#define VAULT_AD	KEY_AD(VAULT_KEY)
#define VAULT_WD	KEY_WD(VAULT_KEY)

/* A key of the library's own pages is closed by no value: bits 31:30 clear. */
#define OPEN(v)		((v) & 0x3fffffffu)

/* Create G's VMCS with these controls and fields; it is current then. */
void arm(struct l2 *g, void (*code)(void), const struct pkrs_vmcs *v);

/* VMXON, CR4.PKS set, PKRS as given: how most tests start. */
void start(u32 pkrs);

/* One line of results, the same on every machine. */
#define cell(fmt, ...) say("# cell " fmt "\n", __VA_ARGS__)

/* Enter G and expect an exit for REASON: was it? */
bool expect_exit(struct l2 *g, u32 reason);
/* Enter G and expect that VM-instruction error. */
void expect_error(struct l2 *g, u32 error);
/* PKRS of L1, and GUEST_PKRS of the current VMCS. */
void expect_pkrs(const char *when, u32 l1, u64 field);

/* L2 code in C. */
void l2_exit(void);		/* VMCALL; goes on if L1 skips 3 bytes */
void l2_vmcall(void);		/* the same, for ever */
#define VMCALL_LENGTH 3

extern const struct test matrix_tests[], entry_tests[], list_tests[],
	msr_tests[], key_tests[], hidden_tests[];
extern const unsigned int n_matrix_tests, n_entry_tests, n_list_tests,
	n_msr_tests, n_key_tests, n_hidden_tests;

#endif
