/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processor's registers and encodings, as far as the guests use them.
 * Included by C and by assembly.
 */
#ifndef GUESTS_LIB_X86_H
#define GUESTS_LIB_X86_H

#define CR0_PE		0x00000001
#define CR0_ET		0x00000010
#define CR0_NE		0x00000020
#define CR0_WP		0x00010000
#define CR0_PG		0x80000000

#define CR4_PSE		0x00000010
#define CR4_PAE		0x00000020
#define CR4_LA57	0x00001000
#define CR4_VMXE	0x00002000
#define CR4_OSFXSR	0x00000200
#define CR4_OSXSAVE	0x00040000
#define CR4_SMEP	0x00100000
#define CR4_SMAP	0x00200000
#define CR4_PKE		0x00400000
#define CR4_PKS		0x01000000

#define EFLAGS_AC	0x00040000

#define MSR_EFER	0xc0000080
#define EFER_LME	0x00000100
#define EFER_NXE	0x00000800
#define MSR_PKRS	0x000006e1

/* The key that the library's own pages carry: no test may close it. */
#define OWN_KEY		15

/* Selectors of the library's GDT. */
#define SEL_CODE64	0x08
#define SEL_DATA	0x10
#define SEL_CODE32	0x18
#define SEL_USER_DATA	0x23
#define SEL_USER_CODE	0x2b
#define SEL_TSS		0x30
#define SEL_LDT		0x40
#define GDT_ENTRIES	10

/* Vectors that the library takes for itself. */
#define VEC_UD		6
#define VEC_DF		8
#define VEC_GP		13
#define VEC_PF		14
#define VEC_LAND	0x30	/* "int $0x30" ends what call_at() started */
#define NO_FAULT	0xff	/* not a vector: the call ran to its end */

#define DEBUG_EXIT_PORT	0xf4
#define COM1		0x3f8

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* Paging entries. */
#define PTE_P		(1ull << 0)
#define PTE_W		(1ull << 1)
#define PTE_U		(1ull << 2)
#define PTE_A		(1ull << 5)
#define PTE_D		(1ull << 6)
#define PTE_PS		(1ull << 7)
#define PTE_RSVD	(1ull << 51)	/* above every physical address here */
#define PTE_NX		(1ull << 63)
#define PTE_KEY(k)	((u64)(k) << 59)
#define PTE_ADDR	0x000ffffffffff000ull

/* Page-fault error code. */
#define PF_P		0x01
#define PF_W		0x02
#define PF_U		0x04
#define PF_RSVD		0x08
#define PF_I		0x10
#define PF_PK		0x20

/* Access-disable and write-disable bit of key k in PKRU and PKRS. */
#define KEY_AD(k)	(1u << (2 * (k)))
#define KEY_WD(k)	(2u << (2 * (k)))

struct cpuid {
	u32 a, b, c, d;
};

static inline struct cpuid cpuid(u32 leaf, u32 sub)
{
	struct cpuid r;

	asm volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
		     : "a"(leaf), "c"(sub));
	return r;
}

static inline void outb(u16 port, u8 v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (u64)hi << 32;
}

static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32))
		     : "memory");
}

/* RDPKRU and WRPKRU #UD while CR4.PKE is clear. */
static inline u32 rdpkru(void)
{
	u32 v;

	asm volatile("rdpkru" : "=a"(v) : "c"(0) : "edx");
	return v;
}

static inline void wrpkru(u32 v)
{
	asm volatile("wrpkru" : : "a"(v), "c"(0), "d"(0) : "memory");
}

static inline void write_pkrs(u32 v)
{
	wrmsr(MSR_PKRS, v);
}

#define CR_ACCESSORS(n)							\
static inline u64 read_cr##n(void)					\
{									\
	u64 v;								\
									\
	asm volatile("mov %%cr" #n ", %0" : "=r"(v));			\
	return v;							\
}									\
static inline void write_cr##n(u64 v)					\
{									\
	asm volatile("mov %0, %%cr" #n : : "r"(v) : "memory");		\
}
CR_ACCESSORS(0)
CR_ACCESSORS(2)
CR_ACCESSORS(3)
CR_ACCESSORS(4)

static inline u64 read_flags(void)
{
	u64 v;

	asm volatile("pushfq; pop %0" : "=r"(v));
	return v;
}

static inline void write_flags(u64 v)
{
	asm volatile("push %0; popfq" : : "r"(v) : "memory", "cc");
}

static inline void invlpg(u64 va)
{
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* Everything but global pages, which the library does not use. */
static inline void flush_all(void)
{
	write_cr3(read_cr3());
}

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi));
	return lo | (u64)hi << 32;
}

static inline u64 xgetbv(u32 i)
{
	u32 lo, hi;

	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(i));
	return lo | (u64)hi << 32;
}

static inline void xsetbv(u32 i, u64 v)
{
	asm volatile("xsetbv" : : "c"(i), "a"((u32)v), "d"((u32)(v >> 32)));
}

/* Features. */
static inline bool has_leaf7(void)
{
	return cpuid(0, 0).a >= 7;
}

static inline bool cpu_has_pks(void)
{
	return has_leaf7() && cpuid(7, 0).c & 1u << 31;
}

static inline bool cpu_has_pku(void)
{
	return has_leaf7() && cpuid(7, 0).c & 1u << 3;
}

static inline bool cpu_has_smep(void)
{
	return has_leaf7() && cpuid(7, 0).b & 1u << 7;
}

static inline bool cpu_has_smap(void)
{
	return has_leaf7() && cpuid(7, 0).b & 1u << 20;
}

static inline bool cpu_has_la57(void)
{
	return has_leaf7() && cpuid(7, 0).c & 1u << 16;
}

static inline bool cpu_has_1g(void)
{
	return cpuid(0x80000001, 0).d & 1u << 26;
}

static inline bool cpu_has_xsave(void)
{
	return cpuid(1, 0).c & 1u << 26;
}
#endif /* __ASSEMBLER__ */
#endif
