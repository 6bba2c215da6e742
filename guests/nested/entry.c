// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM-entry checks, failed entries, and entries that L2 leaves without having
 * run (PKS-15, KVM-19). CR4.PKS is clear here: the values use every bit.
 */
#include "nested.h"

#define L1_PKRS		0x90a1b2c4u
#define GUEST_VALUE	0x51e2d3f8u
#define HOST_VALUE	0xa7f60e5cu

static void begin(const struct pkrs_vmcs *v, void (*code)(void))
{
	start(0);
	write_cr4(read_cr4() & ~(u64)CR4_PKS);
	write_pkrs(L1_PKRS);
	arm(&first, code, v);
}

/* Enter and compare with the model; the answer as one letter. */
static char sweep_one(struct pkrs_vmcs v)
{
	u32 pkrs = L1_PKRS;

	begin(&v, l2_vmcall);
	if (pkrs_bad_host(&v)) {
		expect_error(&first, VMERR_HOST_STATE);
	} else if (pkrs_bad_guest(&v)) {
		expect_exit(&first, ENTRY_FAILED | EXITED_BAD_GUEST);
		check(vmcs_read(EXIT_QUALIFICATION) == 0);
		pkrs_failed_entry(&pkrs, &v);
	} else {
		expect_exit(&first, EXITED_VMCALL);
		pkrs_entry(&pkrs, &v);
		pkrs_exit(&pkrs, &v);
	}
	expect_pkrs("after the entry", pkrs, v.guest);
	check(vmcs_read(HOST_PKRS) == v.host);
	return pkrs_bad_host(&v) ? 'h' : pkrs_bad_guest(&v) ? 'g' : 'r';
}

static const u64 bits[] = {
	0, 1, 1ull << 31, 1ull << 32, 1ull << 63, ~0ull,
};

static void field_sweep(void)
{
	for (int controls = 0; controls < 4; controls++) {
		char answers[ARRAY_SIZE(bits) * ARRAY_SIZE(bits) + 1], *p = answers;

		for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++)
			for (unsigned int j = 0; j < ARRAY_SIZE(bits); j++)
				*p++ = sweep_one((struct pkrs_vmcs){
					.entry = controls & 1, .exit = controls & 2,
					.guest = bits[i], .host = bits[j] });
		*p = 0;
		cell("sweep E%u X%u: %s", controls & 1, controls >> 1, answers);
	}
}

/* Every single bit of both fields. */
static void every_bit(void)
{
	for (int bit = 0; bit < 64; bit++) {
		sweep_one((struct pkrs_vmcs){ true, true, 1ull << bit, 0 });
		sweep_one((struct pkrs_vmcs){ true, true, 0, 1ull << bit });
	}
}

/* A high half written as such is checked like the whole. */
static void high_half_is_checked(void)
{
	struct pkrs_vmcs v = { true, true, GUEST_VALUE, HOST_VALUE };

	begin(&v, l2_vmcall);
	vmcs_write(HOST_PKRS_HIGH, 1);
	vmcs_write(GUEST_PKRS_HIGH, 0x80000000);
	expect_error(&first, VMERR_HOST_STATE);
	expect_pkrs("bad host", L1_PKRS, GUEST_VALUE | 1ull << 63);
	vmcs_write(HOST_PKRS_HIGH, 0);
	expect_exit(&first, ENTRY_FAILED | EXITED_BAD_GUEST);
	expect_pkrs("bad guest", HOST_VALUE, GUEST_VALUE | 1ull << 63);
	vmcs_write(GUEST_PKRS_HIGH, 0);
	expect_exit(&first, EXITED_VMCALL);
	expect_pkrs("both good", HOST_VALUE, GUEST_VALUE);
}

/*
 * Two things wrong at once. The manual fixes the order of the groups (launch
 * state; controls and host state; guest state; list), not the order in one.
 */
static void order_of_checks(void)
{
	struct pkrs_vmcs v = { true, true, ~0ull, ~0ull };
	struct msr_entry list = { MSR_PKRS, 0, ~0ull };
	u32 error;

	begin(&v, l2_vmcall);
	check(l2_enter_as(&first, true) == VMERR_RESUME_NOT_LAUNCHED);
	vmcs_write(PIN_CONTROLS, ~0u);
	error = l2_enter(&first);
	check(error == VMERR_CONTROLS || error == VMERR_HOST_STATE);
	cell("order, control and host field: error %u", error);
	vmcs_write(PIN_CONTROLS, (u32)rdmsr(MSR_VMX_TRUE_PIN_CTLS));
	vmcs_write(GUEST_RFLAGS, 0);
	expect_error(&first, VMERR_HOST_STATE);
	vmcs_write(HOST_PKRS, HOST_VALUE);
	vmcs_write(ENTRY_MSR_LOAD_ADDR, (u64)&list);
	vmcs_write(ENTRY_MSR_LOAD_COUNT, 1);
	expect_exit(&first, ENTRY_FAILED | EXITED_BAD_GUEST);
	vmcs_write(GUEST_RFLAGS, 2);
	expect_exit(&first, ENTRY_FAILED | EXITED_BAD_GUEST);
	vmcs_write(VMCS_LINK_POINTER, 0xfff);
	expect_exit(&first, ENTRY_FAILED | EXITED_BAD_GUEST);
	cell("order, guest field and link pointer: qualification %lu",
	     vmcs_read(EXIT_QUALIFICATION));
	vmcs_write(VMCS_LINK_POINTER, ~0ull);
	vmcs_write(GUEST_PKRS, GUEST_VALUE);
	expect_exit(&first, ENTRY_FAILED | EXITED_BAD_LIST);
	vmcs_write(ENTRY_MSR_LOAD_COUNT, 0);
	expect_exit(&first, EXITED_VMCALL);
	write_pkrs(L1_PKRS);
	vmcs_write(HOST_PKRS, ~0ull);
	check(l2_enter_as(&first, false) == VMERR_LAUNCH_NOT_CLEAR);
	expect_pkrs("launched twice", L1_PKRS, GUEST_VALUE);
}

/* How an entry fails otherwise: a field, a bad value for it, the answer. */
static const struct stage {
	const char *name;
	u32 field;
	u64 bad;
	u32 error, reason;
} stages[] = {
	{ "control", PIN_CONTROLS, ~0u, VMERR_CONTROLS, 0 },
	{ "host", HOST_CS_SELECTOR, 0, VMERR_HOST_STATE, 0 },
	{ "guest CR0", GUEST_CR0, CR0_PG | CR0_PE, 0, EXITED_BAD_GUEST },
	{ "guest RFLAGS", GUEST_RFLAGS, 0, 0, EXITED_BAD_GUEST },
	{ "guest activity", GUEST_ACTIVITY, 7, 0, EXITED_BAD_GUEST },
	{ "link pointer", VMCS_LINK_POINTER, 0xfff, 0, EXITED_BAD_GUEST },
	{ "list", ENTRY_MSR_LOAD_COUNT, 1, 0, EXITED_BAD_LIST },
};

static struct msr_entry bad_list[1] = { { MSR_PKRS, 0, 1ull << 32 } };

/*
 * Fail at that stage, then mend it and enter. LAUNCHED: L2 ran before.
 * An entry that fails for its list has loaded the guest field already.
 */
static void fail_once(const struct stage *s, struct pkrs_vmcs v, bool launched)
{
	u32 pkrs = L1_PKRS;
	u64 good;

	begin(&v, l2_vmcall);
	vmcs_write(ENTRY_MSR_LOAD_ADDR, (u64)bad_list);
	if (launched) {
		expect_exit(&first, EXITED_VMCALL);
		vmcs_write(GUEST_PKRS, v.guest);
		write_pkrs(L1_PKRS);
	}
	good = vmcs_read(s->field);
	vmcs_write(s->field, s->bad);
	if (s->error) {
		expect_error(&first, s->error);
	} else {
		expect_exit(&first, ENTRY_FAILED | s->reason);
		if (s->reason == EXITED_BAD_LIST)
			pkrs_entry(&pkrs, &v);
		pkrs_failed_entry(&pkrs, &v);
	}
	cell("failed entry, %s%s E%u X%u guest %016lx host %016lx: L1 %08lx guest %016lx",
	     s->name, launched ? ", launched" : "", v.entry, v.exit, v.guest, v.host,
	     rdmsr(MSR_PKRS), vmcs_read(GUEST_PKRS));
	expect_pkrs(s->name, pkrs, v.guest);
	vmcs_write(s->field, good);
	write_pkrs(L1_PKRS);
	pkrs = L1_PKRS;
	expect_exit(&first, EXITED_VMCALL);
	pkrs_entry(&pkrs, &v);
	pkrs_exit(&pkrs, &v);
	expect_pkrs("entered after the failure", pkrs, v.guest);
}

static void fail_at(unsigned int first_stage, unsigned int last_stage)
{
	for (unsigned int n = first_stage; n <= last_stage; n++)
		for (int i = 0; i < 16; i++) {
			struct pkrs_vmcs v = {
				.entry = i & 1, .exit = i & 2,
				.guest = GUEST_VALUE, .host = HOST_VALUE,
			};

			if (i & 4 && i & 1 && i & 2)
				continue;	/* garbage needs an unchecked field */
			if (i & 4 && !v.entry)
				v.guest = ~0ull;
			if (i & 4 && !v.exit)
				v.host = ~0ull;
			fail_once(&stages[n], v, i & 8);
		}
}

static void fails_before_guest_state(void)
{
	fail_at(0, 1);
}

static void fails_in_guest_state(void)
{
	fail_at(2, 5);
}

static void fails_in_list(void)
{
	fail_at(6, 6);
}

/* The same with an exit MSR-load list, which a failed entry processes. */
static void failed_entry_loads_exit_list(void)
{
	static struct msr_entry list[1] = { { MSR_PKRS, 0, 0x13570 } };

	for (unsigned int n = 0; n < ARRAY_SIZE(stages); n++)
		for (int i = 0; i < 4; i++) {
			struct pkrs_vmcs v = { i & 1, i & 2, GUEST_VALUE, HOST_VALUE };
			const struct stage *s = &stages[n];

			begin(&v, l2_vmcall);
			vmcs_write(ENTRY_MSR_LOAD_ADDR, (u64)bad_list);
			vmcs_write(EXIT_MSR_LOAD_ADDR, (u64)list);
			vmcs_write(EXIT_MSR_LOAD_COUNT, 1);
			vmcs_write(s->field, s->bad);
			if (s->error)
				expect_error(&first, s->error);
			else
				expect_exit(&first, ENTRY_FAILED | s->reason);
			expect_pkrs(s->name, s->error ? L1_PKRS : 0x13570, GUEST_VALUE);
		}
}

/* The guest state is checked before the entry MSR-load list is processed. */
static void failed_entry_ignores_entry_list(void)
{
	static struct msr_entry list[1] = { { MSR_PKRS, 0, 0x13570 } };

	for (unsigned int n = 2; n < ARRAY_SIZE(stages) - 1; n++)
		for (int i = 0; i < 4; i++) {
			struct pkrs_vmcs v = { i & 1, i & 2, GUEST_VALUE, HOST_VALUE };
			u32 pkrs = L1_PKRS;

			begin(&v, l2_vmcall);
			vmcs_write(ENTRY_MSR_LOAD_ADDR, (u64)list);
			vmcs_write(ENTRY_MSR_LOAD_COUNT, 1);
			vmcs_write(stages[n].field, stages[n].bad);
			expect_exit(&first, ENTRY_FAILED | stages[n].reason);
			pkrs_failed_entry(&pkrs, &v);
			expect_pkrs(stages[n].name, pkrs, GUEST_VALUE);
		}
}

/*
 * L2 is entered, does not run, and is left: KVM-17 and KVM-18 all the same.
 * The timer is far off where it is not the reason: a halted L2 that misses its
 * interrupt shall not hang the test.
 */
static void not_run(struct pkrs_vmcs v, u32 activity, u32 reason)
{
	u32 pkrs = L1_PKRS;

	begin(&v, l2_vmcall);
	vmcs_write(GUEST_ACTIVITY, activity);
	vmcs_write(PREEMPTION_TIMER, reason == EXITED_TIMER ? 0 : 1u << 31);
	vmcs_control(PIN_CONTROLS, PIN_PREEMPTION_TIMER, 0);
	if (reason == EXITED_INTERRUPT)
		vmcs_control(PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT, 0);
	for (int i = 0; i < 2; i++) {
		expect_exit(&first, reason);
		check(vmcs_read(GUEST_RIP) == (u64)l2_vmcall);
		pkrs_entry(&pkrs, &v);
		pkrs_exit(&pkrs, &v);
		cell("not run, activity %u reason %u E%u X%u: L1 %08lx guest %016lx",
		     activity, reason, v.entry, v.exit, rdmsr(MSR_PKRS),
		     vmcs_read(GUEST_PKRS));
		expect_pkrs("left without having run", pkrs, v.guest);
	}
}

static void all_not_run(u32 activity, u32 reason)
{
	for (int i = 0; i < 4; i++)
		not_run((struct pkrs_vmcs){ i & 1, i & 2, GUEST_VALUE, HOST_VALUE },
			activity, reason);
}

static void timer_at_once(void)
{
	all_not_run(0, EXITED_TIMER);
}

static void halted_timer_at_once(void)
{
	if (!(rdmsr(MSR_VMX_MISC) & 1u << 6))
		return skip("the HLT activity state");
	all_not_run(ACTIVITY_HLT, EXITED_TIMER);
}

/* A local APIC that holds one interrupt, which L1 takes at the end. */
#define APIC		0xfee00000ull
#define APIC_EOI	0xb0
#define APIC_SPURIOUS	0xf0
#define APIC_ICR	0x300
#define VECTOR		0x41

static void apic_write(u32 reg, u32 v)
{
	*(volatile u32 *)phys(APIC + reg) = v;
}

static void open_interrupts(void)
{
	asm volatile("sti; nop; nop; cli");
}

static void interrupted(u32 activity)
{
	map(APIC, APIC | PTE_P | PTE_W | PTE_KEY(OWN_KEY) | 1u << 4, 1);
	apic_write(APIC_SPURIOUS, 0x1ff);
	apic_write(APIC_ICR, 1u << 18 | VECTOR);	/* to itself */
	all_not_run(activity, EXITED_INTERRUPT);
	set_gate(&idt[VECTOR], landing, 0, 0);
	call_at(0, open_interrupts, 0, 0);
	apic_write(APIC_EOI, 0);
}

static void interrupt_pending(void)
{
	interrupted(0);
}

static void halted_interrupt_pending(void)
{
	if (!(rdmsr(MSR_VMX_MISC) & 1u << 6))
		return skip("the HLT activity state");
	interrupted(ACTIVITY_HLT);
}

#define TEST(name) { "nested.entry." #name, name, 0 }
const struct test entry_tests[] = {
	TEST(field_sweep), TEST(every_bit), TEST(high_half_is_checked),
	TEST(order_of_checks), TEST(fails_before_guest_state),
	TEST(fails_in_guest_state), TEST(fails_in_list),
	TEST(failed_entry_loads_exit_list), TEST(failed_entry_ignores_entry_list),
	TEST(timer_at_once),
	TEST(halted_timer_at_once), TEST(interrupt_pending),
	TEST(halted_interrupt_pending),
};
const unsigned int n_entry_tests = ARRAY_SIZE(entry_tests);
