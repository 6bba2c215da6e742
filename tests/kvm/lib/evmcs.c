// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "evmcs.h"
#include "ktap.h"

/* In the VP assist page. */
enum { ENLIGHTEN_VMENTRY = 40, CURRENT_NESTED_VMCS = 48 };
enum { ASSIST_ENABLE = 1 };

/* In an enlightened VMCS, that have no field's number. */
enum { REVISION = 0, CLEAN_FIELDS = 824, ENLIGHTENMENTS = 836 };
enum { ENLIGHTENED_MSR_BITMAP = 2 };

/* Fields of neighbouring numbers that are neighbours there, too. */
static const struct range {
	uint16_t first, count, offset;
} ranges[] = {
	{ 0x0800, 8, 128 },	/* selectors of the guest, and of the host */
	{ 0x0c00, 7, 8 },
	{ MSR_BITMAP, 1, 120 },
	{ EPT_POINTER, 1, 624 },
	{ 0x2800, 1, 416 },	/* VMCS link pointer */
	{ PIN_CONTROLS, 1, 92 },
	{ PROC_CONTROLS, 1, 788 },
	{ EXIT_CONTROLS, 1, 96 },
	{ ENTRY_CONTROLS, 1, 796 },
	{ PROC2_CONTROLS, 1, 100 },
	{ INSTRUCTION_ERROR, 2, 688 },	/* and EXIT_REASON */
	{ 0x4800, 18, 144 },	/* limits and access rights */
	{ 0x6800, 3, 544 },	/* CR0, CR3, CR4 */
	{ 0x6806, 10, 216 },	/* bases */
	{ 0x681a, 1, 568 },	/* DR7, RSP, RIP, RFLAGS */
	{ 0x681c, 1, 768 },
	{ 0x681e, 1, 816 },
	{ 0x6820, 1, 776 },
	{ 0x6c00, 3, 40 },	/* the host's CR0, CR3, CR4, bases, RSP, RIP */
	{ 0x6c06, 5, 576 },
	{ 0x6c14, 1, 616 },
	{ 0x6c16, 1, 80 },
};

void need_evmcs(void)
{
	if (ioctl(kvm_dev(), KVM_CHECK_EXTENSION, KVM_CAP_HYPERV_ENLIGHTENED_VMCS) <= 0)
		ktap_skip("KVM offers enlightened VMCS (CONFIG_KVM_HYPERV)");
}

/* Hyper-V's leaves are where KVM's own would be. */
void hyperv_cpuid(struct vcpu *vcpu, struct kvm_cpuid2 *cpuid)
{
	static union {
		struct kvm_cpuid2 cpuid;
		char room[sizeof(struct kvm_cpuid2) + 32 * sizeof(struct kvm_cpuid_entry2)];
	} u;
	uint32_t i, kept = 0;

	u.cpuid.nent = 32;
	REQUIRE(!ioctl(vcpu->fd, KVM_GET_SUPPORTED_HV_CPUID, &u.cpuid),
		"KVM_GET_SUPPORTED_HV_CPUID: %s", strerror(errno));
	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function >> 8 != 0x400000)
			cpuid->entries[kept++] = cpuid->entries[i];
	for (i = 0; i < u.cpuid.nent; i++)
		cpuid->entries[kept++] = u.cpuid.entries[i];
	cpuid->nent = kept;
}

void hyperv_evmcs(struct vcpu *vcpu)
{
	uint16_t version = 0;
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_HYPERV_ENLIGHTENED_VMCS, .args[0] = (uint64_t)&version,
	};

	REQUIRE(!ioctl(vcpu->fd, KVM_ENABLE_CAP, &cap),
		"KVM_ENABLE_CAP of enlightened VMCS: %s", strerror(errno));
	REQUIRE((version & 0xff) == 1, "enlightened VMCS has version %#x", version);
}

void evmcs_new(struct vm *vm, struct vmx *vmx)
{
	vmx->assist = vm_pages(vm, 1);
	vmx->evmcs_pages = vm_pages(vm, 2);
}

static unsigned int size_of(uint32_t field)
{
	static const unsigned char sizes[] = { 2, 8, 4, 8 };

	return sizes[field >> 13 & 3];
}

static unsigned int offset_of(uint32_t field)
{
	unsigned int i;

	for (i = 0; i < COUNT(ranges); i++) {
		const struct range *r = &ranges[i];

		if (field >= r->first && field < r->first + 2u * r->count)
			return r->offset + (field - r->first) / 2 * size_of(field);
	}
	/* A mistake of the test: past the page, and the guest's end. */
	asm volatile("ud2");
	return 0;
}

uint64_t evmcs_read(const void *evmcs, uint32_t field)
{
	const void *at = (const char *)evmcs + offset_of(field);

	switch (size_of(field)) {
	case 2:
		return *(const uint16_t *)at;
	case 4:
		return *(const uint32_t *)at;
	default:
		return *(const uint64_t *)at;
	}
}

void evmcs_write(void *evmcs, uint32_t field, uint64_t value)
{
	void *at = (char *)evmcs + offset_of(field);

	switch (size_of(field)) {
	case 2:
		*(uint16_t *)at = value;
		break;
	case 4:
		*(uint32_t *)at = value;
		break;
	default:
		*(uint64_t *)at = value;
	}
}

uint32_t *evmcs_clean_fields(void *evmcs)
{
	return (uint32_t *)((char *)evmcs + CLEAN_FIELDS);
}

void evmcs_enlighten_bitmap(void *evmcs)
{
	*(uint32_t *)((char *)evmcs + ENLIGHTENMENTS) = ENLIGHTENED_MSR_BITMAP;
}

void evmcs_use(struct vmx *vmx, unsigned int which)
{
	vmx->evmcs = vmx->evmcs_pages + which * PAGE_SIZE;
	*(uint64_t *)(vmx->assist + CURRENT_NESTED_VMCS) = (uint64_t)vmx->evmcs;
}

static void copy_vmcs(void *evmcs)
{
	unsigned int i, n;

	*(uint32_t *)((char *)evmcs + REVISION) = 1;
	for (i = 0; i < COUNT(ranges); i++)
		for (n = 0; n < ranges[i].count; n++) {
			const uint32_t field = ranges[i].first + 2 * n;

			evmcs_write(evmcs, field, vmread(field));
		}
}

void evmcs_start(struct vmx *vmx)
{
	uint64_t physical = (uint64_t)vmx->vmcs;

	copy_vmcs(vmx->evmcs_pages);
	copy_vmcs(vmx->evmcs_pages + PAGE_SIZE);
	/* Before the next: after it KVM takes every VMCS for an enlightened one. */
	asm volatile("vmclear %0" : : "m"(physical) : "cc", "memory");
	evmcs_use(vmx, 0);
	vmx->assist[ENLIGHTEN_VMENTRY] = 1;
	wrmsr(MSR_VP_ASSIST_PAGE, (uint64_t)vmx->assist | ASSIST_ENABLE);
}
