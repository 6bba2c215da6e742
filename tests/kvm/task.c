// SPDX-License-Identifier: GPL-2.0-only
/*
 * A task switch, which KVM emulates: CR4.PKS and PKRS stay, and keys play no part
 * in KVM's walks to the two TSSs, for EFER.LMA is clear (KVM-12, PKS-1).
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "ktap.h"
#include "vm.h"

enum { LOW_SIZE = 0x10000, PORT = 0x600, NEW_PKRS = 0x12345678 };

/* What is where: of each task the TSS, the page directory and the code. */
enum {
	GDT = 0x1000, TSS_A = 0x2000, TSS_B = 0x3000, TABLE_A = 0x4000, TABLE_B = 0x5000,
	CODE_A = 0x6000, CODE_B = 0x7000
};
enum { SEL_A = 0x18, SEL_B = 0x20 };

/* Words of a 32-bit TSS. */
enum { TSS_CR3 = 7, TSS_EIP, TSS_EFLAGS, TSS_ES = 18, TSS_CS, TSS_SS, TSS_DS };

#define JUMP(selector)	0xea, 0, 0, 0, 0, (selector), 0
/* mov $6e1, %ecx; rdmsr; mov $PORT, %edx; out; mov %cr4, %eax; out; mov %cr3, %eax; out */
#define TELL 0xb9, 0xe1, 0x06, 0, 0, 0x0f, 0x32, 0xba, PORT & 0xff, PORT >> 8, 0, 0, 0xef, \
	0x0f, 0x20, 0xe0, 0xef, 0x0f, 0x20, 0xd8, 0xef
/* mov $NEW_PKRS, %eax; xor %edx, %edx; wrmsr */
#define CHANGE 0xb8, 0x78, 0x56, 0x34, 0x12, 0x31, 0xd2, 0x0f, 0x30

static const uint8_t code_a[] = { JUMP(SEL_B), TELL };
static const uint8_t code_b[] = { TELL, CHANGE, JUMP(SEL_A) };

static uint64_t tss_descriptor(uint64_t base, uint64_t type)
{
	return 0x67 | base << 16 | type << 40;
}

static void fill(char *low)
{
	uint64_t *gdt = (uint64_t *)(low + GDT);
	uint32_t *tss = (uint32_t *)(low + TSS_B), i;

	gdt[SEL_CODE / 8] = 0x00cf9b000000ffff;
	gdt[SEL_DATA / 8] = 0x00cf93000000ffff;
	gdt[SEL_A / 8] = tss_descriptor(TSS_A, 0x8b);
	gdt[SEL_B / 8] = tss_descriptor(TSS_B, 0x89);
	for (i = 0; i < 1024; i++)
		((uint32_t *)(low + TABLE_A))[i] = i << 22 | PTE_PS | PTE_W | PTE_P;
	memcpy(low + TABLE_B, low + TABLE_A, PAGE_SIZE);
	/* A's is filled when it is left, but for this. */
	((uint32_t *)(low + TSS_A))[TSS_CR3] = TABLE_A;
	tss[TSS_CR3] = TABLE_B;
	tss[TSS_EIP] = CODE_B;
	tss[TSS_EFLAGS] = 2;
	tss[TSS_CS] = SEL_CODE;
	tss[TSS_ES] = tss[TSS_SS] = tss[TSS_DS] = SEL_DATA;
	memcpy(low + CODE_A, code_a, sizeof(code_a));
	memcpy(low + CODE_B, code_b, sizeof(code_b));
}

static void segment(struct kvm_segment *s, uint16_t selector, uint8_t type)
{
	*s = (struct kvm_segment){ .selector = selector, .limit = ~0u, .type = type,
				   .present = 1, .db = 1, .s = 1, .g = 1 };
}

static void start_task_a(struct vcpu *vcpu)
{
	struct kvm_sregs s = sregs_get(vcpu);
	struct kvm_regs r = { .rip = CODE_A, .rflags = 2 };

	s.cr0 |= CR0_PE | CR0_PG;
	s.cr3 = TABLE_A;
	s.cr4 = CR4_PSE | CR4_PKS;
	s.efer = 0;
	segment(&s.cs, SEL_CODE, 11);
	segment(&s.ds, SEL_DATA, 3);
	s.es = s.fs = s.gs = s.ss = s.ds;
	s.tr = (struct kvm_segment){ .base = TSS_A, .limit = 0x67, .selector = SEL_A,
				     .type = 11, .present = 1 };
	s.gdt = (struct kvm_dtable){ .base = GDT, .limit = SEL_B + 7 };
	REQUIRE(sregs_set(vcpu, &s), "KVM_SET_SREGS: %s", strerror(errno));
	REQUIRE(!ioctl(vcpu->fd, KVM_SET_REGS, &r), "KVM_SET_REGS: %s", strerror(errno));
	pkrs_set(vcpu, ~0u);
}

static uint32_t told(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	REQUIRE(vcpu_run(vcpu) == KVM_EXIT_IO && run->io.port == PORT, "exit reason %u",
		run->exit_reason);
	return *(uint32_t *)((char *)run + run->io.data_offset);
}

static void check_task(struct vcpu *vcpu, const char *task, uint32_t pkrs, uint32_t cr3)
{
	uint32_t got = told(vcpu);

	CHECK(got == pkrs, "task %s reads PKRS = %#x, not %#x", task, got, pkrs);
	got = told(vcpu);
	CHECK(got & CR4_PKS, "task %s reads CR4 = %#x", task, got);
	got = told(vcpu);
	CHECK(got == cr3, "task %s reads CR3 = %#x, not %#x", task, got, cr3);
}

static void there_and_back(void)
{
	struct vcpu *vcpu;
	struct vm *vm;
	char *low;

	need_pks();
	low = mmap(NULL, LOW_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(low != MAP_FAILED, "low memory: %s", strerror(errno));
	fill(low);
	vm = vm_new();
	vm_slot(vm, 0, low, LOW_SIZE);
	vcpu = vcpu_bare(vm, 0);
	REQUIRE(!vcpu_set_cpuid(vcpu, PKS_ON), "KVM_SET_CPUID2: %s", strerror(errno));
	start_task_a(vcpu);
	check_task(vcpu, "B", ~0u, TABLE_B);
	check_task(vcpu, "A", NEW_PKRS, TABLE_A);
	vcpu_free(vcpu);
	vm_free(vm);
	munmap(low, LOW_SIZE);
}

static const struct test tests[] = {
	{ "kvm.task.there_and_back", "KVM-12, PKS-1", there_and_back, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
