// SPDX-License-Identifier: GPL-2.0-only
/* What an entry has to come to, by PKS-2 to PKS-16 and KVM-17 to KVM-21. */
#include "fuzz.h"

u64 vault_answer(u32 pkrs, bool pks, bool write)
{
	u32 forbids = KEY_AD(VAULT_KEY) | (write ? KEY_WD(VAULT_KEY) : 0);

	if (!pks || !(pkrs & forbids))
		return NO_FAULT;
	return VEC_PF << 8 | PF_P | PF_PK | (write ? PF_W : 0);
}

/* The list's last word; LAST is 0, or the position of a bad entry. */
static u32 load_list(const struct msr_entry *list, u32 n, u32 *pkrs)
{
	for (u32 i = 0; i < n; i++) {
		if (list[i].value >> 32)
			return i + 1;
		*pkrs = list[i].value;
	}
	return 0;
}

/* One operation of L2; the exit reason if it exits, else NONE. */
static u32 op_model(const struct op *op, struct vm *vm, u32 *pkrs, u64 *result)
{
	switch (op->kind) {
	case READ:
		*result = *pkrs;
		return vm->read_exits ? EXITED_RDMSR : NONE;
	case WRITE:
		if (vm->write_exits)
			return EXITED_WRMSR;
		*pkrs = op->value;
		*result = NO_FAULT;
		return NONE;
	case WRITE_BAD:
		*result = VEC_GP << 8;
		return vm->write_exits ? EXITED_WRMSR : NONE;
	case TOGGLE_CR4:
		vm->guest_pks = !vm->guest_pks;
		*result = vm->guest_pks;
		return NONE;
	default:
		*result = vault_answer(*pkrs, vm->guest_pks, op->kind == STORE);
		return *result != NO_FAULT && vm->pf_exits ? EXITED_EXCEPTION : NONE;
	}
}

static u32 run_l2(const struct step *s, u32 *pkrs, struct outcome *o)
{
	static const u32 endings[] = { EXITED_VMCALL, EXITED_CPUID, EXITED_HLT };

	if (s->vm->timer)
		return EXITED_TIMER;
	for (o->done = 0; o->done < s->n_ops; o->done++) {
		u64 result;
		u32 reason = op_model(&s->ops[o->done], s->vm, pkrs, &result);

		if (reason != NONE)
			return reason;
		o->results[o->done] = result;
	}
	return endings[s->ending];
}

static u32 entry_error(const struct step *s)
{
	if (s->wrong_instruction)
		return s->vm->l2.launched ? VMERR_LAUNCH_NOT_CLEAR :
					    VMERR_RESUME_NOT_LAUNCHED;
	if (s->broken == CONTROLS)
		return VMERR_CONTROLS;
	if (s->broken == HOST_STATE || pkrs_bad_host(&s->vm->v))
		return VMERR_HOST_STATE;
	return 0;
}

static void observe(const struct step *s, const struct l1 *l1, struct outcome *o)
{
	o->l1_pkrs = l1->pkrs;
	o->l1_pks = l1->pks;
	o->guest = s->vm->v.guest;
	o->guest_pks = s->vm->guest_pks;
}

void step_model(const struct step *s, struct l1 *l1, struct outcome *o)
{
	struct vm *vm = s->vm;
	u32 bad;

	*o = (struct outcome){ .error = entry_error(s) };
	if (o->error)
		return observe(s, l1, o);
	if (s->broken >= GUEST_BY_CR0 || pkrs_bad_guest(&vm->v)) {
		o->reason = ENTRY_FAILED | EXITED_BAD_GUEST;
		pkrs_failed_entry(&l1->pkrs, &vm->v);
	} else {
		pkrs_entry(&l1->pkrs, &vm->v);
		bad = load_list(vm->in, vm->n_in, &l1->pkrs);
		if (bad) {
			o->reason = ENTRY_FAILED | EXITED_BAD_LIST;
			o->qualification = bad;
			pkrs_failed_entry(&l1->pkrs, &vm->v);
		} else {
			o->reason = run_l2(s, &l1->pkrs, o);
			if (vm->n_store)
				o->stored = l1->pkrs;
			pkrs_exit(&l1->pkrs, &vm->v);
		}
	}
	load_list(vm->out, vm->n_out, &l1->pkrs);
	l1->pks = vm->host_pks;
	observe(s, l1, o);
}
