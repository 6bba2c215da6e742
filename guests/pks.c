// SPDX-License-Identifier: GPL-2.0-only
/*
 * What PKS does, rule by rule (spec PKS-1 to PKS-12), with literal error
 * codes: this guest does not use the oracle. Argument "hidden": check that a
 * processor without PKS shows no trace of it.
 */
#include "pks/pks.h"

u64 *leaf;
u32 *content;
u32 reset_pkrs;

void vault(u64 flags, u32 pkrs)
{
	*leaf = (u64)content | flags;
	invlpg(VAULT);
	write_cr4(read_cr4() | CR4_PKS);
	write_pkrs(pkrs);
	content[0] = 0xc3c3c3c3;	/* RET, for fetches */
}

void set_pkru(u32 v)
{
	write_cr4(read_cr4() | CR4_PKE);
	wrpkru(v);
}

void expect(const char *what, int cpl, const void *fn, u64 va, int error)
{
	bool ran = call_at(cpl, fn, va, 1);

	if (ran && error == NONE)
		return;
	if (ran)
		fail("%s at CPL %d: no fault, not the error code 0x%x", what, cpl, error);
	else if (error == NONE)
		fail("%s at CPL %d: exception %lu, error code 0x%lx, not none",
		     what, cpl, trap.vector, trap.error);
	else if (trap.vector != VEC_PF || trap.error != (u64)error)
		fail("%s at CPL %d: exception %lu, error code 0x%lx, not #PF with 0x%x",
		     what, cpl, trap.vector, trap.error, error);
	else if (trap.cr2 != va)
		fail("%s at CPL %d: CR2 is 0x%lx, not 0x%lx", what, cpl, trap.cr2, va);
}

void clear_wp(void)
{
	write_cr0(read_cr0() & ~(u64)CR0_WP);
}

static void run(const struct test *tests, unsigned int n)
{
	ktap_run(tests, n, cpu_has_pks() ? 0 : "a processor with PKS");
}

void guest_main(void)
{
	bool hidden = arg_flag("hidden");

	if (arg_value("only"))
		ktap_only = arg_value("only");
	args_done("hidden, la57, only=TEST and machine=tcg|bare|kvm");
	if (cpu_has_pks())
		reset_pkrs = rdmsr(MSR_PKRS);
	cpu_baseline();
	content = page_alloc();
	leaf = map(VAULT, (u64)content | SUPER, 1);
	if (hidden) {
		ktap_plan(n_hidden_tests);
		ktap_run(hidden_tests, n_hidden_tests, 0);
	} else {
		ktap_plan(n_rule_tests + n_register_tests);
		run(rule_tests, n_rule_tests);
		run(register_tests, n_register_tests);
	}
	ktap_exit();
}
