/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest program gets from the library: it defines guest_main() and the
 * library does the rest. One processor, no interrupts, long mode, the first
 * gigabyte mapped one to one for the supervisor with key OWN_KEY.
 */
#ifndef GUESTS_LIB_GUEST_H
#define GUESTS_LIB_GUEST_H

#include <stdarg.h>
#include "x86.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE_SIZE 4096ull

void guest_main(void);

/* print.c: %s %c %u %d %x with l, width and zero fill. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void vsay(const char *fmt, va_list ap);
void serial_init(void);
void *memcpy(void *dst, const void *src, unsigned long n);
void *memset(void *dst, int c, unsigned long n);
bool same(const char *a, const char *b);

/* Write CODE to the debug-exit port; never returns. */
void exit_guest(u8 code) __attribute__((noreturn));

/* Stop with one sentence, as a failure. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* args.c: the words of the command line after the program's name. */
void args_init(const char *cmdline);
bool arg_flag(const char *name);
const char *arg_value(const char *name);	/* "name=value", or NULL */
u64 arg_number(const char *name, u64 otherwise);
const char *parse_number(const char *s, u64 *v);	/* end, or NULL */
void args_done(const char *known);	/* refuse words nobody asked for */

/* The machine named by "machine=": which known deviations are expected. */
enum machine { MACHINE_ANY, MACHINE_TCG, MACHINE_BARE, MACHINE_KVM };
enum machine arg_machine(void);

/* ktap.c */
struct test {
	const char *id;
	void (*run)(void);
	const char *tcg;	/* why it is known to fail in QEMU's software CPU, */
	const char *bare;	/* and on the emulated CPU itself */
};

void ktap_plan(unsigned int tests);
void ktap_result(const char *id, bool passed, const char *xfail);
void ktap_skip(const char *id, const char *missing);
void ktap_exit(void) __attribute__((noreturn));
extern const char *ktap_only;	/* run no test whose id does not begin so */
void ktap_run(const struct test *tests, unsigned int n, const char *missing);

/* In a test: a diagnostic that makes it fail, and a reason to skip it. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void skip(const char *missing);
#define check(cond) \
	((cond) ? (void)0 : fail("line %d: not true: %s", __LINE__, #cond))

/* trap.c: descriptor tables, and calls that survive an exception. */
struct trap {
	u64 vector;	/* NO_FAULT if the call ran to its end */
	u64 error;
	u64 rip;
	u64 cr2;
	u64 value;	/* RAX at the end of the call or at the fault */
};
extern struct trap trap;

/*
 * Call FN(A, B) at CPL 0 or 3 and record in trap how it ended; true if it ran
 * to its end. At CPL 3 FN has to be USER_CODE: it runs from a user-mode alias
 * of itself, so that it can reach other USER_CODE and its arguments only.
 */
bool call_at(int cpl, const void *fn, u64 a, u64 b);
#define USER_CODE __attribute__((section(".user"), noinline))

u8 rdmsr_safe(u32 msr, u64 *v);	/* the vector, or NO_FAULT */
u8 wrmsr_safe(u32 msr, u64 v);
u8 write_cr4_safe(u64 v);

struct gate {
	u16 low, selector;
	u8 ist, type;
	u16 middle;
	u32 high, zero;
};

struct tss {
	u32 zero;
	u64 rsp[3];
	u64 zero1;
	u64 ist[7];	/* ist[0] is IST1 */
	u64 zero2;
	u16 zero3, iomap;
} __attribute__((packed));

extern u64 gdt[GDT_ENTRIES];
extern struct gate idt[256];
extern struct tss tss;
void landing(void);	/* a vector whose handler ends call_at() without a fault */
void set_gate(struct gate *g, void (*handler)(void), u8 ist, u8 dpl);
void load_gdt(u64 base, u16 limit);
void load_idt(u64 base, u16 limit);
void load_tss(u64 base);
void load_ldt(u64 base, u16 limit);
void load_own_tables(void);	/* back to the library's */
void tables_init(void);

/* CR0, CR4, EFER, PKRU, PKRS and EFLAGS.AC as the library starts a guest. */
void cpu_baseline(void);

/*
 * mmu.c: levels are 1 for a 4 KiB leaf, 2 for 2 MiB, 3 for 1 GiB. The root is of
 * level 4; every guest takes the argument "la57", with which it is of level 5,
 * and boot_pml4 the table of its first entry.
 */
extern int root_level;
extern u64 boot_pml4[512], boot_pml5[512];
#define ROOT_ENTRY(n) ((u64)(n) << (12 + 9 * (root_level - 1)))	/* its first address */
#define RAM_FREE 0x2000000ull	/* physical: 32 MiB up to 64 MiB is the guest's */
void *page_alloc(void);		/* one zeroed page */
u64 *map(u64 va, u64 leaf, int level);	/* LEAF: address and flags; upper levels P W U */
u64 *entry(u64 va, int level);	/* the entry of that level, already there */
void own_key(int key);		/* give the library's own pages another key */
void mmu_init(void);
void mmu_five_levels(void);
void use_root(u64 *root, u64 cr4);	/* start.S; CR4.LA57 may change */

/* What CR4 has at least, VMXE aside. */
static inline u64 cr4_base(void)
{
	return CR4_PAE | (root_level == 5 ? CR4_LA57 : 0);
}

/* Physical memory by its one-to-one mapping, page 0 included. */
static inline void *phys(u64 pa)
{
	asm("" : "+r"(pa));
	return (void *)pa;
}

/* access.S: accesses for call_at(), at either CPL. */
u32 acc_read(u32 *p);
void acc_write(u32 *p, u32 v);
void acc_rmw(u32 *p, u32 v);		/* adds V */
void acc_jump(void *to);
u32 acc_load_fs(u32 selector);		/* the selector, and FS null again */
void acc_int31(void);
void acc_wrmsr(u32 msr, u32 v);

/* implicit.c: accesses that the processor makes by itself (PKS-6). */
enum implicit_kind {
	IMPLICIT_LDT, IMPLICIT_GDT, IMPLICIT_IDT, IMPLICIT_TSS, IMPLICIT_PUSH,
};

struct implicit {
	const void *fn;		/* call_at(cpl, fn, arg, 0) makes the access */
	u64 arg;
	u64 va;
	u64 first, size;	/* the bytes of the page that it touches */
};
#define PUSH_FRAME_END 0x800

/*
 * Have an access of that kind touch the page at VA, whose memory the caller
 * sees at PAGE. The page before VA is taken. load_own_tables() undoes it.
 */
struct implicit implicit_arm(enum implicit_kind kind, u64 va, void *page);
void *implicit_neighbour(void);	/* the memory of the page before VA */

/* legacy.S: one read and one write in a mode without long-mode paging. */
struct legacy {
	u32 cr0, cr3, cr4, pkrs;	/* in that mode */
	u32 address, value;	/* reads the old value, writes its increment */
	u32 faulted;
	u32 flip, after;	/* CR4 bits then changed, and what is read with them so */
};
void legacy_access(struct legacy *l);
u32 compat_read(u32 *p);	/* reads from a 32-bit code segment */

#endif
