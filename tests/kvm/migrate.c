// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live migration: a vCPU is saved in the middle of what it does with PKS and
 * goes on in another VM with the same memory, whatever the order of restoring.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ktap.h"
#include "vm.h"

enum { KEY = 2, ROUNDS = 8 };

/* What else the guest keeps in registers: proof that the rest is restored. */
enum { COOKIE = 0x1badb002 };

enum step { CPUID, SREGS, MSRS, REGS, FPU, STEPS };

struct state {
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_msrs *msrs;
};

static struct kvm_msr_list *msr_list(void)
{
	static union {
		struct kvm_msr_list list;
		char room[sizeof(struct kvm_msr_list) + 4096 * sizeof(uint32_t)];
	} u;

	u.list.nmsrs = 4096;
	REQUIRE(!ioctl(kvm_dev(), KVM_GET_MSR_INDEX_LIST, &u.list), "KVM_GET_MSR_INDEX_LIST: %s",
		strerror(errno));
	return &u.list;
}

static void save(struct vcpu *vcpu, struct state *s)
{
	struct kvm_msr_list *list = msr_list();
	uint32_t i;

	vcpu_complete(vcpu);
	s->sregs = sregs_get(vcpu);
	REQUIRE(!ioctl(vcpu->fd, KVM_GET_REGS, &s->regs), "KVM_GET_REGS: %s", strerror(errno));
	REQUIRE(!ioctl(vcpu->fd, KVM_GET_XSAVE, &s->xsave), "KVM_GET_XSAVE: %s",
		strerror(errno));
	REQUIRE(!ioctl(vcpu->fd, KVM_GET_XCRS, &s->xcrs), "KVM_GET_XCRS: %s", strerror(errno));
	s->msrs = calloc(1, sizeof(*s->msrs) + list->nmsrs * sizeof(*s->msrs->entries));
	for (i = 0; i < list->nmsrs; i++) {
		struct kvm_msr_entry *entry = &s->msrs->entries[s->msrs->nmsrs];
		uint64_t value;

		entry->index = list->indices[i];
		if (!msr_get(vcpu, entry->index, &value))
			continue;
		entry->data = value;
		s->msrs->nmsrs++;
	}
}

static void restore_step(struct vcpu *vcpu, struct state *s, enum step step)
{
	uint32_t i;

	switch (step) {
	case CPUID:
		REQUIRE(!vcpu_set_cpuid(vcpu, PKS_ON), "KVM_SET_CPUID2: %s", strerror(errno));
		break;
	case SREGS:
		REQUIRE(sregs_set(vcpu, &s->sregs), "KVM_SET_SREGS: %s", strerror(errno));
		break;
	case MSRS:
		/* One by one: KVM takes back not all that it lists, but PKRS it must. */
		for (i = 0; i < s->msrs->nmsrs; i++) {
			struct kvm_msr_entry *e = &s->msrs->entries[i];

			CHECK(msr_set(vcpu, e->index, e->data) || e->index != MSR_PKRS,
			      "KVM_SET_MSRS refuses PKRS = %#llx", e->data);
		}
		break;
	case REGS:
		REQUIRE(!ioctl(vcpu->fd, KVM_SET_REGS, &s->regs), "KVM_SET_REGS: %s",
			strerror(errno));
		break;
	default:
		REQUIRE(!ioctl(vcpu->fd, KVM_SET_XCRS, &s->xcrs), "KVM_SET_XCRS: %s",
			strerror(errno));
		REQUIRE(!ioctl(vcpu->fd, KVM_SET_XSAVE, &s->xsave), "KVM_SET_XSAVE: %s",
			strerror(errno));
	}
}

/* The vCPU goes on in a new VM; the old one goes. */
static struct vcpu *migrate(struct vcpu *from, const enum step *order)
{
	struct vm *twin = vm_twin(from->vm);
	struct vcpu *to = vcpu_bare(twin, 0);
	struct state state;
	int i;

	memset(&state, 0, sizeof(state));
	save(from, &state);
	to->cpu = from->cpu;
	for (i = 0; i < STEPS; i++)
		restore_step(to, &state, order[i]);
	CHECK(pkrs_get(to) == pkrs_get(from), "PKRS %#lx became %#lx", pkrs_get(from),
	      pkrs_get(to));
	CHECK(sregs_get(to).cr4 == sregs_get(from).cr4, "CR4 %#llx became %#llx",
	      sregs_get(from).cr4, sregs_get(to).cr4);
	free(state.msrs);
	vcpu_free(from);
	return to;
}

/* A page that only write windows may change. */
static void windows(uint64_t page)
{
	register uint64_t cookie asm("r12") = COOKIE;
	volatile uint64_t *counter = (uint64_t *)page;
	const uint32_t closed = KEY_BITS(KEY, KEY_WD) | KEY_BITS(15, KEY_AD);

	asm volatile("" : "+r"(cookie));
	wrmsr(MSR_PKRS, closed);
	write_cr4(read_cr4() | CR4_PKS);
	for (;;) {
		wrmsr(MSR_PKRS, closed & ~KEY_BITS(KEY, 3));
		guest_sync(cookie);			/* moved in the open window */
		(*counter)++;
		wrmsr(MSR_PKRS, closed);
		guest_sync(rdmsr(MSR_PKRS) == closed);	/* moved in the closed window */
		guest_sync((unsigned int)guest_probe(probe_write, counter, 0, 0));
		asm volatile("" : "+r"(cookie));
	}
}

static void in_order(const enum step *order)
{
	struct vm *vm;
	struct vcpu *vcpu;
	uint64_t *page;
	int i, got;

	need_pks();
	vm = vm_new();
	page = vm_pages(vm, 1);
	vm_map(vm, (uint64_t)page, (uint64_t)page, PTE_W | PTE_A | PTE_D | PTE_KEY(KEY), 1);
	vcpu = vcpu_new(vm, PKS_ON, windows, (uint64_t)page);
	for (i = 0; i < ROUNDS; i++) {
		CHECK(vcpu_sync(vcpu) == COOKIE, "round %d: a register is lost", i);
		vcpu = migrate(vcpu, order);
		CHECK(vcpu_sync(vcpu) == 1, "round %d: PKRS reads otherwise", i);
		CHECK(*page == (uint64_t)i + 1, "round %d: the write in the window is lost", i);
		vcpu = migrate(vcpu, order);
		got = vcpu_sync(vcpu);
		CHECK(got == (PF_P | PF_W | PF_PK), "round %d: outside a write gives %#x", i, got);
	}
	vcpu_free(vcpu);
	vm_free(vm);
}

static void msrs_first(void)
{
	static const enum step order[] = { CPUID, MSRS, SREGS, REGS, FPU };

	in_order(order);
}

static void sregs_first(void)
{
	static const enum step order[] = { CPUID, FPU, REGS, SREGS, MSRS };

	in_order(order);
}

/* A target that was told no PKS refuses what it cannot keep. */
static void to_no_pks(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	struct kvm_sregs s;

	need_pks();
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_OFF, windows, 0);
	CHECK(!msr_set(vcpu, MSR_PKRS, KEY_BITS(KEY, KEY_WD)), "it takes PKRS");
	CHECK(msr_set(vcpu, MSR_PKRS, 0), "it does not take PKRS = 0");
	s = sregs_get(vcpu);
	s.cr4 |= CR4_PKS;
	CHECK(!sregs_set(vcpu, &s), "it takes CR4.PKS");
	vcpu_free(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	{ "kvm.migrate.msrs_first", "KVM-8", msrs_first, NULL },
	{ "kvm.migrate.sregs_first", "KVM-8", sregs_first, NULL },
	{ "kvm.migrate.to_no_pks", "KVM-8", to_no_pks, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
