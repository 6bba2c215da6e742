// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's memory is changed behind its back: what the processor has kept of
 * it (TLB-15) must be dropped by KVM. The guest has used the page before, or its
 * own guest has, with EPT and without.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "ktap.h"
#include "vmx.h"

enum { OLD = 1, NEW = 2, SLOT = 100 };

/* The page under test: where the guest has it, and its memory. */
static char *const page = (char *)0x60000000;

/* Who uses it. */
static enum { IN_L1, IN_L2, IN_L2_WITH_EPT } level;
static const char *const who[] = { "the guest", "L2", "L2 with EPT" };
static struct vmx *vmx;
static void (*uses)(uint64_t);

static void new_page(char *at, char content)
{
	REQUIRE(mmap(at, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		     -1, 0) == at, "mmap: %s", strerror(errno));
	*at = content;
}

static void set_slot(struct vm *vm, const char *memory, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = SLOT, .flags = flags, .guest_phys_addr = (uint64_t)page,
		.memory_size = memory ? PAGE_SIZE : 0, .userspace_addr = (uint64_t)memory,
	};

	REQUIRE(!ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region),
		"KVM_SET_USER_MEMORY_REGION: %s", strerror(errno));
}

static void l1(uint64_t at)
{
	vmx_start(vmx);
	vmx_run(vmx, uses, at);
}

static struct vcpu *guest(void (*fn)(uint64_t))
{
	struct vm *vm = vm_new();

	if (level != IN_L1)
		vmx = vmx_new(vm, level == IN_L2_WITH_EPT);
	uses = fn;
	new_page(page, OLD);
	set_slot(vm, page, 0);
	vm_map(vm, (uint64_t)page, (uint64_t)page, PTE_W | PTE_A | PTE_D | PTE_KEY(OWN_KEY), 1);
	return vcpu_new(vm, PKS_OFF, level == IN_L1 ? fn : l1, (uint64_t)page);
}

static void end(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	vcpu_free(vcpu);
	vm_free(vm);
	munmap(page, PAGE_SIZE);
}

static void reads(uint64_t at)
{
	for (;;)
		guest_sync(*(volatile char *)at);
}

static void writes(uint64_t at)
{
	for (;;) {
		*(volatile char *)at = OLD;
		guest_sync(0);
	}
}

/*
 * The host has another page there, as after a swap: an MMU notifier. It is there
 * before the old one is gone, or the two would be one page of the host's.
 */
static void host_page_of(void)
{
	struct vcpu *vcpu = guest(reads);
	char *other = page + 16 * PAGE_SIZE;

	CHECK(vcpu_sync(vcpu) == OLD, "%s does not see its page", who[level]);
	new_page(other, NEW);
	REQUIRE(mremap(other, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, page) == page,
		"mremap: %s", strerror(errno));
	CHECK(vcpu_sync(vcpu) == NEW, "%s sees a page that is no longer its own", who[level]);
	end(vcpu);
}

static bool written(struct vm *vm)
{
	uint64_t bits = 0;
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = &bits };

	REQUIRE(!ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), "KVM_GET_DIRTY_LOG: %s", strerror(errno));
	return bits;
}

/* A migration would lose the write. */
static void log_starts_of(void)
{
	struct vcpu *vcpu = guest(writes);

	vcpu_sync(vcpu);
	set_slot(vcpu->vm, page, KVM_MEM_LOG_DIRTY_PAGES);
	vcpu_sync(vcpu);
	CHECK(written(vcpu->vm), "the first write of %s is not in the log", who[level]);
	end(vcpu);
}

static void log_goes_on_of(void)
{
	struct vcpu *vcpu = guest(writes);
	int i;

	set_slot(vcpu->vm, page, KVM_MEM_LOG_DIRTY_PAGES);
	for (i = 0; i < 3; i++) {
		vcpu_sync(vcpu);
		CHECK(written(vcpu->vm), "write %d of %s is not in the log", i, who[level]);
	}
	CHECK(!written(vcpu->vm), "a write of %s is in the log that was not made", who[level]);
	end(vcpu);
}

static void at_each_level(void (*test)(void))
{
	const char *ept = module_param("kvm_intel", "ept");

	need_nested();
	for (level = IN_L1; level <= (ept && *ept == 'Y' ? IN_L2_WITH_EPT : IN_L2); level++)
		test();
}

static void host_page(void)
{
	at_each_level(host_page_of);
}

static void log_starts(void)
{
	at_each_level(log_starts_of);
}

static void log_goes_on(void)
{
	at_each_level(log_goes_on_of);
}

static const struct test tests[] = {
	{ "kvm.memory.host_page", "TLB-15", host_page, NULL },
	{ "kvm.memory.log_starts", "TLB-15", log_starts, NULL },
	{ "kvm.memory.log_goes_on", "TLB-15", log_goes_on, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
