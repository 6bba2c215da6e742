// SPDX-License-Identifier: GPL-2.0-only
/*
 * What PKS is good for, told by a guest that uses it: a page that is writable
 * for the kernel all the time, and yet only between two writes of one
 * register. Argument writes=N: write PKRS N times and say what a window cost.
 */
#include "guest.h"

#define VAULT 0x80000000ull
#define KEY 5

static u32 *content;	/* the vault's memory, by a mapping with another key */

static void explain(const char *what)
{
	static const char *const bits[] = {
		"P", "W", "U", "RSVD", "I", "PK",
	};

	if (trap.vector == NO_FAULT) {
		say("#   %s: done\n", what);
		return;
	}
	say("#   %s: stopped, exception %lu at 0x%lx, error code 0x%lx =",
	    what, trap.vector, trap.cr2, trap.error);
	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++)
		if (trap.error >> i & 1)
			say(" %s", bits[i]);
	say("\n");
}

static bool try_write(u32 v)
{
	bool done = call_at(0, acc_write, VAULT, v);

	explain("write to the vault");
	return done;
}

static bool try_read(void)
{
	bool done = call_at(0, acc_read, VAULT, 0);

	explain("read of the vault");
	return done;
}

/* Where every step begins: PKS on, the vault closed for writes. */
static void lock(void)
{
	write_cr4(read_cr4() | CR4_PKS);
	write_pkrs(KEY_WD(KEY));
}

static void stray_write(void)
{
	say("# The vault: a writable page of this kernel at 0x%llx, protection key %u.\n",
	    VAULT, KEY);
	content[0] = 1234;
	lock();
	say("# PKRS = 0x%x: key %u is read-only. A stray write:\n", KEY_WD(KEY), KEY);
	check(!try_write(666));
	check(trap.vector == VEC_PF);
	check(trap.error == (PF_P | PF_W | PF_PK));
	check(content[0] == 1234);
	say("#   P: the page is there, W: it was a write, PK: the key forbids it\n");
}

static void fault_owner(void)
{
	lock();
	call_at(0, acc_write, VAULT, 666);
	say("# Whose fault is it? The guest's own: its #PF handler got it, CR2 = 0x%lx.\n",
	    read_cr2());
	check(trap.vector == VEC_PF);
	check(trap.cr2 == VAULT);
}

static void window(void)
{
	lock();
	write_pkrs(0);
	say("# A window: one PKRS write opens it, no page table and no TLB is touched.\n");
	check(try_write(5678));
	check(content[0] == 5678);
	write_pkrs(KEY_WD(KEY));
	say("# A second PKRS write closes it.\n");
	check(!try_write(666));
	check(content[0] == 5678);
}

static void read_only(void)
{
	lock();
	say("# While the window is closed the vault can be read:\n");
	check(try_read());
	check((u32)trap.value == 5678);
}

static void sealed(void)
{
	lock();
	write_pkrs(KEY_AD(KEY));
	say("# PKRS = 0x%x: key %u is sealed, for reads too:\n", KEY_AD(KEY), KEY);
	check(!try_read());
	check(trap.error == (PF_P | PF_PK));
}

/* Two PKRS writes and the store between them, N / 2 times. */
static void windows(u64 writes)
{
	volatile u32 *vault = (volatile u32 *)VAULT;
	u64 n = writes / 2, start, ticks;

	if (!n)
		return;
	lock();
	start = rdtsc();
	for (u64 i = 0; i < n; i++) {
		write_pkrs(0);
		*vault = i;
		write_pkrs(KEY_WD(KEY));
	}
	ticks = rdtsc() - start;
	say("# window count=%lu tsc=%lu per_window=%lu.%02lu\n", n, ticks,
	    ticks / n, ticks % n * 100 / n);
}

void guest_main(void)
{
	static const struct test steps[] = {
		{ "demo.vault.stray_write_stopped", stray_write },
		{ "demo.vault.fault_is_the_guests", fault_owner },
		{ "demo.vault.window_opens_and_closes", window },
		{ "demo.vault.read_only_while_closed", read_only },
		{ "demo.vault.sealed", sealed },
	};
	u64 writes = arg_number("writes", 0);
	bool pks = cpu_has_pks();

	args_done("la57, writes=N and machine=tcg|bare|kvm");
	ktap_plan(ARRAY_SIZE(steps));
	cpu_baseline();
	content = page_alloc();
	map(VAULT, (u64)content | PTE_P | PTE_W | PTE_KEY(KEY), 1);
	ktap_run(steps, ARRAY_SIZE(steps), pks ? 0 : "a processor with PKS");
	if (pks)
		windows(writes);
	ktap_exit();
}
