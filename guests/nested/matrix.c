// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM-17 and KVM-18, all combinations of: the two controls, whether L2 writes
 * PKRS, what L1 intercepts, how L1 enters again, a second VMCS in between, the
 * kind of exit, and the address space.
 *
 * L2 goes round in a loop of one RDMSR, one WRMSR and one slot, which holds the
 * instruction that makes it exit; L2 itself puts that one back where L1 skipped
 * it by a NOP. L1 stops wherever it exits, compares PKRS and
 * the guest field with the model, and has it go on.
 */
#include "nested.h"

#define ROUNDS 3

enum reentry { CLEAN, DIRTY, NEW_FIELDS };
enum space { PLAIN, EPT_PKS, PLAIN_PKS };

struct cell {
	bool entry, exit, writes, two;
	bool intercept_read, intercept_write;
	enum reentry reentry;
	enum space space;
};

struct kind {
	const char *id;
	u32 reason;
	u8 slot[3];
	u8 length;
	void (*prepare)(void);
};

/* The three places where an L2 that runs free can stop. */
enum place { AT_READ, AT_WRITE, AT_SLOT };

extern u8 l2_read_at[], l2_write_at[], l2_slot[];
void l2_loop(void);
extern u32 l2_seen, l2_value;
extern u8 l2_writes, l2_slot_copy[3];
u32 l2_seen, l2_value;
u8 l2_writes, l2_slot_copy[3];

asm(".text\n"
    "l2_loop:\n\t"
    "mov $0x6e1, %ecx\n"
    "l2_read_at:\n\t"
    "rdmsr\n\t"
    "mov %eax, l2_seen\n\t"
    "mov l2_value, %eax\n\t"
    "xor %edx, %edx\n\t"
    "cmpb $0, l2_writes\n\t"
    "je l2_slot\n"
    "l2_write_at:\n\t"
    "wrmsr\n"
    "l2_slot:\n\t"
    "nop; nop; nop\n\t"
    "mov l2_slot_copy, %ax\n\t"
    "mov %ax, l2_slot\n\t"
    "mov l2_slot_copy + 2, %al\n\t"
    "mov %al, l2_slot + 2\n\t"
    "jmp l2_loop\n");

static struct {
	const struct kind *kind;
	const struct cell *cell;
	struct pkrs_vmcs v;
	u32 pkrs, seen;
	enum place next;	/* the next of the three that L2 comes to */
	u32 hash, failed;
} now;

static void note(u32 v)
{
	now.hash = (now.hash ^ v) * 16777619u;
	now.hash ^= now.hash >> 15;
}

static void wrong(const char *what, u64 is, u64 should)
{
	const struct cell *c = now.cell;

	if (now.failed++ < 8)
		fail("%s is 0x%lx, not 0x%lx: E%u X%u W%u intercept %u%u reentry %u two %u space %u",
		     what, is, should, c->entry, c->exit, c->writes, c->intercept_read,
		     c->intercept_write, c->reentry, c->two, c->space);
}

static void compare(const char *what, u64 is, u64 should)
{
	if (is != should)
		wrong(what, is, should);
	note(is);
}

/* Values that differ, close the vault, and in PLAIN use bits 31:30 as well. */
static u32 next_value(bool restart)
{
	static u32 n;

	n = restart ? 0 : n + 1;
	return (n * 0x05a3c910 & 0x3ffffff0) | VAULT_AD |
	       (now.cell->space == PLAIN ? n << 30 : 0);
}

static void write_fields(struct pkrs_vmcs *v)
{
	v->guest = next_value(false);
	v->host = next_value(false);
	vmcs_write(GUEST_PKRS, v->guest);
	vmcs_write(HOST_PKRS, v->host);
}

static enum place place_of(u64 rip)
{
	return rip <= (u64)l2_read_at ? AT_READ :
	       rip <= (u64)l2_write_at ? AT_WRITE : AT_SLOT;
}

/* What L2 did from where it was to STOP. */
static void model_run(enum place stop)
{
	const struct cell *c = now.cell;

	pkrs_entry(&now.pkrs, &now.v);
	if (now.next <= AT_READ && stop > AT_READ && !c->intercept_read)
		now.seen = now.pkrs;
	if (now.next <= AT_WRITE && stop > AT_WRITE && c->writes && !c->intercept_write)
		now.pkrs = l2_value;
	pkrs_exit(&now.pkrs, &now.v);
	now.next = stop;
}

/* Enter L2 and compare; returns the exit reason. */
static u32 run(void)
{
	u32 error = l2_enter(&first), reason = error ? 0 : vmcs_read(EXIT_REASON);
	enum place stop = place_of(vmcs_read(GUEST_RIP));

	l2_mend();
	compare("the VM-instruction error", error, 0);
	model_run(stop);
	compare("L1's PKRS", rdmsr(MSR_PKRS), now.pkrs);
	compare("vmcs12's guest field", vmcs_read(GUEST_PKRS), now.v.guest);
	compare("vmcs12's host field", vmcs_read(HOST_PKRS), now.v.host);
	if (now.kind->reason != EXITED_STEP)
		note(reason);
	return reason;
}

static bool on_slot(void)
{
	return vmcs_read(GUEST_RIP) == (u64)l2_slot;
}

/*
 * Run L2 until it is at its slot, or, at once, until it exits for the kind. If
 * it stopped elsewhere, it is lost.
 */
static bool run_round(void)
{
	bool clean = now.cell->reentry == CLEAN;
	u32 reason;

	for (int i = 0; i < 32; i++) {
		if (i && on_slot() && now.kind->reason == EXITED_STEP)
			break;
		reason = run();
		if (reason == EXITED_RDMSR && now.cell->intercept_read) {
			l2_skip(2, clean);
			now.next = AT_WRITE;
		} else if (reason == EXITED_WRMSR && now.cell->intercept_write) {
			l2_skip(2, clean);
			now.next = AT_SLOT;
		} else if (reason != EXITED_STEP) {
			break;
		}
	}
	if (now.kind->reason != EXITED_STEP)
		compare("the exit reason", reason, now.kind->reason);
	if (reason == EXITED_TIMER)
		return true;
	compare("L2 is at its slot", on_slot(), true);
	if (!on_slot())
		return false;
	if (!now.cell->intercept_read)
		compare("the value that L2 read", l2_seen, now.seen);
	l2_skip(now.kind->length, clean);
	if (now.kind->reason != EXITED_STEP)	/* steps through the slot as well */
		now.next = AT_READ;
	return true;
}

/* Another VMCS with the opposite controls, with a PKRS of its own. */
static void run_second(void)
{
	struct pkrs_vmcs v = { .entry = !now.v.entry, .exit = !now.v.exit };

	l2_current(&second);
	write_fields(&v);
	compare("the second's error", l2_enter(&second), 0);
	pkrs_entry(&now.pkrs, &v);
	pkrs_exit(&now.pkrs, &v);
	compare("the second's exit reason", vmcs_read(EXIT_REASON), EXITED_VMCALL);
	compare("L1's PKRS after the second", rdmsr(MSR_PKRS), now.pkrs);
	compare("the second's guest field", vmcs_read(GUEST_PKRS), v.guest);
	l2_current(&first);
}

static void between_rounds(void)
{
	if (now.cell->two)
		run_second();
	now.pkrs = next_value(false);
	write_pkrs(now.pkrs);
	l2_value = next_value(false);
	if (now.cell->reentry == DIRTY)
		vmcs_write(HOST_RSP, vmcs_read(HOST_RSP));
	else if (now.cell->reentry == NEW_FIELDS)
		write_fields(&now.v);
}

static void run_cell(const struct cell *c)
{
	now.cell = c;
	now.next = AT_READ;
	now.pkrs = next_value(true);
	write_pkrs(now.pkrs);
	l2_value = next_value(false);
	l2_writes = c->writes;
	memcpy(l2_slot, l2_slot_copy, 3);
	l2_restart(&first, l2_loop);
	l2_intercept(&first, c->intercept_read, c->intercept_write);
	write_fields(&now.v);
	for (int round = 0; round < ROUNDS; round++) {
		if (round)
			between_rounds();
		if (!run_round())
			break;
	}
	l2_mend();
}

/* Both VMCSs, but for what differs between the cells of a group. */
static void prepare(enum space space)
{
	struct pkrs_vmcs opposite = { .entry = !now.v.entry, .exit = !now.v.exit };

	start(0);
	if (space == PLAIN)
		write_cr4(read_cr4() & ~(u64)CR4_PKS);
	arm(&second, l2_vmcall, &opposite);
	arm(&first, l2_loop, &now.v);
	first.regs[RDI] = VAULT;
	if (space == EPT_PKS)
		l2_use_ept();
	if (now.kind->prepare)
		now.kind->prepare();
	memset(l2_slot_copy, 0x90, 3);
	memcpy(l2_slot_copy, now.kind->slot, now.kind->length);
}

/* The cells that one line stands for. */
static void run_group(bool entry, bool exit, bool two, enum space space)
{
	now.hash = 0;
	now.v = (struct pkrs_vmcs){ .entry = entry, .exit = exit };
	prepare(space);
	for (int i = 0; i < 24; i++) {
		struct cell c = {
			.entry = entry, .exit = exit, .two = two, .space = space,
			.reentry = i / 8, .writes = i & 1,
			.intercept_read = i & 2, .intercept_write = i & 4,
		};

		run_cell(&c);
	}
	cell("matrix %s E%u X%u two %u space %u: %08x",
	     now.kind->id, entry, exit, two, space, now.hash);
}

static void run_kind(const struct kind *k)
{
	now.kind = k;
	now.failed = 0;
	for (int i = 0; i < 24; i++) {
		enum space space = i / 8;

		if (k->reason == EXITED_EPT && space != EPT_PKS)
			continue;
		if ((k->reason == EXITED_EXCEPTION) != (space == PLAIN_PKS) &&
		    space != EPT_PKS)
			continue;
		run_group(i & 1, i & 2, i & 4, space);
	}
	if (now.failed)
		fail("%u differences", now.failed);
}

static void intercept_pf(void)
{
	vmcs_write(EXCEPTION_BITMAP, 1u << VEC_PF);
}

static void no_idt(void)
{
	vmcs_write(GUEST_IDTR_LIMIT, 0);
}

static void step(void)
{
	vmcs_control(PROC_CONTROLS, PROC_MONITOR_TRAP, 0);
}

static void hole(void)
{
	first.regs[RDI] = EPT_HOLE;
}

/* Expires at once: L2 is left without having run, or else by a VMCALL. */
static void timer(void)
{
	vmcs_control(PIN_CONTROLS, PIN_PREEMPTION_TIMER, 0);
	vmcs_write(PREEMPTION_TIMER, 0);
}

#define KIND(name, ...)							\
static void matrix_##name(void)						\
{									\
	static const struct kind k = { .id = #name, __VA_ARGS__ };	\
									\
	run_kind(&k);							\
}
KIND(cpuid, EXITED_CPUID, { 0x0f, 0xa2 }, 2, 0)
KIND(hlt, EXITED_HLT, { 0xf4 }, 1, 0)
KIND(vmcall, EXITED_VMCALL, { 0x0f, 0x01, 0xc1 }, 3, 0)
KIND(page_fault, EXITED_EXCEPTION, { 0x8b, 0x07 }, 2, intercept_pf)
KIND(triple_fault, EXITED_TRIPLE_FAULT, { 0x0f, 0x0b }, 2, no_idt)
KIND(ept_violation, EXITED_EPT, { 0x8b, 0x07 }, 2, hole)
KIND(single_step, EXITED_STEP, { 0x90 }, 1, step)

static void matrix_timer(void)
{
	static const struct kind k = {
		"timer", EXITED_TIMER, { 0x0f, 0x01, 0xc1 }, 3, timer,
	};

	if (!vmx_allows(MSR_VMX_TRUE_PIN_CTLS, PIN_PREEMPTION_TIMER))
		return skip("the VMX-preemption timer");
	run_kind(&k);
}

#undef KIND
#define TEST(name) { "nested.matrix." #name, matrix_##name, 0 }
const struct test matrix_tests[] = {
	TEST(cpuid), TEST(hlt), TEST(vmcall), TEST(page_fault),
	TEST(triple_fault), TEST(ept_violation), TEST(single_step), TEST(timer),
};
const unsigned int n_matrix_tests = ARRAY_SIZE(matrix_tests);
