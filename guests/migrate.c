// SPDX-License-Identifier: GPL-2.0-only
/*
 * For a VMM that moves it from one process to another (tests/migrate): uses PKRS
 * and pages with keys all the time, in rounds, and counts what it finds other
 * than it left it. A byte "?" on COM1 is answered by a line that says how far it
 * is; after "q" it prints its results and ends. Argument "nested": the rounds
 * are an L2's, but for one of L1's at each of its exits.
 */
#include "vmx.h"

#define VAULT		0x80000000ull	/* a page of each key, in order */
#define KEYS		OWN_KEY		/* all but the library's own */
#define BIT(pkrs, bit)	(((pkrs) & (bit)) != 0)

#define L2_ROUNDS	64		/* between two exits of L2 */

/* What can be lost, and how often it was. */
enum kind { REGISTER, CR4, DENIED, CONTENT, WINDOW, HOST, GUEST, KINDS };
static const char *const names[KINDS] = {
	"migrate.kept.pkrs", "migrate.kept.cr4", "migrate.kept.keys", "migrate.kept.content",
	"migrate.kept.windows", "migrate.kept.l1_pkrs_by_exit", "migrate.kept.l2_pkrs_in_vmcs12",
};
static u64 lost[KINDS], rounds, l2_rounds;
static bool in_l2, stop;
static u32 pkrs[2];			/* what L1 and L2 have in PKRS */
static u32 *memory[KEYS], content[KEYS];	/* the vault by the library's own key */

static u32 random(void)
{
	static u64 x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x >> 16;
}

static void expect(enum kind kind, u64 is, u64 due)
{
	if (is == due)
		return;
	if (lost[kind]++ < 3)
		say("# %s: 0x%lx, not 0x%lx, in round %lu of L%u\n", names[kind], is, due,
		    rounds, in_l2 ? 2 : 1);
}

static void check_registers(void)
{
	expect(REGISTER, rdmsr(MSR_PKRS), pkrs[in_l2]);
	expect(CR4, read_cr4() & CR4_PKS, CR4_PKS);
}

/* What was there is seen before it goes: no loss is written over. */
static void set_pkrs(u32 v)
{
	check_registers();
	write_pkrs(v);
	pkrs[in_l2] = v;
}

/* The error code of an access that must fault, or 0. */
static u32 touch(u32 key, bool write, u32 v)
{
	u64 va = VAULT + key * PAGE_SIZE;

	if (write ? call_at(0, acc_write, va, v) : call_at(0, acc_read, va, 0))
		return 0;
	return trap.vector == VEC_PF && trap.cr2 == va ? trap.error : ~0u;
}

static void check_key(u32 key)
{
	bool ad = BIT(pkrs[in_l2], KEY_AD(key)), wd = BIT(pkrs[in_l2], KEY_WD(key));
	u32 v = random();

	expect(DENIED, touch(key, false, 0), ad ? PF_P | PF_PK : 0);
	if (!ad)
		expect(CONTENT, (u32)trap.value, content[key]);
	expect(DENIED, touch(key, true, v), ad || wd ? PF_P | PF_W | PF_PK : 0);
	if (!ad && !wd)
		content[key] = v;
	expect(CONTENT, *memory[key], content[key]);
}

/* Open one key for a write, as a kernel would, and close it. */
static void window(u32 key)
{
	volatile u32 *page = (volatile u32 *)(VAULT + key * PAGE_SIZE);
	u32 closed = pkrs[in_l2];

	set_pkrs(closed & ~(KEY_AD(key) | KEY_WD(key)));
	*page = ++content[key];
	expect(WINDOW, *page, content[key]);
	set_pkrs(closed);
}

static void round(void)
{
	set_pkrs(random() & ~(KEY_AD(OWN_KEY) | KEY_WD(OWN_KEY)));
	for (u32 key = 0; key < KEYS; key++) {
		check_key(key);
		window(key);
	}
	rounds++;
}

static void obey(void)
{
	u64 all = 0;
	u8 c;

	if (!(inb(COM1 + 5) & 1))
		return;
	c = inb(COM1);
	for (int i = 0; i < KINDS; i++)
		all += lost[i];
	if (c == '?')
		say("# at %lu rounds, %lu of L2, %lu values lost\n", rounds, l2_rounds, all);
	stop = c == 'q';
}

/* L2 finds its PKRS as it left it: L1 writes none to vmcs12. */
static void l2(void)
{
	for (;;) {
		in_l2 = true;
		for (int i = 0; i < L2_ROUNDS && !stop; i++) {
			round();
			l2_rounds++;
			obey();
		}
		in_l2 = false;
		asm volatile("vmcall" : : : "memory");
	}
}

static void run_l2(void)
{
	struct l2 g = { 0 };
	u32 error;

	vmx_on();
	l2_create(&g, l2);
	vmcs_control(ENTRY_CONTROLS, ENTRY_LOAD_PKRS, 0);
	vmcs_control(EXIT_CONTROLS, EXIT_LOAD_PKRS, 0);
	vmcs_write(GUEST_PKRS, 0);
	while (!stop) {
		u32 host = random() & ~(KEY_AD(OWN_KEY) | KEY_WD(OWN_KEY));

		vmcs_write(HOST_PKRS, host);
		error = l2_enter(&g);
		if (error || vmcs_read(EXIT_REASON) != EXITED_VMCALL)
			die("L2: error %u, exit reason 0x%lx at 0x%lx", error,
			    vmcs_read(EXIT_REASON), vmcs_read(GUEST_RIP));
		expect(HOST, rdmsr(MSR_PKRS), host);
		expect(GUEST, vmcs_read(GUEST_PKRS), pkrs[1]);
		pkrs[0] = host;
		l2_skip(3, false);
		round();
	}
}

void guest_main(void)
{
	bool nested = arg_flag("nested");
	unsigned int kinds = nested ? KINDS : HOST;
	const char *missing = cpu_has_pks() ? 0 : "a processor with PKS";

	args_done("nested, la57 and machine=tcg|bare|kvm");
	if (nested && !missing)
		missing = vmx_missing();
	if (nested && !missing && !(vmx_allows(MSR_VMX_ENTRY_CTLS, ENTRY_LOAD_PKRS) &&
				    vmx_allows(MSR_VMX_EXIT_CTLS, EXIT_LOAD_PKRS)))
		missing = "the VMX controls for PKRS";
	if (missing) {
		ktap_plan(kinds);
		for (unsigned int i = 0; i < kinds; i++)
			ktap_skip(names[i], missing);
		ktap_exit();
	}
	cpu_baseline();
	write_cr4(read_cr4() | CR4_PKS);
	for (u32 key = 0; key < KEYS; key++) {
		memory[key] = page_alloc();
		map(VAULT + key * PAGE_SIZE, (u64)memory[key] | PTE_P | PTE_W | PTE_KEY(key), 1);
	}
	say("# begins\n");
	if (nested)
		run_l2();
	while (!stop) {
		round();
		obey();
	}
	say("# %lu rounds, %lu of L2\n", rounds, l2_rounds);
	/* Not before: another process prints the results than saw the begin. */
	ktap_plan(kinds);
	for (unsigned int i = 0; i < kinds; i++) {
		say("# %s: %lu values lost\n", names[i], lost[i]);
		ktap_result(names[i], !lost[i], 0);
	}
	ktap_exit();
}
