// SPDX-License-Identifier: GPL-2.0-only
/* What an entry has to come to, by PKS-2 to PKS-16 and KVM-17 to KVM-21. */
#include "fuzz.h"

u64 vault_answer(u32 pkrs, bool pks, u32 key, bool write)
{
	u32 forbids = KEY_AD(key) | (write ? KEY_WD(key) : 0);

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

/* The key comes first: without it there is no address for EPT. */
static u32 access_model(const struct op *op, const struct vm *vm, const struct l1 *l1, u64 *result)
{
	const u32 rights = vm->ept ? l1->rights[vm->ept - 1] : 3;
	const bool write = op->kind == STORE;

	*result = vault_answer(l1->pkrs, vm->guest_pks, l1->key, write);
	if (*result != NO_FAULT)
		return vm->pf_exits ? EXITED_EXCEPTION : NONE;
	if (rights == 2)
		return EXITED_EPT_MISCONFIG;
	return rights & (write ? 2 : 1) ? NONE : EXITED_EPT;
}

/* One operation of L2; the exit reason if it exits, else NONE. */
static u32 op_model(const struct op *op, struct vm *vm, struct l1 *l1, u64 *result)
{
	switch (op->kind) {
	case READ:
		*result = l1->pkrs;
		return vm->read_exits ? EXITED_RDMSR : NONE;
	case WRITE:
		if (vm->write_exits)
			return EXITED_WRMSR;
		l1->pkrs = op->value;
		*result = NO_FAULT;
		return NONE;
	case WRITE_BAD:
		*result = VEC_GP << 8;
		return vm->write_exits ? EXITED_WRMSR : NONE;
	case TOGGLE_CR4:
		vm->guest_pks = !vm->guest_pks;
		*result = vm->guest_pks;
		return NONE;
	case CHANGE_KEY:
		l1->key = 3 - l1->key;
		l1->stale = true;
		*result = l1->key;
		return NONE;
	default:
		return access_model(op, vm, l1, result);
	}
}

static u32 run_l2(const struct step *s, struct l1 *l1, struct outcome *o)
{
	static const u32 endings[] = { EXITED_VMCALL, EXITED_CPUID, EXITED_HLT };

	if (s->vm->timer)
		return EXITED_TIMER;
	if (s->vary && s->vary->verdict == ONE_STEP)
		return EXITED_STEP;
	o->events = s->vary && s->vary->verdict == EVENT;
	for (o->done = 0; o->done < s->n_ops; o->done++) {
		u64 result;
		u32 reason = op_model(&s->ops[o->done], s->vm, l1, &result);

		if (reason == EXITED_EPT)
			o->qualification = s->ops[o->done].kind == STORE ? 2 : 1;
		if (reason != NONE)
			return reason;
		o->results[o->done] = result;
	}
	return endings[s->ending];
}

static u32 entry_error(const struct step *s)
{
	u32 verdict = s->vary ? s->vary->verdict : GOES;

	if (s->wrong_instruction)
		return s->vm->l2.launched ? VMERR_LAUNCH_NOT_CLEAR :
					    VMERR_RESUME_NOT_LAUNCHED;
	if (verdict == BAD_CONTROL)
		return VMERR_CONTROLS;
	if (verdict == BAD_HOST || pkrs_bad_host(&s->vm->v))
		return VMERR_HOST_STATE;
	return 0;
}

static bool bad_guest(const struct variation *vary)
{
	return vary && (vary->verdict == BAD_GUEST || vary->verdict == BAD_GUEST_LATE);
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
	if (bad_guest(s->vary) || pkrs_bad_guest(&vm->v)) {
		o->reason = ENTRY_FAILED | EXITED_BAD_GUEST;
		o->qualification = bad_guest(s->vary) ? s->vary->qualification : 0;
		pkrs_failed_entry(&l1->pkrs, &vm->v);
	} else {
		pkrs_entry(&l1->pkrs, &vm->v);
		bad = load_list(vm->in, vm->n_in, &l1->pkrs);
		if (bad) {
			o->reason = ENTRY_FAILED | EXITED_BAD_LIST;
			o->qualification = bad;
			pkrs_failed_entry(&l1->pkrs, &vm->v);
		} else {
			o->reason = run_l2(s, l1, o);
			if (vm->n_store)
				o->stored = l1->pkrs;
			pkrs_exit(&l1->pkrs, &vm->v);
		}
	}
	load_list(vm->out, vm->n_out, &l1->pkrs);
	l1->pks = vm->host_pks;
	observe(s, l1, o);
}
