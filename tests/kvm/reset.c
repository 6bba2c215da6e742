// SPDX-License-Identifier: GPL-2.0-only
/* PKRS after RESET, INIT and in SMM (KVM-9, PKS-12). */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "ktap.h"
#include "vmx.h"

enum { PKRS_VALUE = 0x4a5a1235, SMM_VALUE = 0x01020304 };

/* Real-mode code goes here: SIPI vector 0x10, and the SMI handler in SMRAM. */
enum { SIPI_CODE = 0x10000, SMI_CODE = 0x38000, LOW_SIZE = 0x40000 };
enum { PORT_REAL = 0x600 };

#define MSR_X2APIC_ICR	0x830
#define ICR_INIT	0x4500
#define ICR_SIPI	0x4600
#define APIC_BASE_X2APIC (3u << 10)

#define REAL_MOV_ECX_PKRS	0x66, 0xb9, 0xe1, 0x06, 0x00, 0x00
#define REAL_RDMSR		0x0f, 0x32
#define REAL_WRMSR		0x0f, 0x30
#define REAL_MOV_EAX_CR4	0x0f, 0x20, 0xe0
#define REAL_OUT_EAX		0x66, 0xef
#define REAL_MOV_DX_PORT	0xba, PORT_REAL & 0xff, PORT_REAL >> 8
#define REAL_MOV_EAX(v)		0x66, 0xb8, (v) & 0xff, (v) >> 8 & 0xff, (v) >> 16 & 0xff, (v) >> 24
#define REAL_XOR_EDX_EDX	0x66, 0x31, 0xd2
#define REAL_HLT		0xf4
#define REAL_RSM		0x0f, 0xaa

/* Tells PKRS and CR4. */
static const uint8_t tell[] = {
	REAL_MOV_ECX_PKRS, REAL_RDMSR, REAL_MOV_DX_PORT, REAL_OUT_EAX,
	REAL_MOV_EAX_CR4, REAL_OUT_EAX,
};
static const uint8_t halt[] = { REAL_HLT };
/* Changes PKRS and goes back. */
static const uint8_t change_and_resume[] = {
	REAL_MOV_EAX(SMM_VALUE), REAL_XOR_EDX_EDX, REAL_WRMSR, REAL_RSM,
};

static void read_pkrs(uint64_t unused)
{
	(void)unused;
	guest_sync(rdmsr(MSR_PKRS));
}

static void created(void)
{
	struct vm *vm;
	struct vcpu *bare, *vcpu;
	uint64_t value = 1;

	need_pks();
	vm = vm_new();
	bare = vcpu_bare(vm, 0);
	CHECK(msr_get(bare, MSR_PKRS, &value) && !value, "before CPUID it is %#lx", value);
	vcpu_set_cpuid(bare, PKS_ON);
	CHECK(!pkrs_get(bare), "after CPUID it is %#lx", pkrs_get(bare));
	vcpu = vcpu_new_id(vm, 1, PKS_ON, read_pkrs, 0);
	CHECK(!vcpu_sync(vcpu), "the guest does not read 0");
	vcpu_free(bare);
	vcpu_free(vcpu);
	vm_free(vm);
}

static void activate(uint64_t unused)
{
	(void)unused;
	wrmsr(MSR_PKRS, PKRS_VALUE);
	write_cr4(read_cr4() | CR4_PKS);
	guest_sync(read_cr4() & CR4_PKS);
	for (;;)
		guest_sync(rdmsr(MSR_PKRS) | (read_cr4() & CR4_PKS) << 32);
}

static void send_ipis(uint64_t unused)
{
	(void)unused;
	wrmsr(MSR_X2APIC_ICR, 1ull << 32 | ICR_INIT);
	guest_sync(0);
	wrmsr(MSR_X2APIC_ICR, 1ull << 32 | ICR_SIPI | SIPI_CODE >> 12);
	guest_sync(0);
}

static uint32_t mp_state(struct vcpu *vcpu)
{
	struct kvm_mp_state state;

	REQUIRE(!ioctl(vcpu->fd, KVM_GET_MP_STATE, &state), "KVM_GET_MP_STATE: %s",
		strerror(errno));
	return state.mp_state;
}

static uint32_t real_out(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	REQUIRE(vcpu_run(vcpu) == KVM_EXIT_IO && run->io.port == PORT_REAL,
		"real-mode code gave exit reason %u", run->exit_reason);
	return *(uint32_t *)((char *)run + run->io.data_offset);
}

/* Memory of real-mode code; SMM has an address space of its own. */
static char *low_memory(struct vm *vm, bool smm)
{
	char *low = mmap(NULL, LOW_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {
		.slot = 1u << 16, .memory_size = LOW_SIZE, .userspace_addr = (uint64_t)low,
	};

	REQUIRE(low != MAP_FAILED, "low memory: %s", strerror(errno));
	if (smm)
		REQUIRE(!ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region),
			"memory of SMM: %s", strerror(errno));
	else
		vm_slot(vm, 0, low, LOW_SIZE);
	return low;
}

/* KVM's map of APIC IDs has a vCPU only after a change of its APIC's mode. */
static void use_x2apic(struct vcpu *vcpu)
{
	struct kvm_sregs s = sregs_get(vcpu);

	s.apic_base |= APIC_BASE_X2APIC;
	REQUIRE(sregs_set(vcpu, &s), "x2APIC: %s", strerror(errno));
}

static struct vcpu *active_vcpu(struct vm *vm, unsigned int id)
{
	struct vcpu *vcpu = vcpu_new_id(vm, id, PKS_ON, activate, 0);
	struct kvm_mp_state runnable = { KVM_MP_STATE_RUNNABLE };

	ioctl(vcpu->fd, KVM_SET_MP_STATE, &runnable);
	CHECK(vcpu_sync(vcpu), "CR4.PKS cannot be set");
	vcpu_complete(vcpu);
	return vcpu;
}

static void check_after_init(struct vcpu *vcpu)
{
	CHECK(!(sregs_get(vcpu).cr4 & CR4_PKS), "INIT leaves CR4.PKS");
	CHECK(pkrs_get(vcpu) == PKRS_VALUE, "INIT changes PKRS to %#lx", pkrs_get(vcpu));
}

static void init_ipi(void)
{
	struct vm *vm;
	struct vcpu *sender, *vcpu;
	uint32_t value;
	char *low;

	need_pks();
	vm = vm_new();
	vm_irqchip(vm);
	low = low_memory(vm, false);
	memcpy(low + SIPI_CODE, tell, sizeof(tell));
	memcpy(low + SIPI_CODE + sizeof(tell), halt, sizeof(halt));
	sender = vcpu_new_id(vm, 0, PKS_ON, send_ipis, 0);
	use_x2apic(sender);
	vcpu = active_vcpu(vm, 1);
	use_x2apic(vcpu);

	vcpu_sync(sender);
	CHECK(mp_state(vcpu) == KVM_MP_STATE_INIT_RECEIVED, "it did not get the INIT");
	check_after_init(vcpu);
	vcpu_sync(sender);
	value = real_out(vcpu);
	CHECK(value == PKRS_VALUE, "after SIPI it reads PKRS = %#x", value);
	value = real_out(vcpu);
	CHECK(!(value & CR4_PKS), "after SIPI it reads CR4 = %#x", value);
	vcpu_free(vcpu);
	vcpu_free(sender);
	vm_free(vm);
}

/* An INIT that userspace restores. */
static void latch_init(struct vcpu *vcpu)
{
	struct kvm_vcpu_events events = { 0 };

	REQUIRE(!ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events), "KVM_GET_VCPU_EVENTS: %s",
		strerror(errno));
	events.flags = KVM_VCPUEVENT_VALID_SMM;
	events.smi.latched_init = 1;
	REQUIRE(!ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events), "KVM_SET_VCPU_EVENTS: %s",
		strerror(errno));
}

/* The same without a guest that sends it. */
static void init_latched(void)
{
	struct vm *vm;
	struct vcpu *vcpu;

	need_pks();
	vm = vm_new();
	vm_irqchip(vm);
	vcpu = active_vcpu(vm, 0);
	latch_init(vcpu);
	mp_state(vcpu);
	CHECK(sregs_get(vcpu).cs.base == 0xffff0000, "there was no INIT");
	check_after_init(vcpu);
	vcpu_free(vcpu);
	vm_free(vm);
}

/* SMM sees the value, CR4.PKS clear; what it writes stays after RSM. */
static void smm(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	uint64_t got;
	uint32_t value;
	char *low;

	need_pks();
	if (ioctl(kvm_dev(), KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) <= 0)
		ktap_skip("KVM_CAP_X86_SMM");
	vm = vm_new();
	vm_irqchip(vm);
	low = low_memory(vm, true);
	memcpy(low + SMI_CODE, tell, sizeof(tell));
	memcpy(low + SMI_CODE + sizeof(tell), change_and_resume, sizeof(change_and_resume));
	vcpu = active_vcpu(vm, 0);

	REQUIRE(!ioctl(vcpu->fd, KVM_SMI), "KVM_SMI: %s", strerror(errno));
	value = real_out(vcpu);
	CHECK(value == PKRS_VALUE, "SMM reads PKRS = %#x", value);
	CHECK(pkrs_get(vcpu) == PKRS_VALUE, "the host reads %#lx in SMM", pkrs_get(vcpu));
	value = real_out(vcpu);
	CHECK(!(value & CR4_PKS), "SMM reads CR4 = %#x", value);
	got = vcpu_sync(vcpu);
	CHECK((uint32_t)got == SMM_VALUE, "after RSM the guest reads %#x", (uint32_t)got);
	CHECK(got >> 32, "after RSM CR4.PKS is clear");
	CHECK(pkrs_get(vcpu) == SMM_VALUE, "after RSM the host reads %#lx", pkrs_get(vcpu));
	vcpu_free(vcpu);
	vm_free(vm);
}

/* While L2 is active: it tells what it has, and is interrupted then. */
enum { HOST_VALUE = 0x01223344, L2_VALUE = 0x02334455 };

static struct vmx *vmx;

static void l2_interrupted(uint64_t unused)
{
	(void)unused;
	wrmsr(MSR_PKRS, L2_VALUE);
	guest_sync(0);
	guest_sync(rdmsr(MSR_PKRS) | (read_cr4() & CR4_PKS) << 32);
}

static void l1_interrupted(uint64_t controls)
{
	write_cr4(read_cr4() | CR4_PKS);
	vmx_start(vmx);
	vmx_load_controls(controls);
	vmwrite(GUEST_PKRS, PKRS_VALUE);
	vmwrite(HOST_PKRS, HOST_VALUE);
	guest_sync(vmx_run(vmx, l2_interrupted, 0));
	guest_sync(rdmsr(MSR_PKRS));
	guest_sync(vmread(GUEST_PKRS));
}

static struct vcpu *vcpu_in_l2(struct vm *vm, unsigned int controls)
{
	struct vcpu *vcpu;

	vmx = vmx_new(vm, true);
	vcpu = vcpu_new(vm, PKS_ON, l1_interrupted, controls);
	vcpu_sync(vcpu);
	vcpu_complete(vcpu);
	ktap_note("E %u X %u", controls & 1, controls >> 1);
	return vcpu;
}

/* L2 exits, having LAST in PKRS. */
static void check_exit(struct vcpu *vcpu, unsigned int controls, uint64_t exit, uint64_t last)
{
	uint64_t got;

	got = vcpu_sync(vcpu);
	CHECK(got == exit, "L2's exit is %#lx", got);
	got = vcpu_sync(vcpu);
	CHECK(got == (controls & 2 ? HOST_VALUE : last), "L1 goes on with %#lx", got);
	got = vcpu_sync(vcpu);
	CHECK(got == last, "vmcs12 has %#lx", got);
}

/* INIT is a VM exit. */
static void init_in_l2_of(unsigned int controls)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu;

	vm_irqchip(vm);
	vcpu = vcpu_in_l2(vm, controls);
	latch_init(vcpu);
	check_exit(vcpu, controls, EXIT_INIT, L2_VALUE);
	vcpu_free(vcpu);
	vm_free(vm);
}

static void init_in_l2(void)
{
	unsigned int controls;

	need_pks();
	need_nested();
	for (controls = 0; controls < 4; controls++)
		init_in_l2_of(controls);
}

/* SMM is none: L2 goes on with what SMM left, then exits as ever. */
static void smm_in_l2_of(unsigned int controls)
{
	struct vm *vm = vm_new();
	struct vcpu *vcpu;
	uint64_t got;
	uint32_t value;
	char *low;

	vm_irqchip(vm);
	low = low_memory(vm, true);
	memcpy(low + SMI_CODE, tell, sizeof(tell));
	memcpy(low + SMI_CODE + sizeof(tell), change_and_resume, sizeof(change_and_resume));
	vcpu = vcpu_in_l2(vm, controls);

	REQUIRE(!ioctl(vcpu->fd, KVM_SMI), "KVM_SMI: %s", strerror(errno));
	value = real_out(vcpu);
	CHECK(value == L2_VALUE, "SMM reads PKRS = %#x", value);
	value = real_out(vcpu);
	CHECK(!(value & CR4_PKS), "SMM reads CR4 = %#x", value);
	got = vcpu_sync(vcpu);
	CHECK((uint32_t)got == SMM_VALUE, "after RSM L2 reads %#x", (uint32_t)got);
	CHECK(got >> 32, "after RSM CR4.PKS is clear");
	CHECK(pkrs_get(vcpu) == SMM_VALUE, "after RSM the host reads %#lx", pkrs_get(vcpu));
	check_exit(vcpu, controls, EXIT_VMCALL, SMM_VALUE);
	vcpu_free(vcpu);
	vm_free(vm);
}

static void smm_in_l2(void)
{
	unsigned int controls;

	need_pks();
	if (ioctl(kvm_dev(), KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) <= 0)
		ktap_skip("KVM_CAP_X86_SMM");
	need_nested();
	for (controls = 0; controls < 4; controls++)
		smm_in_l2_of(controls);
}

static const struct test tests[] = {
	{ "kvm.reset.created", "KVM-9", created, NULL },
	{ "kvm.reset.init_ipi", "KVM-9, PKS-12", init_ipi, NULL },
	{ "kvm.reset.init_latched", "KVM-9, PKS-12", init_latched, NULL },
	{ "kvm.reset.init_in_l2", "KVM-9, KVM-18", init_in_l2, NULL },
	{ "kvm.reset.smm", "KVM-9, PKS-12", smm, NULL },
	{ "kvm.reset.smm_in_l2", "KVM-9, PKS-12", smm_in_l2, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
