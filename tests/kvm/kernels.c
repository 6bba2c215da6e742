// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU that runs a hypervisor goes from the kernel's own KVM to ours, and back
 * (KVM-23). The guest stays in this process while the modules are exchanged:
 * the kernel's own are here as kvm.ko and kvm-intel.ko.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktap.h"
#include "move.h"
#include "vmx.h"

#define OURS	"/job/"
#define STOCK	"./"

/* Of L1, vmcs12's fields. */
enum { L1 = 0x00010203, GUEST = 0x00112233, HOST = 0x01223344 };

/* A kernel without PKS leaves in vmcs12 what L1 has there. */
#define GARBAGE 0xfeedfacecafebeefull

/* One vCPU each: exchanging the modules takes longer than all the rest. */
static struct mover {
	struct vmx *vmx;
	struct vcpu *vcpu;
	struct state state;
	int pks;
	uint64_t use;		/* what of PKS the guest uses */
} movers[8];

static void load(const char *modules)
{
	char command[256];

	kvm_leave();
	snprintf(command, sizeof(command), "rmmod kvm_intel && rmmod kvm && insmod %skvm.ko && "
		 "insmod %skvm-intel.ko", modules, modules);
	REQUIRE(!system(command), "cannot load the modules %s*", modules);
}

static void l2_syncs(uint64_t unused)
{
	uint64_t value;

	(void)unused;
	guest_sync(1);
	guest_sync(2);
	guest_sync(try_rdmsr(MSR_PKRS, &value));
}

/* L2, its exit, and L2 once more. The use is the controls. */
static void l1_syncs(uint64_t i)
{
	struct mover *m = &movers[i];
	uint64_t value;

	vmx_start(m->vmx);
	if (m->use)
		vmx_load_controls(m->use);
	vmwrite(GUEST_PKRS, GUEST);
	vmwrite(HOST_PKRS, HOST);
	guest_sync(0);
	guest_sync(vmx_run(m->vmx, l2_syncs, 0));
	guest_sync(try_rdmsr(MSR_PKRS, &value));
	guest_sync(vmx_run(m->vmx, l2_syncs, 0));
}

static const uint64_t syncs[] = { 0, 1, 2, VECTOR_GP, EXIT_VMCALL, VECTOR_GP, 1, 2, VECTOR_GP,
				  EXIT_VMCALL };

static void start(unsigned int i, bool ept, int pks, void (*fn)(uint64_t), uint64_t use)
{
	struct mover *m = &movers[i];
	struct vm *vm = vm_new();

	m->vmx = vmx_new(vm, ept);
	m->vmx->vmcs[VMCS12_FIRST / 8] = m->vmx->vmcs[VMCS12_SECOND / 8] = GARBAGE;
	m->pks = pks;
	m->use = use;
	m->vcpu = vcpu_new(vm, pks, fn, i);
}

static void check_syncs(unsigned int i, unsigned int from, unsigned int to)
{
	for (; from < to; from++) {
		uint64_t got = vcpu_sync(movers[i].vcpu);

		CHECK(got == syncs[from], "vCPU %u, sync %u: %#lx, not %#lx", i, from, got,
		      syncs[from]);
	}
}

/* KVM lists the register for all, but VMMs save it of guests with PKS only. */
static void forget_pkrs(struct kvm_msrs *msrs)
{
	uint32_t i;

	for (i = 0; i < msrs->nmsrs; i++)
		if (msrs->entries[i].index == MSR_PKRS)
			msrs->entries[i] = msrs->entries[--msrs->nmsrs];
}

/* All vCPUs in new VMs, but nothing of their states yet, under other modules. */
static void carry(unsigned int count, const char *modules)
{
	struct vcpu from[COUNT(movers)];
	unsigned int i;

	for (i = 0; i < count; i++) {
		from[i] = *movers[i].vcpu;
		vcpu_save(movers[i].vcpu, &movers[i].state);
		if (!movers[i].pks)
			forget_pkrs(movers[i].state.msrs);
		vcpu_free(movers[i].vcpu);
		vm_leave(from[i].vm);
	}
	load(modules);
	for (i = 0; i < count; i++) {
		movers[i].vcpu = vcpu_twin(&from[i]);
		vm_free(from[i].vm);
		REQUIRE(!vcpu_set_cpuid(movers[i].vcpu, PKS_OFF), "KVM_SET_CPUID2: %s",
			strerror(errno));
	}
}

/* The first step that is refused, or STEPS. */
static enum step restore(unsigned int i, const enum step *order)
{
	unsigned int s;

	for (s = 0; s < STEPS; s++)
		if (order[s] != CPUID && vcpu_restore(movers[i].vcpu, &movers[i].state, order[s]))
			return order[s];
	return STEPS;
}

static void end(unsigned int i)
{
	struct vm *vm = movers[i].vcpu->vm;

	free(movers[i].state.msrs);
	vcpu_free(movers[i].vcpu);
	vm_free(vm);
}

/* Moved in L1, in L2, in L1 after an exit, and in L2 again, without EPT and with it. */
static void there(const char *from, const char *to)
{
	static const unsigned int moments[] = { 1, 3, 5, 8 };
	unsigned int i;

	need_pks();
	need_nested();
	load(from);
	for (i = 0; i < 8; i++) {
		start(i, i & 1, PKS_OFF, l1_syncs, 0);
		check_syncs(i, 0, moments[i / 2]);
	}
	carry(8, to);
	for (i = 0; i < 8; i++) {
		enum step refused = restore(i, i & 2 ? msrs_first : nested_first);

		CHECK(refused == STEPS, "vCPU %u, step %d is refused: %s", i, refused,
		      strerror(errno));
		check_syncs(i, moments[i / 2], COUNT(syncs));
		end(i);
	}
}

/* L1's garbage where vmcs12 has PKRS now: not checked, and not used (KVM-19). */
static void from_stock(void)
{
	there(STOCK, OURS);
}

/* L1 was offered the controls, but has not used them. */
static void to_stock(void)
{
	there(OURS, STOCK);
	load(OURS);
}

/* The use is a value of PKRS, or CR4.PKS. */
static void use_pks(uint64_t i)
{
	guest_sync(0);
	if (movers[i].use == CR4_PKS)
		write_cr4(read_cr4() | CR4_PKS);
	else
		wrmsr(MSR_PKRS, movers[i].use);
	guest_sync(0);
}

/* What a kernel without PKS cannot keep it refuses. */
static void to_stock_refused(void)
{
	static const struct {
		int pks;
		void (*fn)(uint64_t);
		uint64_t use;
		enum step refused;
	} c[] = {
		{ PKS_OFF, l1_syncs, 1, NESTED }, { PKS_OFF, l1_syncs, 2, NESTED },
		{ PKS_OFF, l1_syncs, 3, NESTED }, { PKS_ON, use_pks, L1, MSRS },
		{ PKS_ON, use_pks, CR4_PKS, SREGS },
	};
	unsigned int i;

	need_pks();
	need_nested();
	for (i = 0; i < COUNT(c); i++) {
		start(i, true, c[i].pks, c[i].fn, c[i].use);
		vcpu_sync(movers[i].vcpu);
		vcpu_sync(movers[i].vcpu);
	}
	carry(COUNT(c), STOCK);
	for (i = 0; i < COUNT(c); i++) {
		enum step refused = restore(i, msrs_first);

		CHECK(refused == c[i].refused, "with PKS %d, use %#lx, step %d is refused, not %d",
		      c[i].pks, c[i].use, refused, c[i].refused);
		end(i);
	}
	load(OURS);
}

static const struct test tests[] = {
	{ "kvm.kernels.from_stock", "KVM-19, KVM-23", from_stock, NULL },
	{ "kvm.kernels.to_stock", "KVM-23", to_stock, NULL },
	{ "kvm.kernels.to_stock_refused", "KVM-8, KVM-23", to_stock_refused, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
