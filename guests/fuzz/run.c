// SPDX-License-Identifier: GPL-2.0-only
/* One entry on the machine. */
#include "fuzz.h"

static struct step *script;
static u32 done;

/* The two VMs end by VMCALLs of their own, for either may be a NOP (l2_skip()). */
void l2_end0(void);
void l2_end1(void);
asm(".text\n\t"
    ".macro l2_end n\n"
    "l2_end\\n:\n\t"
    "vmcall\n\t"
    "movw $0x010f, l2_end\\n\n\t"
    "movb $0xc1, l2_end\\n + 2\n\t"
    "ret\n\t"
    ".endm\n\t"
    "l2_end 0\n\t"
    "l2_end 1\n");
static void (*const ends[])(void) = { l2_end0, l2_end1 };

u64 touch_vault(bool write)
{
	if (call_at(0, write ? (void *)acc_write : (void *)acc_read, VAULT, 1))
		return NO_FAULT;
	return trap.vector << 8 | trap.error;
}

static u64 op_run(const struct op *op)
{
	u64 v;

	switch (op->kind) {
	case READ:
		return rdmsr_safe(MSR_PKRS, &v) == NO_FAULT ? v : ~0ull;
	case WRITE:
		return wrmsr_safe(MSR_PKRS, op->value);
	case WRITE_BAD:
		wrmsr_safe(MSR_PKRS, 1ull << 40 | op->value);
		return trap.vector << 8 | trap.error;
	case TOGGLE_CR4:
		write_cr4(read_cr4() ^ CR4_PKS);
		return !!(read_cr4() & CR4_PKS);
	default:
		return touch_vault(op->kind == STORE);
	}
}

static void end_entry(void)
{
	if (script->ending == BY_CPUID)
		cpuid(0, 0);
	else if (script->ending == BY_HLT)
		asm volatile("hlt" : : : "memory");
	else
		ends[script->vm->index]();
}

static void l2_main(void)
{
	for (;;) {
		for (; done < script->n_ops; done++)
			script->ops[done].result = op_run(&script->ops[done]);
		end_entry();
	}
}

void vm_create(struct vm *vm)
{
	l2_create(&vm->l2, l2_main);
	vmcs_write(GUEST_PKRS, 0);
	vmcs_write(HOST_PKRS, 0);
	vmcs_write(ENTRY_MSR_LOAD_ADDR, (u64)vm->in);
	vmcs_write(EXIT_MSR_LOAD_ADDR, (u64)vm->out);
	vmcs_write(EXIT_MSR_STORE_ADDR, (u64)vm->store);
}

struct repair {
	u32 field;
	u64 bad;
};

static const struct repair repairs[] = {
	[CONTROLS] = { PIN_CONTROLS, ~0u },
	[HOST_STATE] = { HOST_CS_SELECTOR, 0 },
	[GUEST_BY_CR0] = { GUEST_CR0, CR0_PG | CR0_PE },
	[GUEST_BY_FLAGS] = { GUEST_RFLAGS, 0 },
};

/* L2 goes on behind its exit, or, if an operation exited, from the start. */
static void move_on(const struct step *s, u32 reason)
{
	if (reason == EXITED_VMCALL) {
		l2_skip(3, s->vm->clean);
	} else if (reason == EXITED_CPUID || reason == EXITED_HLT) {
		l2_skip(reason == EXITED_CPUID ? 2 : 1, false);
	} else if (reason != EXITED_TIMER) {
		vmcs_write(GUEST_RIP, (u64)l2_main);
		vmcs_write(GUEST_RSP, s->vm->l2.stack);
	}
}

void step_run(struct step *s, struct outcome *o)
{
	const struct repair *r = &repairs[s->broken];
	u64 good = s->broken ? vmcs_read(r->field) : 0;

	*o = (struct outcome){ 0 };
	script = s;
	done = 0;
	s->vm->store[0].value = 0;
	if (s->broken)
		vmcs_write(r->field, r->bad);
	o->error = l2_enter_as(&s->vm->l2, s->vm->l2.launched != s->wrong_instruction);
	if (!o->error)
		o->reason = vmcs_read(EXIT_REASON);
	o->l1_pkrs = rdmsr(MSR_PKRS);
	o->l1_pks = read_cr4() & CR4_PKS;
	o->guest = vmcs_read(GUEST_PKRS);
	o->guest_pks = vmcs_read(GUEST_CR4) & CR4_PKS;
	o->stored = s->vm->store[0].value;
	o->done = done;
	for (u32 i = 0; i < done; i++)
		o->results[i] = s->ops[i].result;
	if (o->reason == (ENTRY_FAILED | EXITED_BAD_LIST))
		o->qualification = vmcs_read(EXIT_QUALIFICATION);
	if (s->broken)
		vmcs_write(r->field, good);
	if (!o->error && !(o->reason & ENTRY_FAILED))
		move_on(s, o->reason);
}
