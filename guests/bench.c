// SPDX-License-Identifier: GPL-2.0-only
/*
 * What PKS gains a guest (windows), what a nested round trip costs (nested), and
 * what a tick of the time stamp counter is (scale): in the lab's emulator, one
 * instruction. The arguments choose. Each measurement prints a line
 *
 *   # {"name":"window.pkrs","variant":"guest","unit":"instructions","median":...}
 *
 * where the host's instructions count too, if there is an exit.
 */
#include "vmx.h"

#define ROUNDS 2001
#define VAULT 0x80000000ull	/* a page with key 5, read-only but in windows */
#define ALIAS 0x80001000ull	/* the same memory, read-only by its W bit */
#define KEY 5

static u64 samples[ROUNDS];
static u64 *alias;		/* the paging entry */
static struct l2 l2;

/* One function for all: what it costs itself is the same for every op. */
static __attribute__((noinline)) void sample(void (*op)(void))
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		u64 start = rdtsc();

		op();
		samples[i] = rdtsc() - start;
	}
}

/* Shell's sort: few lines, and no copy of the samples. */
static void sort(void)
{
	for (int gap = ROUNDS / 2; gap; gap /= 2)
		for (int i = gap; i < ROUNDS; i++) {
			u64 v = samples[i];
			int j = i;

			for (; j >= gap && samples[j - gap] > v; j -= gap)
				samples[j] = samples[j - gap];
			samples[j] = v;
		}
}

static u64 median(void (*op)(void))
{
	sample(op);
	sort();
	return samples[ROUNDS / 2];
}

static void op_nothing(void)
{
}

/* The spread is that of the middle nine tenths: the host's clock ticks. */
static u64 measure(const char *name, const char *variant, void (*op)(void))
{
	u64 nothing = median(op_nothing), ticks = median(op) - nothing;

	say("# {\"name\":\"%s\",\"variant\":\"%s\",\"unit\":\"instructions\",\"median\":%lu,\"min\":%lu,\"n\":%u,\"spread\":%lu}\n",
	    name, variant, ticks, samples[0] - nothing, ROUNDS,
	    samples[ROUNDS - 1 - ROUNDS / 20] - samples[ROUNDS / 20]);
	return ticks;
}

#define OP(name, code) static void name(void) { asm volatile(code : : : "rcx", "memory"); }
OP(op_10, ".rept 10; nop; .endr")
OP(op_1000, ".rept 1000; nop; .endr")
OP(op_loop, "mov $5000, %%ecx; 1: dec %%ecx; jnz 1b")

static void scale(void)
{
	check(measure("scale", "10_nops", op_10) == 10);
	check(measure("scale", "1000_nops", op_1000) == 1000);
	check(measure("scale", "loop_of_10001", op_loop) == 10001);
}

static void store(u64 at)
{
	*(volatile u32 *)at = 1;
}

static void op_store(void)
{
	store(VAULT);
}

static void op_pkrs(void)
{
	write_pkrs(0);
	store(VAULT);
	write_pkrs(KEY_WD(KEY));
}

static void op_page_table(void)
{
	*(volatile u64 *)alias |= PTE_W;
	invlpg(ALIAS);
	store(ALIAS);
	*(volatile u64 *)alias &= ~PTE_W;
	invlpg(ALIAS);
}

static void op_wp(void)
{
	u64 cr0 = read_cr0();

	write_cr0(cr0 & ~(u64)CR0_WP);
	store(ALIAS);
	write_cr0(cr0);
}

/* KVM knows no such call, and says so: the shortest that there is. */
static void op_hypercall(void)
{
	u64 call = 0xffff;

	asm volatile("vmcall" : "+a"(call) : : "memory");
}

static void arm(void)
{
	u64 page = (u64)page_alloc();

	map(VAULT, page | PTE_P | PTE_W | PTE_KEY(KEY), 1);
	alias = map(ALIAS, page | PTE_P | PTE_KEY(OWN_KEY), 1);
	write_cr0(read_cr0() | CR0_WP);
}

static bool hypervisor(void)
{
	return cpuid(1, 0).c & 1u << 31;
}

static void windows(void)
{
	const char *where = hypervisor() ? "guest" : "bare";

	arm();
	measure("window.none", where, op_store);
	measure("window.page_table", where, op_page_table);
	check(!call_at(0, acc_write, ALIAS, 2));
	measure("window.cr0_wp", where, op_wp);
	check(!call_at(0, acc_write, ALIAS, 2));
	if (hypervisor())
		measure("window.hypercall", where, op_hypercall);
	if (!cpu_has_pks())
		return;
	write_cr4(read_cr4() | CR4_PKS);
	write_pkrs(KEY_WD(KEY));
	measure("window.pkrs", where, op_pkrs);
	check(!call_at(0, acc_write, VAULT, 2));
}

/* L2: CPUID for ever. L1 handles the exit as little as can be. */
asm(".text\n"
    "l2_cpuid:\n\t"
    "cpuid\n\t"
    "jmp l2_cpuid\n");
void l2_cpuid(void);

static void op_nested(void)
{
	l2_skip(2, false);
	if (l2_enter(&l2))
		die("the L2 could not be entered");
}

static void nested(void)
{
	const char *missing = vmx_missing();

	if (missing)
		return skip(missing);
	vmx_on();
	l2_create(&l2, l2_cpuid);
	l2_enter(&l2);
	measure("nested.cpuid", cpu_has_pks() ? "exposed" : "hidden", op_nested);
	check(vmcs_read(EXIT_REASON) == EXITED_CPUID);
}

void guest_main(void)
{
	static const char *const names[] = { "scale", "windows", "nested" };
	static const struct test tests[ARRAY_SIZE(names)] = {
		{ "bench.scale", scale },
		{ "bench.windows", windows },
		{ "bench.nested", nested },
	};
	bool chosen[ARRAY_SIZE(names)];
	unsigned int n = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		n += chosen[i] = arg_flag(names[i]);
	args_done("la57, scale, windows, nested and machine=tcg|bare|kvm");
	ktap_plan(n ? n : ARRAY_SIZE(names));
	cpu_baseline();
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (!n || chosen[i])
			ktap_run(&tests[i], 1, 0);
	ktap_exit();
}
