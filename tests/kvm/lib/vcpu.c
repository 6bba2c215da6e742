// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "evmcs.h"
#include "ktap.h"

enum { STACK_PAGES = 4 };

/*
 * No test sends the guest an interrupt, but it runs with them on, and by trap
 * gates keeps them so: Bochs 3.0 holds the host's own interrupts back from a
 * guest with IF=0, which would then never be preempted.
 */
#define EFLAGS_IF (1u << 9)

struct gate {
	uint16_t offset_0, selector;
	uint8_t ist, type;
	uint16_t offset_16;
	uint32_t offset_32, zero;
} __attribute__((packed));

struct tss {
	uint32_t reserved;
	uint64_t rsp[3], reserved_2, ist[7];
	uint64_t reserved_3;
	uint16_t reserved_4, io_map;
} __attribute__((packed));

/* The tables of a vCPU: one page each, so that a page's key is a table's key. */
struct tables {
	uint64_t *gdt;
	struct gate *idt;
	struct tss *tss;
	uint64_t *ldt;
};

static void system_segment(uint64_t *at, const void *base, uint32_t limit, int type)
{
	uint64_t b = (uint64_t)base;

	at[0] = (b & 0xffffff) << 16 | (b >> 24 & 0xff) << 56 | limit |
		(uint64_t)(0x80 | type) << 40;
	at[1] = b >> 32;
}

static void fill_tables(const struct tables *t, char *ist_top)
{
	int i;

	t->gdt[SEL_CODE / 8] = 0x00af9b000000ffff;
	t->gdt[SEL_DATA / 8] = 0x00cf93000000ffff;
	t->gdt[SEL_USER_DATA / 8] = 0x00cff3000000ffff;
	t->gdt[SEL_USER_CODE / 8] = 0x00affb000000ffff;
	system_segment(&t->gdt[SEL_TSS / 8], t->tss, sizeof(*t->tss) - 1, 0xb);
	system_segment(&t->gdt[SEL_LDT / 8], t->ldt, PAGE_SIZE - 1, 0x2);
	t->tss->ist[0] = (uint64_t)ist_top;
	t->tss->io_map = sizeof(*t->tss);
	for (i = 0; i < 32; i++) {
		uint64_t at = (uint64_t)guest_vectors + 16 * i;

		t->idt[i] = (struct gate) {
			.offset_0 = at, .offset_16 = at >> 16, .offset_32 = at >> 32,
			.selector = SEL_CODE, .ist = 1, .type = 0x8f,
		};
	}
}

static struct kvm_segment segment(uint16_t selector, int type, bool code)
{
	return (struct kvm_segment) {
		.selector = selector, .type = type, .present = 1, .limit = ~0u,
		.s = 1, .g = 1, .db = !code, .l = code,
	};
}

static void fill_sregs(struct vcpu *vcpu, const struct tables *t)
{
	struct kvm_sregs *s = &vcpu->start;

	*s = sregs_get(vcpu);
	s->cs = segment(SEL_CODE, 0xb, true);
	s->ds = s->es = s->fs = s->gs = s->ss = segment(SEL_DATA, 0x3, false);
	s->gs.base = (uint64_t)vcpu->cpu;
	s->tr = (struct kvm_segment) {
		.selector = SEL_TSS, .type = 0xb, .present = 1,
		.base = (uint64_t)t->tss, .limit = sizeof(*t->tss) - 1,
	};
	s->ldt = (struct kvm_segment) {
		.selector = SEL_LDT, .type = 0x2, .present = 1,
		.base = (uint64_t)t->ldt, .limit = PAGE_SIZE - 1,
	};
	s->gdt.base = (uint64_t)t->gdt;
	s->gdt.limit = PAGE_SIZE - 1;
	s->idt.base = (uint64_t)t->idt;
	s->idt.limit = 32 * sizeof(*t->idt) - 1;
	s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	s->cr3 = (uint64_t)vcpu->vm->root;
	s->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	s->efer = EFER_LME | EFER_LMA | EFER_NX;
}

struct vcpu *vcpu_bare(struct vm *vm, unsigned int id)
{
	struct vcpu *vcpu = calloc(1, sizeof(*vcpu));
	int size = ioctl(kvm_dev(), KVM_GET_VCPU_MMAP_SIZE, 0);

	vcpu->vm = vm;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)id);
	REQUIRE(vcpu->fd >= 0, "KVM_CREATE_VCPU: %s", strerror(errno));
	vcpu->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	REQUIRE(vcpu->run != MAP_FAILED, "struct kvm_run: %s", strerror(errno));
	return vcpu;
}

struct vcpu *vcpu_new_id(struct vm *vm, unsigned int id, int pks, void (*fn)(uint64_t),
			 uint64_t arg)
{
	struct vcpu *vcpu = vcpu_bare(vm, id);
	struct tables tables;
	char *stack = vm_pages(vm, STACK_PAGES), *ist = vm_pages(vm, 1);

	tables.gdt = vm_pages(vm, 1);
	tables.idt = vm_pages(vm, 1);
	tables.tss = vm_pages(vm, 1);
	tables.ldt = vm_pages(vm, 1);
	vcpu->cpu = vm_pages(vm, 1);
	vcpu->stack = (uint64_t)stack + STACK_PAGES * PAGE_SIZE;
	fill_tables(&tables, ist + PAGE_SIZE);
	REQUIRE(!vcpu_set_cpuid(vcpu, pks), "KVM_SET_CPUID2: %s", strerror(errno));
	fill_sregs(vcpu, &tables);
	vcpu_call(vcpu, fn, arg);
	return vcpu;
}

struct vcpu *vcpu_new(struct vm *vm, int pks, void (*fn)(uint64_t), uint64_t arg)
{
	return vcpu_new_id(vm, 0, pks, fn, arg);
}

void vcpu_free(struct vcpu *vcpu)
{
	munmap(vcpu->run, ioctl(kvm_dev(), KVM_GET_VCPU_MMAP_SIZE, 0));
	close(vcpu->fd);
	free(vcpu);
}

int vcpu_set_cpuid(struct vcpu *vcpu, int pks)
{
	struct kvm_cpuid2 *cpuid = kvm_cpuid();
	struct kvm_cpuid_entry2 *leaf = cpuid_leaf(cpuid, 7, 0);

	vcpu->pks = pks;
	REQUIRE(leaf, "KVM supports no CPUID leaf 7");
	leaf->ecx &= ~(1u << 31);
	leaf->ecx |= (uint32_t)pks << 31;
	if (vcpu->hyperv & HYPERV_EVMCS)
		hyperv_evmcs(vcpu);
	if (vcpu->hyperv & HYPERV_CPUID)
		hyperv_cpuid(vcpu, cpuid);
	return ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid);
}

void vcpu_call(struct vcpu *vcpu, void (*fn)(uint64_t), uint64_t arg)
{
	struct kvm_regs regs = {
		.rip = (uint64_t)guest_entry, .rsp = vcpu->stack, .rflags = 2 | EFLAGS_IF,
		.rdi = (uint64_t)fn, .rsi = arg,
	};

	REQUIRE(sregs_set(vcpu, &vcpu->start), "KVM_SET_SREGS: %s", strerror(errno));
	REQUIRE(!ioctl(vcpu->fd, KVM_SET_REGS, &regs), "KVM_SET_REGS: %s", strerror(errno));
}

unsigned int vcpu_run(struct vcpu *vcpu)
{
	REQUIRE(!ioctl(vcpu->fd, KVM_RUN, 0), "KVM_RUN: %s", strerror(errno));
	return vcpu->run->exit_reason;
}

static void unexpected(struct vcpu *vcpu, const char *wanted)
{
	const struct kvm_run *run = vcpu->run;
	const struct cpu *cpu = vcpu->cpu;
	struct kvm_regs regs = { 0 };

	ioctl(vcpu->fd, KVM_GET_REGS, &regs);
	if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT_PANIC)
		ktap_note("guest exception %llu, error %#llx, address %#llx at %#llx",
			  (unsigned long long)cpu->vector, (unsigned long long)cpu->error,
			  (unsigned long long)cpu->address, (unsigned long long)cpu->rip);
	if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR ||
	    run->exit_reason == KVM_EXIT_FAIL_ENTRY)
		ktap_note("suberror or hardware reason %#llx",
			  (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
	REQUIRE(false, "wanted %s, got exit reason %u at rip %#llx", wanted,
		run->exit_reason, (unsigned long long)regs.rip);
}

/* KVM_RUN until the guest writes to a port; answers its reads of MMIO. */
static uint16_t run_to_port(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	for (;;) {
		unsigned int reason = vcpu_run(vcpu);

		if (reason == KVM_EXIT_MMIO && run->mmio.phys_addr / PAGE_SIZE == MMIO / PAGE_SIZE)
			memset(run->mmio.data, MMIO_BYTE, sizeof(run->mmio.data));
		else if (reason != KVM_EXIT_IO || run->io.port != PORT_STRING)
			return reason == KVM_EXIT_IO ? run->io.port : 0;
	}
}

uint64_t vcpu_sync(struct vcpu *vcpu)
{
	if (run_to_port(vcpu) != PORT_SYNC)
		unexpected(vcpu, "the guest's sync");
	return vcpu->cpu->value;
}

void vcpu_done(struct vcpu *vcpu)
{
	if (run_to_port(vcpu) != PORT_DONE)
		unexpected(vcpu, "the guest's end");
}

void vcpu_complete(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	CHECK(ioctl(vcpu->fd, KVM_RUN, 0) && errno == EINTR,
	      "KVM_RUN with immediate_exit ended otherwise");
	vcpu->run->immediate_exit = 0;
}
