// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "evmcs.h"
#include "ktap.h"

#define CR4_VMXE		(1u << 13)
#define EPT_RWX			7ull
#define EPT_WRITE_BACK		(6ull << 3)
#define EPT_BIG			(1ull << 7)
#define EPTP_4_LEVELS		(3ull << 3)

extern char vmx_exited[], vmx_l2_start[];
int vmx_enter(void (*fn)(uint64_t), uint64_t arg, int launched);

struct vmx *vmx_new(struct vm *vm, bool ept)
{
	struct vmx *vmx = vm_pages(vm, 1);
	uint64_t *third, *second, i;

	vmx->region = vm_pages(vm, 1);
	vmx->vmcs = vm_pages(vm, 1);
	vmx->msr_bitmap = vm_pages(vm, 1);
	vmx->stack = (uint64_t)vm_pages(vm, 4) + 4 * PAGE_SIZE;
	if (!ept)
		return vmx;
	/* The first 4 GiB as they are. */
	vmx->ept = vm_pages(vm, 1);
	third = vm_pages(vm, 1);
	second = vm_pages(vm, 4);
	vmx->ept[0] = (uint64_t)third | EPT_RWX;
	for (i = 0; i < 4; i++)
		third[i] = (uint64_t)(second + 512 * i) | EPT_RWX;
	for (i = 0; i < 4 * 512; i++)
		second[i] = i * BIG_SIZE | EPT_BIG | EPT_WRITE_BACK | EPT_RWX;
	return vmx;
}

static uint32_t allowed(uint32_t msr, uint32_t wanted)
{
	uint64_t limits = rdmsr(msr);

	return (wanted | (uint32_t)limits) & limits >> 32;
}

static void write_fields(const uint64_t (*fields)[2], unsigned int count)
{
	while (count--)
		vmwrite(fields[count][0], fields[count][1]);
}

#define WRITE_FIELDS(f) write_fields(f, COUNT(f))

static void controls(const struct vmx *vmx)
{
	uint32_t proc = PROC_MSR_BITMAP | (vmx->ept ? PROC_SECONDARY : 0);
	const uint64_t fields[][2] = {
		{ PIN_CONTROLS, allowed(MSR_VMX_TRUE_PIN_CTLS, 0) },
		{ PROC_CONTROLS, allowed(MSR_VMX_TRUE_PROC_CTLS, proc) },
		{ EXIT_CONTROLS, allowed(MSR_VMX_TRUE_EXIT_CTLS, EXIT_HOST_64BIT) },
		{ ENTRY_CONTROLS, allowed(MSR_VMX_TRUE_ENTRY_CTLS, ENTRY_GUEST_64BIT) },
		{ MSR_BITMAP, (uint64_t)vmx->msr_bitmap },
		{ VMCS_LINK_POINTER, ~0ull },
	};

	WRITE_FIELDS(fields);
	if (!vmx->ept)
		return;
	vmwrite(PROC2_CONTROLS, allowed(MSR_VMX_PROC2_CTLS, PROC2_EPT));
	vmwrite(EPT_POINTER, (uint64_t)vmx->ept | EPTP_4_LEVELS | EPT_WRITE_BACK >> 3);
}

struct table {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* Host and guest state are both L1's own. */
static void tables(void)
{
	struct table gdt, idt;
	uint64_t tss;

	asm volatile("sgdt %0" : "=m"(gdt));
	asm volatile("sidt %0" : "=m"(idt));
	tss = *(uint64_t *)(gdt.base + SEL_TSS);
	tss = (tss >> 16 & 0xffffff) | (tss >> 32 & 0xff000000);
	{
		const uint64_t fields[][2] = {
			{ HOST_TR_BASE, tss }, { GUEST_TR_BASE, tss },
			{ HOST_GDTR_BASE, gdt.base }, { GUEST_GDTR_BASE, gdt.base },
			{ GUEST_GDTR_LIMIT, gdt.limit },
			{ HOST_IDTR_BASE, idt.base }, { GUEST_IDTR_BASE, idt.base },
			{ GUEST_IDTR_LIMIT, idt.limit },
		};

		WRITE_FIELDS(fields);
	}
}

static void segments(void)
{
	const uint64_t gs = rdmsr(MSR_GS_BASE), fs = rdmsr(MSR_FS_BASE);
	const uint64_t fields[][2] = {
		/* Selectors: host, guest */
		{ 0xc00, SEL_DATA }, { 0xc02, SEL_CODE }, { 0xc04, SEL_DATA },
		{ 0xc06, SEL_DATA }, { 0xc08, SEL_DATA }, { 0xc0a, SEL_DATA }, { 0xc0c, SEL_TSS },
		{ 0x800, SEL_DATA }, { 0x802, SEL_CODE }, { 0x804, SEL_DATA },
		{ 0x806, SEL_DATA }, { 0x808, SEL_DATA }, { 0x80a, SEL_DATA }, { 0x80e, SEL_TSS },
		/* Limits */
		{ 0x4800, ~0u }, { 0x4802, ~0u }, { 0x4804, ~0u }, { 0x4806, ~0u },
		{ 0x4808, ~0u }, { 0x480a, ~0u }, { 0x480c, 0xffff }, { 0x480e, 0x67 },
		/* Access rights; no LDT */
		{ 0x4814, 0xc093 }, { 0x4816, 0xa09b }, { 0x4818, 0xc093 }, { 0x481a, 0xc093 },
		{ 0x481c, 0xc093 }, { 0x481e, 0xc093 }, { 0x4820, 0x10000 }, { 0x4822, 0x8b },
		/* Bases */
		{ 0x6c06, fs }, { 0x6c08, gs }, { 0x680e, fs }, { 0x6810, gs },
	};

	WRITE_FIELDS(fields);
}

void vmx_start(struct vmx *vmx)
{
	uint64_t physical = (uint64_t)vmx->region;

	wrmsr(MSR_FEATURE_CONTROL, 5);	/* locked, VMX outside SMX */
	write_cr4(read_cr4() | CR4_VMXE);
	*(uint32_t *)vmx->region = rdmsr(MSR_VMX_BASIC);
	*(uint32_t *)vmx->vmcs = rdmsr(MSR_VMX_BASIC);
	asm volatile("vmxon %0" : : "m"(physical) : "cc", "memory");
	physical = (uint64_t)vmx->vmcs;
	asm volatile("vmclear %0" : : "m"(physical) : "cc", "memory");
	asm volatile("vmptrld %0" : : "m"(physical) : "cc", "memory");
	controls(vmx);
	tables();
	segments();
	vmwrite(HOST_RIP, (uint64_t)vmx_exited);
	vmwrite(GUEST_DR7, 0x400);
}

void vmx_control(uint64_t field, uint64_t set, uint64_t clear)
{
	vmwrite(field, (vmread(field) | set) & ~clear);
}

static void set(struct vmx *vmx, uint64_t field, uint64_t value)
{
	if (vmx->evmcs)
		evmcs_write(vmx->evmcs, field, value);
	else
		vmwrite(field, value);
}

static uint64_t get(struct vmx *vmx, uint64_t field)
{
	return vmx->evmcs ? evmcs_read(vmx->evmcs, field) : vmread(field);
}

void vmx_load_controls(unsigned int controls)
{
	uint64_t entry = controls & 1 ? ENTRY_LOAD_PKRS : 0;
	uint64_t exit = controls & 2 ? EXIT_LOAD_PKRS : 0;

	vmx_control(ENTRY_CONTROLS, entry, ENTRY_LOAD_PKRS & ~entry);
	vmx_control(EXIT_CONTROLS, exit, EXIT_LOAD_PKRS & ~exit);
}

int64_t vmx_run(struct vmx *vmx, void (*fn)(uint64_t), uint64_t arg)
{
	const uint64_t fields[][2] = {
		{ HOST_CR0, read_cr0() }, { HOST_CR3, read_cr3() },
		{ HOST_CR4, read_cr4() | vmx->host_cr4 },
		{ GUEST_CR0, read_cr0() }, { GUEST_CR3, read_cr3() | vmx->guest_cr3 },
		{ GUEST_CR4, read_cr4() | vmx->guest_cr4 },
		{ GUEST_RSP, vmx->stack }, { GUEST_RIP, (uint64_t)vmx_l2_start }, { GUEST_RFLAGS, 0x202 },
	};
	unsigned int i;

	for (i = 0; i < COUNT(fields); i++)
		set(vmx, fields[i][0], fields[i][1]);
	switch (vmx_enter(fn, arg, vmx->launched)) {
	case 1:
		return -VMFAIL_INVALID;
	case 2:
		return -(int64_t)get(vmx, INSTRUCTION_ERROR);
	}
	if (!(get(vmx, EXIT_REASON) >> 31))
		vmx->launched = true;
	return get(vmx, EXIT_REASON);
}
