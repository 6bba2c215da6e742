// SPDX-License-Identifier: GPL-2.0-only
/* Descriptor tables, the processor's state, and the start in C. */
#include "guest.h"

#define STUB_SIZE 16
extern u8 vector_stubs[];

/* All descriptors are "accessed" already: reading one never writes it. */
u64 gdt[GDT_ENTRIES] = {
	[SEL_CODE64 / 8] = 0x00af9b000000ffff,
	[SEL_DATA / 8] = 0x00cf93000000ffff,
	[SEL_CODE32 / 8] = 0x00cf9b000000ffff,
	[SEL_USER_DATA / 8] = 0x00cff3000000ffff,
	[SEL_USER_CODE / 8] = 0x00affb000000ffff,
};
struct gate idt[256] __attribute__((aligned(4096)));
struct tss tss = { .iomap = sizeof(struct tss) };
static u8 trap_stack[4096], fatal_stack[4096];

static void descriptor_pointer(u8 *p, u64 base, u16 limit)
{
	memcpy(p, &limit, 2);
	memcpy(p + 2, &base, 8);
}

void load_gdt(u64 base, u16 limit)
{
	u8 p[10];

	descriptor_pointer(p, base, limit);
	asm volatile("lgdt %0" : : "m"(p));
}

void load_idt(u64 base, u16 limit)
{
	u8 p[10];

	descriptor_pointer(p, base, limit);
	asm volatile("lidt %0" : : "m"(p));
}

static void set_system(u64 *d, u64 base, u16 limit, u8 type)
{
	d[0] = limit | (base & 0xffffff) << 16 | (u64)type << 40 |
	       (base >> 24 & 0xff) << 56;
	d[1] = base >> 32;
}

void load_tss(u64 base)
{
	set_system(&gdt[SEL_TSS / 8], base, sizeof(struct tss) - 1, 0x89);
	asm volatile("ltr %w0" : : "r"(SEL_TSS) : "memory");
}

void load_ldt(u64 base, u16 limit)
{
	set_system(&gdt[SEL_LDT / 8], base, limit, 0x82);
	asm volatile("lldt %w0" : : "r"(SEL_LDT) : "memory");
}

void set_gate(struct gate *g, void (*handler)(void), u8 ist, u8 dpl)
{
	u64 h = (u64)handler;

	*g = (struct gate) {
		.low = h, .middle = h >> 16, .high = h >> 32,
		.selector = SEL_CODE64, .ist = ist, .type = 0x8e | dpl << 5,
	};
}

void load_own_tables(void)
{
	load_gdt((u64)gdt, sizeof(gdt) - 1);
	load_idt((u64)idt, sizeof(idt) - 1);
	load_tss((u64)&tss);
	asm volatile("lldt %w0" : : "r"(0));
}

void tables_init(void)
{
	for (int v = 0; v < 32; v++)
		set_gate(&idt[v], (void (*)(void))(vector_stubs + v * STUB_SIZE),
			 v == VEC_DF, 0);
	set_gate(&idt[VEC_LAND], landing, 0, 3);
	tss.rsp[0] = (u64)(trap_stack + sizeof(trap_stack));
	tss.ist[0] = (u64)(fatal_stack + sizeof(fatal_stack));
	load_own_tables();
}

void trap_fatal(const u64 *frame);
void lib_main(const u32 *info);

/* An exception outside call_at(). FRAME: vector, error code, RIP, CS. */
void trap_fatal(const u64 *frame)
{
	die("unexpected exception %lu, error code 0x%lx, at 0x%lx, CR2 0x%lx",
	    frame[0], frame[1], frame[2], read_cr2());
}

static u64 do_rdmsr(u64 msr, u64 unused)
{
	(void)unused;
	return rdmsr(msr);
}

u8 rdmsr_safe(u32 msr, u64 *v)
{
	call_at(0, do_rdmsr, msr, 0);
	*v = trap.value;
	return trap.vector;
}

u8 wrmsr_safe(u32 msr, u64 v)
{
	call_at(0, wrmsr, msr, v);
	return trap.vector;
}

u8 write_cr4_safe(u64 v)
{
	call_at(0, write_cr4, v, 0);
	return trap.vector;
}

void cpu_baseline(void)
{
	write_flags(read_flags() & ~(u64)EFLAGS_AC);
	if (cpu_has_pks())
		write_pkrs(0);
	if (cpu_has_pku()) {
		write_cr4(read_cr4() | CR4_PKE);
		wrpkru(0);
	}
	write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE);
	write_cr4(cr4_base() | (read_cr4() & CR4_VMXE));
	wrmsr(MSR_EFER, EFER_LME | EFER_NXE);
}

/* Called by _start. INFO: the multiboot information structure. */
void lib_main(const u32 *info)
{
	serial_init();
	tables_init();
	mmu_init();
	args_init(info[0] & 4 ? phys(info[4]) : "");
	if (arg_flag("la57"))
		mmu_five_levels();
	guest_main();
	die("guest_main() came back: it has to end with ktap_exit()");
}
