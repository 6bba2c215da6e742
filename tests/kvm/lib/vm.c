// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ktap.h"
#include "vm.h"

#define RAM_SIZE (8u << 20)

/* Of the linker: the program's image. */
extern char __executable_start[], _end[];

static int dev = -1;

int kvm_dev(void)
{
	if (dev < 0)
		dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	REQUIRE(dev >= 0, "/dev/kvm: %s", strerror(errno));
	return dev;
}

void kvm_leave(void)
{
	close(dev);
	dev = -1;
}

struct kvm_cpuid2 *kvm_cpuid(void)
{
	static union {
		struct kvm_cpuid2 cpuid;
		char room[sizeof(struct kvm_cpuid2) + 256 * sizeof(struct kvm_cpuid_entry2)];
	} u;

	u.cpuid.nent = 256;
	REQUIRE(!ioctl(kvm_dev(), KVM_GET_SUPPORTED_CPUID, &u.cpuid),
		"KVM_GET_SUPPORTED_CPUID: %s", strerror(errno));
	return &u.cpuid;
}

struct kvm_cpuid_entry2 *cpuid_leaf(struct kvm_cpuid2 *cpuid, uint32_t leaf, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == leaf && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	return NULL;
}

bool kvm_has_pks(void)
{
	struct kvm_cpuid_entry2 *leaf = cpuid_leaf(kvm_cpuid(), 7, 0);

	return leaf && leaf->ecx >> 31;
}

bool kvm_lists_msr(uint32_t msr)
{
	static union {
		struct kvm_msr_list list;
		char room[sizeof(struct kvm_msr_list) + 4096 * sizeof(uint32_t)];
	} u;
	uint32_t i;

	u.list.nmsrs = 4096;
	REQUIRE(!ioctl(kvm_dev(), KVM_GET_MSR_INDEX_LIST, &u.list),
		"KVM_GET_MSR_INDEX_LIST: %s", strerror(errno));
	for (i = 0; i < u.list.nmsrs; i++)
		if (u.list.indices[i] == msr)
			return true;
	return false;
}

const char *module_param(const char *module, const char *name)
{
	static char value[64];
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", module, name);
	file = fopen(path, "r");
	if (!file)
		return NULL;
	if (!fgets(value, sizeof(value), file))
		value[0] = 0;
	fclose(file);
	value[strcspn(value, "\n")] = 0;
	return value;
}

void need_pks(void)
{
	if (!kvm_has_pks())
		ktap_skip("KVM advertises PKS");
}

void need_nested(void)
{
	if (!(cpuid_leaf(kvm_cpuid(), 1, 0)->ecx & 1 << 5))
		ktap_skip("KVM supports VMX in a guest");
}

void need_forced_emulation(void)
{
	const char *value = module_param("kvm", "force_emulation_prefix");

	if (!value || (strcmp(value, "1") && strcmp(value, "Y")))
		ktap_skip("kvm.force_emulation_prefix=1");
}

void vm_slot(struct vm *vm, uint64_t gpa, void *memory, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = vm->slots++, .guest_phys_addr = gpa,
		.memory_size = size, .userspace_addr = (uint64_t)memory,
	};

	REQUIRE(!ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region),
		"KVM_SET_USER_MEMORY_REGION: %s", strerror(errno));
}

void *vm_pages(struct vm *vm, unsigned int count)
{
	char *pages = vm->free;

	vm->free += count * PAGE_SIZE;
	REQUIRE(vm->free <= vm->ram + RAM_SIZE, "the test VM's RAM is too small");
	return pages;
}

uint64_t *vm_entry(struct vm *vm, uint64_t va, int level)
{
	uint64_t *table = vm->root, *entry;
	int at;

	for (at = 4;; at--) {
		entry = &table[va >> (12 + 9 * (at - 1)) & 511];
		if (at == level)
			return entry;
		if (!(*entry & PTE_P))
			*entry = (uint64_t)vm_pages(vm, 1) | PTE_P | PTE_W | PTE_U | PTE_A;
		table = (uint64_t *)(*entry & PTE_ADDRESS);
	}
}

uint64_t *vm_map(struct vm *vm, uint64_t va, uint64_t gpa, uint64_t bits, int level)
{
	uint64_t *entry = vm_entry(vm, va, level);

	*entry = gpa | bits | PTE_P | (level > 1 ? PTE_PS : 0);
	return entry;
}

static uint64_t image_start(void)
{
	return (uint64_t)__executable_start & -PAGE_SIZE;
}

static uint64_t image_size(void)
{
	return (((uint64_t)_end + PAGE_SIZE - 1) & -PAGE_SIZE) - image_start();
}

static void map_all(struct vm *vm)
{
	const uint64_t bits = PTE_W | PTE_A | PTE_D | PTE_KEY(OWN_KEY);
	uint64_t at;

	for (at = image_start(); at < image_start() + image_size(); at += PAGE_SIZE) {
		vm_map(vm, at, at, bits, 1);
		vm_map(vm, USER_ALIAS + at, at, bits | PTE_U, 1);
	}
	for (at = (uint64_t)vm->ram; at < (uint64_t)vm->ram + RAM_SIZE; at += PAGE_SIZE)
		vm_map(vm, at, at, bits, 1);
	vm_map(vm, MMIO, MMIO, bits, 1);
	vm_map(vm, USER_ALIAS + MMIO, MMIO, bits | PTE_U, 1);
}

static struct vm *create(char *ram)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	uint64_t identity_map = 0xfffbc000;

	vm->fd = ioctl(kvm_dev(), KVM_CREATE_VM, 0);
	REQUIRE(vm->fd >= 0, "KVM_CREATE_VM: %s", strerror(errno));
	/* Both are for kvm_intel.unrestricted_guest=0 only. */
	ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
	ioctl(vm->fd, KVM_SET_TSS_ADDR, identity_map + PAGE_SIZE);
	vm->ram = ram;
	vm->free = ram;
	vm_slot(vm, image_start(), (void *)image_start(), image_size());
	vm_slot(vm, (uint64_t)ram, ram, RAM_SIZE);
	return vm;
}

struct vm *vm_new(void)
{
	/* Low, to be a guest-physical address on any processor. */
	char *room = mmap(NULL, RAM_SIZE + BIG_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct vm *vm;

	REQUIRE(room != MAP_FAILED, "RAM for a VM: %s", strerror(errno));
	vm = create((char *)(((uint64_t)room + BIG_SIZE - 1) & -(uint64_t)BIG_SIZE));
	vm->room = room;
	vm->root = vm_pages(vm, 1);
	map_all(vm);
	return vm;
}

struct vm *vm_twin(struct vm *vm)
{
	struct vm *twin = create(vm->ram);

	twin->room = vm->room;
	vm->room = NULL;
	twin->root = vm->root;
	twin->free = vm->free;
	return twin;
}

void vm_leave(struct vm *vm)
{
	close(vm->fd);
	vm->fd = -1;
}

void vm_free(struct vm *vm)
{
	vm_leave(vm);
	if (vm->room)
		munmap(vm->room, RAM_SIZE + BIG_SIZE);
	free(vm);
}

void vm_irqchip(struct vm *vm)
{
	REQUIRE(!ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP: %s",
		strerror(errno));
}

void vm_filter_msr(struct vm *vm, uint32_t msr, uint32_t deny)
{
	uint8_t refuse = 0;
	struct kvm_msr_filter f = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges[0] = { .flags = deny, .nmsrs = !!deny, .base = msr,
			       .bitmap = &refuse },
	};

	REQUIRE(!ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &f), "KVM_X86_SET_MSR_FILTER: %s",
		strerror(errno));
}

void vm_filter(struct vm *vm, uint32_t deny)
{
	vm_filter_msr(vm, MSR_PKRS, deny);
}
