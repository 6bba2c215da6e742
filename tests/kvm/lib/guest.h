/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What guest code may use. Guest code is ordinary C in the test program, that
 * runs at its own address; it must not call the C library.
 */
#ifndef TESTS_KVM_GUEST_H
#define TESTS_KVM_GUEST_H

#define CPU_VECTOR	0
#define CPU_ERROR	8
#define CPU_ADDRESS	16
#define CPU_RIP		24
#define CPU_STACK	32
#define CPU_VALUE	40
#define CPU_HOST_STACK	48

#define PORT_SYNC	0x500
#define PORT_DONE	0x501
#define PORT_PANIC	0x502
#define PORT_STRING	0x503	/* of string I/O: the test ignores it */

#define SEL_CODE	0x08
#define SEL_DATA	0x10
#define SEL_USER_DATA	0x1b
#define SEL_USER_CODE	0x23
#define SEL_TSS		0x28
#define SEL_LDT		0x38

/* User code runs here: the program's image once more, with U/S set. */
#define USER_ALIAS	0x100000000

#ifndef __ASSEMBLER__
#include <stdint.h>
#include "x86.h"

/* At the guest's GS base, one a vCPU; the test reads it too. */
struct cpu {
	uint64_t vector;	/* of the last exception */
	uint64_t error;
	uint64_t address;	/* CR2 */
	uint64_t rip;
	uint64_t stack;		/* where guest_try() goes on, 0: nowhere */
	uint64_t value;		/* of guest_sync() */
	uint64_t host_stack;	/* of L1 while L2 runs */
};

enum { NO_FAULT = -1 };

typedef void guest_fn(uint64_t a, uint64_t b);

/* Calls fn(a, b). Returns NO_FAULT, or the vector of the exception that ended it. */
int guest_try(guest_fn *fn, uint64_t a, uint64_t b);
/* The same for position-independent code that ends with UD2, at CPL 3. */
void guest_user(uint64_t fn, uint64_t a, uint64_t b);
void guest_entry(void);
extern char guest_vectors[];

/* Probes: position-independent, no stack, UD2 at the end, for either CPL. */
guest_fn probe_read, probe_write, probe_rmw;
guest_fn probe_read_forced, probe_write_forced, probe_rmw_forced;
guest_fn probe_read_mmio, probe_write_mmio, probe_outs, probe_ins;
guest_fn probe_locked_forced;
guest_fn probe_load_ds, probe_load_ds_forced, probe_read8, probe_read8_forced;

/*
 * Runs a probe: NO_FAULT, or the error code of its #PF. Anything else that
 * happens to it is told as 0x1000 + vector: no error code has that bit.
 */
int guest_probe(guest_fn *probe, const volatile void *a, uint64_t b, int cpl);

int try_rdmsr(uint32_t msr, uint64_t *value);
int try_wrmsr(uint32_t msr, uint64_t value);
int try_cr4(uint64_t value);

static inline struct cpu *this_cpu(void)
{
	uint64_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(0xc0000101));
	return (struct cpu *)(high << 32 | low);
}

/* Hands a value to the test, and waits until it runs the vCPU again. */
static inline void guest_sync(uint64_t value)
{
	asm volatile("mov %0, %%gs:%c1\n\toutb %%al, %2"
		     : : "r"(value), "i"(CPU_VALUE), "d"((uint16_t)PORT_SYNC) : "memory");
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint64_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value),
		     "d"((uint32_t)(value >> 32)) : "memory");
}

#define GUEST_CR(n)						\
static inline uint64_t read_cr##n(void)				\
{								\
	uint64_t value;						\
								\
	asm volatile("mov %%cr" #n ", %0" : "=r"(value));	\
	return value;						\
}								\
static inline void write_cr##n(uint64_t value)			\
{								\
	asm volatile("mov %0, %%cr" #n : : "r"(value) : "memory"); \
}
GUEST_CR(0)
GUEST_CR(3)
GUEST_CR(4)

static inline void flush(volatile const void *address)
{
	asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void wrpkru(uint32_t value)
{
	asm volatile(".byte 0x0f, 0x01, 0xef" : : "a"(value), "c"(0), "d"(0) : "memory");
}
#endif
#endif
