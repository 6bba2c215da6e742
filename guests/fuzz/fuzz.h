/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the guest "fuzz" share. */
#ifndef GUESTS_FUZZ_H
#define GUESTS_FUZZ_H

#include "vmx.h"
#include "pkrs_model.h"

#define VAULT		0x80000000ull
#define VAULT_KEY	1
#define MAX_OPS		4
#define NONE		0xffu	/* no fault, no exit by an operation */

/* What is broken for one entry. */
enum broken { NOTHING, CONTROLS, HOST_STATE, GUEST_BY_CR0, GUEST_BY_FLAGS };

/* What L2 does, and what it makes of it. */
enum op_kind { READ, WRITE, WRITE_BAD, LOAD, STORE, TOGGLE_CR4, OP_KINDS };

struct op {
	enum op_kind kind;
	u32 value;	/* to write */
	u64 result;	/* what it read; vector and error code of a fault */
};

enum ending { BY_VMCALL, BY_CPUID, BY_HLT, ENDINGS };

/* One of the two VMCSs, as L1 wrote it and as the model says. */
struct vm {
	struct l2 l2;
	u32 index;
	struct pkrs_vmcs v;
	bool read_exits, write_exits, pf_exits, timer;
	bool guest_pks, host_pks;	/* the bit in either CR4 field */
	u32 n_in, n_out, n_store;
	struct msr_entry in[2], out[2], store[1];
	bool clean;			/* VMCALL is skipped by a NOP */
};

/* One entry: what is asked for. */
struct step {
	struct vm *vm;
	enum broken broken;
	bool wrong_instruction;		/* VMLAUNCH for VMRESUME, or the reverse */
	u32 n_ops;
	struct op ops[MAX_OPS];
	enum ending ending;
};

/* One entry: what came out of it. */
struct outcome {
	u32 error, reason, qualification;
	u32 l1_pkrs, done;		/* operations that L2 got through */
	u64 guest, stored, results[MAX_OPS];
	bool l1_pks, guest_pks;
};

/* L1 before the entry; the model moves it on. */
struct l1 {
	u32 pkrs;
	bool pks;
};

/* run.c: on the machine; model.c: by the rules. The model updates VM and L1. */
void vm_create(struct vm *vm);
void step_run(struct step *s, struct outcome *o);
void step_model(const struct step *s, struct l1 *l1, struct outcome *o);
u64 vault_answer(u32 pkrs, bool pks, bool write);
u64 touch_vault(bool write);

#endif
