// SPDX-License-Identifier: GPL-2.0-only
/* One entry on the machine. */
#include "fuzz.h"

#define VPIDS 2		/* 1 and 2 */
#define ENTRY_EVENT_CODE 0x4018
#define GUEST_EFER 0x2806
#define HOST_EFER 0x2c02

static struct step *script;
static u32 done;
static volatile u32 events;
static u64 *vault, *roots[ROOTS], *ept_vault[ROOTS];

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

/* L2's handlers of events that an entry brings. */
void event(void);
void event_with_code(void);
asm(".text\n"
    "event_with_code:\n\t"
    "add $8, %rsp\n"
    "event:\n\t"
    "incl events\n\t"
    "iretq\n");

u64 touch_vault(bool write)
{
	if (call_at(0, write ? (void *)acc_write : (void *)acc_read, VAULT, 1))
		return NO_FAULT;
	return trap.vector << 8 | trap.error;
}

void vault_key(u32 key)
{
	*(volatile u64 *)vault = EPT_HOLE | PTE_P | PTE_W | PTE_A | PTE_D | PTE_KEY(key);
}

void vault_forget(u32 how)
{
	for (u64 vpid = 1; vpid <= VPIDS; vpid++)
		invvpid(how, how == 2 ? 0 : vpid, how ? 0 : VAULT);
}

static u64 eptp(u32 root)
{
	return (u64)roots[root] | 3 << 3 | 6;	/* 4 levels, write-back */
}

void vault_rights(u32 root, u32 rights, u32 how)
{
	*(volatile u64 *)ept_vault[root] = EPT_HOLE | 0x30 | rights;
	if (how)
		invept(how, how == 1 ? eptp(root) : 0);
}

/* One to one; the pages at EPT_HOLE are small. */
static void make_ept(u32 root)
{
	u64 *pml4 = page_alloc(), *pdpt = page_alloc(), *pd = page_alloc(), *pt = page_alloc();

	pml4[0] = (u64)pdpt | 7;
	pdpt[0] = (u64)pd | 7;
	for (u64 i = 0; i < 512; i++) {
		pd[i] = i << 21 | 0xb7;		/* write-back, RWX */
		pt[i] = EPT_HOLE + (i << 12) + 0x37;
	}
	pd[EPT_HOLE >> 21] = (u64)pt | 7;
	roots[root] = pml4;
	ept_vault[root] = pt;
}

void machine_init(void)
{
	static const u8 vectors[] = { 2, 5, 7 };

	vmx_on();
	vault = map(VAULT, EPT_HOLE, 1);
	for (u32 i = 0; i < ROOTS; i++)
		make_ept(i);
	for (u32 i = 0; i < ARRAY_SIZE(vectors); i++)
		set_gate(&idt[vectors[i]], event, 0, 0);
	set_gate(&idt[11], event_with_code, 0, 0);
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
	case CHANGE_KEY:
		vault_key(3 - (*vault >> 59));
		invlpg(VAULT);
		return *vault >> 59;
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

static const u32 fields[SETTINGS] = {
	[S_PIN] = PIN_CONTROLS, [S_PROC2] = PROC2_CONTROLS, [S_EXIT] = EXIT_CONTROLS,
	[S_ENTRY] = ENTRY_CONTROLS, [S_EPTP] = EPT_POINTER, [S_VPID] = VPID,
	[S_EXCEPTIONS] = EXCEPTION_BITMAP, [S_N_IN] = ENTRY_MSR_LOAD_COUNT,
	[S_N_OUT] = EXIT_MSR_LOAD_COUNT, [S_N_STORE] = EXIT_MSR_STORE_COUNT,
	[S_GUEST_PKRS] = GUEST_PKRS, [S_HOST_PKRS] = HOST_PKRS,
	[S_GUEST_CR4] = GUEST_CR4, [S_HOST_CR4] = HOST_CR4,
};

/* A VMWRITE, unless it would change nothing. */
void vm_set(struct vm *vm, enum setting s, u64 v)
{
	if (vm->set[s] == v)
		return;
	vm->set[s] = v;
	vmcs_write(fields[s], v);
}

void vm_paging(struct vm *vm)
{
	vm_set(vm, S_PROC2, (vm->ept ? PROC2_EPT : 0) | (vm->vpid ? PROC2_VPID : 0));
	if (vm->ept)
		vm_set(vm, S_EPTP, eptp(vm->ept - 1));
	if (vm->vpid)
		vm_set(vm, S_VPID, vm->vpid);
}

static void vm_create(struct vm *vm)
{
	static const u32 zero[] = {
		GUEST_PKRS, HOST_PKRS, PROC2_CONTROLS, EPT_POINTER, VPID, ENTRY_EVENT_CODE,
		GUEST_EFER, HOST_EFER, PREEMPTION_TIMER,
	};

	l2_create(&vm->l2, l2_main);
	for (u32 i = 0; i < ARRAY_SIZE(zero); i++)
		vmcs_write(zero[i], 0);
	vmcs_control(PROC_CONTROLS, PROC_SECONDARY, 0);
	vmcs_write(ENTRY_MSR_LOAD_ADDR, (u64)vm->in);
	vmcs_write(EXIT_MSR_LOAD_ADDR, (u64)vm->out);
	vmcs_write(EXIT_MSR_STORE_ADDR, (u64)vm->store);
	for (u32 i = 0; i < SETTINGS; i++)
		vm->start[i] = vm->set[i] = vmcs_read(fields[i]);
	/* Whatever L1 has now. */
	vm->start[S_GUEST_CR4] |= CR4_PKS;
	vm->start[S_HOST_CR4] |= CR4_PKS;
}

/* Only what is not as it was is written: each VMWRITE is an exit under KVM. */
void vm_use(struct vm *vm)
{
	if (!vm->l2.vmcs)
		vm_create(vm);
	else
		l2_restart(&vm->l2, l2_main);
	for (u32 i = 0; i < SETTINGS; i++)
		vm_set(vm, i, vm->start[i]);
	l2_intercept(&vm->l2, false, false);
	vmcs_write(GUEST_RSP, vm->l2.stack);
	vmcs_write(GUEST_RFLAGS, 2);
	vmcs_write(GUEST_INTERRUPTIBILITY, 0);
}

static u64 varied(const struct step *s, u64 v)
{
	switch (s->vary->change) {
	case TO:
		return s->vary->value;
	case SET:
		return v | s->vary->value;
	case SET_ONE:
		return v | s->bit;
	case CLEAR:
		return v & ~s->vary->value;
	default:
		return v & ~s->bit;
	}
}

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

static void observe(struct step *s, struct outcome *o)
{
	struct vm *vm = s->vm;

	o->l1_pkrs = rdmsr(MSR_PKRS);
	o->l1_pks = read_cr4() & CR4_PKS;
	o->guest = vm->set[S_GUEST_PKRS] = vmcs_read(GUEST_PKRS);
	o->guest_pks = vmcs_read(GUEST_CR4) & CR4_PKS;
	o->stored = vm->store[0].value;
	o->done = done;
	o->events = events;
	for (u32 i = 0; i < done; i++)
		o->results[i] = s->ops[i].result;
	if (o->reason & ENTRY_FAILED)
		o->qualification = vmcs_read(EXIT_QUALIFICATION);
	else if (o->reason == EXITED_EPT)
		o->qualification = vmcs_read(EXIT_QUALIFICATION) & 7;
}

void step_run(struct step *s, struct outcome *o)
{
	u64 good = s->vary ? vmcs_read(s->vary->field) : 0;

	*o = (struct outcome){ 0 };
	script = s;
	done = events = 0;
	s->vm->store[0].value = 0;
	if (s->vary)
		vmcs_write(s->vary->field, varied(s, good));
	o->error = l2_enter_as(&s->vm->l2, s->vm->l2.launched != s->wrong_instruction);
	if (!o->error)
		o->reason = vmcs_read(EXIT_REASON);
	observe(s, o);
	if (s->vary)
		vmcs_write(s->vary->field, good);
	if (!o->error && !(o->reason & ENTRY_FAILED)) {
		s->vm->set[S_GUEST_CR4] = vmcs_read(GUEST_CR4);
		move_on(s, o->reason);
	}
}
