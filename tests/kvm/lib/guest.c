// SPDX-License-Identifier: GPL-2.0-only
#include "guest.h"

static void do_rdmsr(uint64_t msr, uint64_t value)
{
	*(uint64_t *)value = rdmsr(msr);
}

static void do_wrmsr(uint64_t msr, uint64_t value)
{
	wrmsr(msr, value);
}

static void do_cr4(uint64_t value, uint64_t unused)
{
	(void)unused;
	write_cr4(value);
}

static void do_user(uint64_t at, uint64_t unused)
{
	const uint64_t *args = (void *)at;

	(void)unused;
	guest_user(args[0], args[1], args[2]);
}

int try_rdmsr(uint32_t msr, uint64_t *value)
{
	return guest_try(do_rdmsr, msr, (uint64_t)value);
}

int try_wrmsr(uint32_t msr, uint64_t value)
{
	return guest_try(do_wrmsr, msr, value);
}

int try_cr4(uint64_t value)
{
	return guest_try(do_cr4, value, 0);
}

int guest_probe(guest_fn *probe, const volatile void *a, uint64_t b, int cpl)
{
	uint64_t args[] = { (uint64_t)probe, (uint64_t)a, b };
	int vector;

	if (cpl)
		vector = guest_try(do_user, (uint64_t)args, 0);
	else
		vector = guest_try(probe, (uint64_t)a, b);
	if (vector == VECTOR_PF)
		return this_cpu()->error;
	/* The UD2 at its end: it got there. */
	return vector == VECTOR_UD ? NO_FAULT : 0x1000 + vector;
}
