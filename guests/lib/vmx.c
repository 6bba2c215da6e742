// SPDX-License-Identifier: GPL-2.0-only
/* VMX operation, and a VMCS for an L2 in L1's own address space. */
#include "vmx.h"

#define FEATURE_LOCKED	1
#define FEATURE_VMX	4
#define L2_STACK	8192

u32 vmx_enter(u64 *regs, u32 resume);
void vmx_exit(void);
extern u8 exit_stack_top[];

const char *vmx_missing(void)
{
	u64 feature;

	if (!(cpuid(1, 0).c & 1u << 5))
		return "a processor with VMX";
	if (rdmsr_safe(MSR_FEATURE_CONTROL, &feature) == NO_FAULT &&
	    (feature & (FEATURE_LOCKED | FEATURE_VMX)) == FEATURE_LOCKED)
		return "VMX not locked out by the firmware";
	if (!(rdmsr(MSR_VMX_BASIC) >> 55 & 1))
		return "the TRUE VMX capability MSRs";
	return 0;
}

bool vmx_allows(u32 msr, u32 bits)
{
	return (rdmsr(msr) >> 32 & bits) == bits;
}

static void *revision_page(void)
{
	u32 *page = page_alloc();

	*page = rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
	return page;
}

void vmx_on(void)
{
	u64 page = (u64)revision_page(), feature = rdmsr(MSR_FEATURE_CONTROL);
	bool failed;

	if (!(feature & FEATURE_LOCKED))
		wrmsr(MSR_FEATURE_CONTROL, feature | FEATURE_LOCKED | FEATURE_VMX);
	write_cr4(read_cr4() | CR4_VMXE);
	asm volatile("vmxon %1; setna %0" : "=r"(failed) : "m"(page) : "cc", "memory");
	if (failed)
		die("VMXON failed");
}

/* CF: VMfailInvalid; ZF: VMfailValid, and the VMCS has the number. */
static u32 vmx_error(bool cf, bool zf)
{
	u64 error;

	if (cf)
		return VMERR_INVALID;
	return zf && !vmcs_try_read(INSTRUCTION_ERROR, &error) ? error : 0;
}

u32 vmcs_try_read(u64 field, u64 *v)
{
	bool cf, zf;

	*v = 0;
	asm volatile("vmread %3, %0; setc %1; setz %2"
		     : "+r"(*v), "=qm"(cf), "=qm"(zf) : "r"(field) : "cc");
	return vmx_error(cf, zf);
}

u32 vmcs_try_write(u64 field, u64 v)
{
	bool cf, zf;

	asm volatile("vmwrite %3, %2; setc %0; setz %1"
		     : "=qm"(cf), "=qm"(zf) : "r"(field), "r"(v) : "cc", "memory");
	return vmx_error(cf, zf);
}

u64 vmcs_read(u64 field)
{
	u64 v;
	u32 error = vmcs_try_read(field, &v);

	if (error)
		die("VMREAD of field 0x%lx: error %u", field, error);
	return v;
}

void vmcs_write(u64 field, u64 v)
{
	u32 error = vmcs_try_write(field, v);

	if (error)
		die("VMWRITE of field 0x%lx: error %u", field, error);
}

void vmcs_control(u64 field, u32 set, u32 clear)
{
	vmcs_write(field, (vmcs_read(field) & ~(u64)clear) | set);
}

void l2_current(struct l2 *g)
{
	u64 pa = (u64)g->vmcs;
	bool failed;

	asm volatile("vmptrld %1; setna %0" : "=qm"(failed) : "m"(pa) : "cc", "memory");
	if (failed)
		die("VMPTRLD failed");
}

static void set_controls(const struct l2 *g)
{
	static const struct {
		u32 field, msr, wanted;
	} c[] = {
		{ PIN_CONTROLS, MSR_VMX_TRUE_PIN_CTLS, 0 },
		{ PROC_CONTROLS, MSR_VMX_TRUE_PROC_CTLS, PROC_HLT | PROC_MSR_BITMAP },
		{ EXIT_CONTROLS, MSR_VMX_TRUE_EXIT_CTLS, EXIT_HOST_64BIT },
		{ ENTRY_CONTROLS, MSR_VMX_TRUE_ENTRY_CTLS, ENTRY_GUEST_64BIT },
	};
	static const u32 zero[] = {
		EXCEPTION_BITMAP, PF_CODE_MASK, PF_CODE_MATCH, 0x400a /* CR3 targets */,
		EXIT_MSR_STORE_COUNT, EXIT_MSR_LOAD_COUNT, ENTRY_MSR_LOAD_COUNT,
		ENTRY_EVENT, CR0_MASK, CR4_MASK,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(c); i++)
		vmcs_write(c[i].field, c[i].wanted | (u32)rdmsr(c[i].msr));
	for (unsigned int i = 0; i < ARRAY_SIZE(zero); i++)
		vmcs_write(zero[i], 0);
	vmcs_write(MSR_BITMAP, (u64)g->msr_bitmap);
	vmcs_write(VMCS_LINK_POINTER, ~0ull);
}

static void set_host(void)
{
	for (u32 f = HOST_ES_SELECTOR; f <= HOST_TR_SELECTOR; f += 2)
		vmcs_write(f, 0);
	vmcs_write(HOST_CS_SELECTOR, SEL_CODE64);
	vmcs_write(HOST_SS_SELECTOR, SEL_DATA);
	vmcs_write(HOST_DS_SELECTOR, SEL_DATA);
	vmcs_write(HOST_ES_SELECTOR, SEL_DATA);
	vmcs_write(HOST_TR_SELECTOR, SEL_TSS);
	vmcs_write(0x4c00, 0);		/* SYSENTER_CS */
	vmcs_write(HOST_CR0, read_cr0());
	vmcs_write(HOST_CR3, read_cr3());
	vmcs_write(HOST_CR4, read_cr4());
	for (u32 f = HOST_CR4 + 2; f < HOST_RSP; f += 2)
		vmcs_write(f, 0);
	vmcs_write(HOST_TR_BASE, (u64)&tss);
	vmcs_write(HOST_GDTR_BASE, (u64)gdt);
	vmcs_write(HOST_IDTR_BASE, (u64)idt);
	vmcs_write(HOST_RSP, (u64)exit_stack_top);
	vmcs_write(HOST_RIP, (u64)vmx_exit);
}

static void set_guest_segments(void)
{
	for (u32 i = 0; i < 8; i++) {	/* ES CS SS DS FS GS LDTR TR */
		vmcs_write(GUEST_ES_SELECTOR + 2 * i, SEL_DATA);
		vmcs_write(GUEST_ES_LIMIT + 2 * i, 0xffffffff);
		vmcs_write(GUEST_ES_RIGHTS + 2 * i, 0xc093);
		vmcs_write(GUEST_ES_BASE + 2 * i, 0);
	}
	vmcs_write(GUEST_CS_SELECTOR, SEL_CODE64);
	vmcs_write(GUEST_CS_RIGHTS, 0xa09b);
	vmcs_write(GUEST_LDTR_SELECTOR, 0);
	vmcs_write(GUEST_LDTR_RIGHTS, 0x10000);
	vmcs_write(GUEST_TR_SELECTOR, SEL_TSS);
	vmcs_write(GUEST_TR_LIMIT, sizeof(struct tss) - 1);
	vmcs_write(GUEST_TR_RIGHTS, 0x8b);
	vmcs_write(GUEST_TR_BASE, (u64)&tss);
	vmcs_write(GUEST_GDTR_BASE, (u64)gdt);
	vmcs_write(GUEST_GDTR_LIMIT, sizeof(gdt) - 1);
	vmcs_write(GUEST_IDTR_BASE, (u64)idt);
	vmcs_write(GUEST_IDTR_LIMIT, sizeof(idt) - 1);
}

static void set_guest(u64 stack)
{
	set_guest_segments();
	vmcs_write(GUEST_CR0, read_cr0());
	vmcs_write(GUEST_CR3, read_cr3());
	vmcs_write(GUEST_CR4, read_cr4());
	vmcs_write(CR4_SHADOW, 0);
	vmcs_write(GUEST_DR7, 0x400);
	vmcs_write(GUEST_RSP, stack);
	vmcs_write(GUEST_RFLAGS, 2);
	vmcs_write(GUEST_INTERRUPTIBILITY, 0);
	vmcs_write(GUEST_ACTIVITY, 0);
	vmcs_write(0x482a, 0);		/* SYSENTER_CS, then DEBUGCTL */
	vmcs_write(0x2802, 0);
	for (u32 f = GUEST_RFLAGS + 2; f <= 0x6826; f += 2)
		vmcs_write(f, 0);	/* pending debug, SYSENTER_ESP, _EIP */
}

void l2_restart(struct l2 *g, void (*code)(void))
{
	u64 pa = (u64)g->vmcs;

	asm volatile("vmclear %0" : : "m"(pa) : "cc", "memory");
	l2_current(g);
	g->launched = false;
	vmcs_write(GUEST_RIP, (u64)code);
}

void l2_create(struct l2 *g, void (*code)(void))
{
	static u8 stacks[4][L2_STACK] __attribute__((aligned(16)));
	static unsigned int used;

	if (!g->vmcs) {
		if (used == ARRAY_SIZE(stacks))
			die("more L2s than stacks: raise their number");
		g->vmcs = revision_page();
		g->msr_bitmap = page_alloc();
		g->stack = (u64)stacks[used++] + L2_STACK - 8;
	}
	l2_restart(g, code);
	l2_intercept(g, false, false);
	set_controls(g);
	set_host();
	set_guest(g->stack);
}

void l2_use_ept(void)
{
	static u64 *pml4;

	if (!pml4) {
		u64 *pdpt = page_alloc(), *pd = page_alloc(), *pt = page_alloc();

		pml4 = page_alloc();
		pml4[0] = (u64)pdpt | 7;
		pdpt[0] = (u64)pd | 7;
		for (u64 i = 0; i < 512; i++) {
			pd[i] = i << 21 | 0xb7;		/* write-back, RWX */
			pt[i] = EPT_HOLE + (i << 12) + 0x37;
		}
		pt[0] = 0;
		pd[EPT_HOLE >> 21] = (u64)pt | 7;
	}
	vmcs_write(EPT_POINTER, (u64)pml4 | 3 << 3 | 6);	/* 4 levels, write-back */
	vmcs_control(PROC_CONTROLS, PROC_SECONDARY, 0);
	vmcs_write(PROC2_CONTROLS, PROC2_EPT);
}

u32 l2_enter_as(struct l2 *g, bool resume)
{
	u32 flags = vmx_enter(g->regs, resume);

	if (!flags && !(vmcs_read(EXIT_REASON) & ENTRY_FAILED))
		g->launched = true;
	return vmx_error(flags & 1, flags & 2);
}

u32 l2_enter(struct l2 *g)
{
	return l2_enter_as(g, g->launched);
}

static void set_bit(u8 *map, u32 bit, bool on)
{
	map[bit / 8] = (map[bit / 8] & ~(1 << bit % 8)) | on << bit % 8;
}

void l2_intercept(struct l2 *g, bool read, bool write)
{
	set_bit(g->msr_bitmap, MSR_PKRS, read);
	set_bit(g->msr_bitmap + 2048, MSR_PKRS, write);
}

static u64 mended_at;
static u8 mended[3];
static u32 mended_length;

/* One NOP of that length, so that a single step passes it whole. */
void l2_skip(u32 length, bool clean)
{
	static const u8 nops[3][3] = { { 0x90 }, { 0x66, 0x90 }, { 0x0f, 0x1f, 0 } };
	u64 rip = vmcs_read(GUEST_RIP);

	if (!clean) {
		vmcs_write(GUEST_RIP, rip + length);
		return;
	}
	mended_at = rip;
	mended_length = length;
	memcpy(mended, phys(rip), length);
	memcpy(phys(rip), nops[length - 1], length);
}

void l2_mend(void)
{
	memcpy(phys(mended_at), mended, mended_length);
	mended_length = 0;
}
