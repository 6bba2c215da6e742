/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the guest "fuzz" share. */
#ifndef GUESTS_FUZZ_H
#define GUESTS_FUZZ_H

#include "vmx.h"
#include "pkrs_model.h"

#define VAULT		0x80000000ull	/* at physical EPT_HOLE, key 1 or 2 */
#define ROOTS		2		/* EPT tables of L1 */
#define MAX_OPS		4
#define NONE		0xffu	/* no fault, no exit by an operation */

/* What one field that is not as it should be, or need not be, comes to. */
enum verdict {
	GOES,		/* nothing */
	BAD_CONTROL, BAD_HOST,		/* VMfail */
	BAD_GUEST,
	BAD_GUEST_LATE,	/* KVM leaves it to the processor, which it asks last */
	EVENT,		/* L2's handler runs first */
	ONE_STEP,	/* an exit after one instruction */
};

enum change { TO, SET, CLEAR, SET_ONE, CLEAR_ONE };	/* a value; bits; one bit of several */

/* What a VM may have or not, for a variation to mean something. */
enum trait {
	TIMER = 1, NO_TIMER = 2, EPT = 4, NO_EPT = 8, HAS_VPID = 16, LIST_IN = 32,
	LIST_OUT = 64, LIST_STORE = 128, GOOD_PKRS = 256, GOOD_LIST = 512,
};

/* One entry's difference from one that succeeds, or, if GOES, that succeeds too. */
struct variation {
	u32 field;
	u8 change, verdict;
	u64 value;
	u32 needs;		/* traits */
	u32 qualification;	/* of BAD_GUEST */
};
extern const struct variation variations[];
extern const u32 nr_variations;

/* What L2 does, and what it makes of it. */
enum op_kind { READ, WRITE, WRITE_BAD, LOAD, STORE, TOGGLE_CR4, CHANGE_KEY };

struct op {
	enum op_kind kind;
	u32 value;	/* to write */
	u64 result;	/* what it read; vector and error code of a fault */
};

enum ending { BY_VMCALL, BY_CPUID, BY_HLT, ENDINGS };

/* Fields that stay as they are set until the sequence ends. */
enum setting {
	S_PIN, S_PROC2, S_EXIT, S_ENTRY, S_EPTP, S_VPID, S_EXCEPTIONS, S_N_IN, S_N_OUT, S_N_STORE,
	S_GUEST_PKRS, S_HOST_PKRS, S_GUEST_CR4, S_HOST_CR4, SETTINGS
};

/* One of the two VMCSs, as L1 wrote it and as the model says. */
struct vm {
	struct l2 l2;
	u32 index;
	u64 set[SETTINGS], start[SETTINGS];	/* what the VMCS has, and had at first */
	bool used;				/* in this sequence */
	struct pkrs_vmcs v;
	bool read_exits, write_exits, pf_exits, timer;
	bool guest_pks, host_pks;		/* the bit in either CR4 field */
	u32 ept, vpid;				/* EPT table 1 or 2, VPID; 0: without */
	u32 n_in, n_out, n_store;
	struct msr_entry in[2], out[2], store[1];
	bool clean;				/* VMCALL is skipped by a NOP */
};

/* One entry: what is asked for. */
struct step {
	struct vm *vm;
	const struct variation *vary;	/* or NULL */
	u64 bit;			/* for SET_ONE and CLEAR_ONE */
	bool wrong_instruction;		/* VMLAUNCH for VMRESUME, or the reverse */
	u32 n_ops;
	struct op ops[MAX_OPS];
	enum ending ending;
};

/* One entry: what came out of it. */
struct outcome {
	u32 error, reason, qualification;
	u32 l1_pkrs, done, events;	/* operations that L2 got through; of the handler */
	u64 guest, stored, results[MAX_OPS];
	bool l1_pks, guest_pks;
};

/* L1 before the entry, and the vault; the model moves them on. */
struct l1 {
	u32 pkrs;
	bool pks;
	u8 key;			/* of the vault */
	u8 rights[ROOTS];	/* of the vault in EPT: 1 read, 2 write */
	bool stale;		/* the key has changed, and the VPIDs do not know */
};

/* run.c: on the machine. */
void machine_init(void);
void vm_use(struct vm *vm);	/* as at the start of a sequence */
void vm_set(struct vm *vm, enum setting s, u64 v);
void vm_paging(struct vm *vm);	/* by its ept and vpid */
void step_run(struct step *s, struct outcome *o);
u64 touch_vault(bool write);
void vault_key(u32 key);
void vault_forget(u32 how);	/* by all VPIDs: one of 4 types of INVVPID */
/* With INVEPT of one of 2 types; 0: without, for rights that are more than before. */
void vault_rights(u32 root, u32 rights, u32 how);

/* model.c: by the rules; updates VM and L1. */
void step_model(const struct step *s, struct l1 *l1, struct outcome *o);
u64 vault_answer(u32 pkrs, bool pks, u32 key, bool write);

#endif
