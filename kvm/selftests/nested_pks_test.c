// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests for nested VMX with Protection Keys for Supervisor pages (PKS): the
 * "load PKRS" controls, the VMCS fields, consistency checks, MSR load lists
 * and bitmaps, and save/restore while L2 is active.
 */
#include "test_util.h"
#include "kvm_util.h"
#include "processor.h"
#include "vmx.h"

/* Arbitrary values that don't restrict key 0, i.e. L1's and L2's memory. */
#define PKRS_L1		0x11223340
#define PKRS_GUEST	0x22334450	/* VMCS.GUEST_IA32_PKRS */
#define PKRS_HOST	0x33445560	/* VMCS.HOST_IA32_PKRS */
#define PKRS_L2		0x44556670	/* written by L2 */
#define PKRS_LIST	0x55667780	/* in an MSR load list */

/* How L1 and L2 are run; E and X are L1's "load PKRS" controls. */
struct pks_test {
	bool entry;		/* E, VM_ENTRY_LOAD_IA32_PKRS */
	bool exit;		/* X, VM_EXIT_LOAD_IA32_PKRS */
	bool has_pks;		/* PKS is in L1's CPUID */
	bool migrate;		/* save and restore at each GUEST_SYNC() */
	bool msrs_last;		/* ... IA32_PKRS after the nested state */
	bool run_pending;	/* ... with KVM_STATE_NESTED_RUN_PENDING */
};

static struct pks_test test;

/* The value that L2 finds in IA32_PKRS, and where it exits to L1. */
static u64 l2_pkrs;
static u32 l2_exit_reason;

static struct vmx_msr_entry msr_list;
static gpa_t msr_list_gpa;

static void l2_guest_code(void)
{
	if (test.has_pks) {
		GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), l2_pkrs);
		wrmsr(MSR_IA32_PKRS, PKRS_L2);
	}

	GUEST_SYNC(2);

	if (test.has_pks)
		GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), PKRS_L2);

	switch (l2_exit_reason) {
	case EXIT_REASON_EXCEPTION_NMI:
		ud2();
		break;
	case EXIT_REASON_TRIPLE_FAULT:
		/* L1 gave L2 an empty IDT. */
		asm volatile("int3");
		break;
	case EXIT_REASON_CPUID:
		this_cpu_fms();
		break;
	case EXIT_REASON_HLT:
		hlt();
		break;
	default:
		vmcall();
		break;
	}
	GUEST_FAIL("L2 wasn't left with exit reason %u", l2_exit_reason);
}

static void l2_guest_code_vmcall(void)
{
	vmcall();
}

static void l2_guest_code_msr(void)
{
	/* L1 emulates the accesses that it intercepts. */
	GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), l2_pkrs);
	wrmsr(MSR_IA32_PKRS, PKRS_L2);
	vmcall();
}

/* Load a clear VMCS, with known values in all places. */
static void l1_prepare(struct vmx_pages *vmx, void *l2_code)
{
	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_code);

	vmwrite(CPU_BASED_VM_EXEC_CONTROL, vmreadz(CPU_BASED_VM_EXEC_CONTROL) |
		CPU_BASED_USE_MSR_BITMAPS | CPU_BASED_HLT_EXITING);
	vmwrite(EXCEPTION_BITMAP, BIT(UD_VECTOR));

	if (test.entry)
		vmwrite(VM_ENTRY_CONTROLS, vmreadz(VM_ENTRY_CONTROLS) |
			VM_ENTRY_LOAD_IA32_PKRS);
	if (test.exit)
		vmwrite(VM_EXIT_CONTROLS, vmreadz(VM_EXIT_CONTROLS) |
			VM_EXIT_LOAD_IA32_PKRS);

	GUEST_ASSERT(!vmwrite(GUEST_IA32_PKRS, PKRS_GUEST));
	GUEST_ASSERT(!vmwrite(HOST_IA32_PKRS, PKRS_HOST));

	if (test.has_pks)
		wrmsr(MSR_IA32_PKRS, PKRS_L1);

	l2_pkrs = test.entry ? PKRS_GUEST : PKRS_L1;
}

/*
 * Verify the values after an exit that L2 was left with @pkrs, or an entry that
 * failed with @pkrs in the register.
 */
static void l1_check_pkrs(u64 guest_field, u64 pkrs)
{
	/* Without PKS in CPUID, KVM treats the fields as memory. */
	if (!test.has_pks) {
		GUEST_ASSERT_EQ(vmreadz(GUEST_IA32_PKRS), PKRS_GUEST);
	} else {
		GUEST_ASSERT_EQ(vmreadz(GUEST_IA32_PKRS), guest_field);
		GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), test.exit ? PKRS_HOST : pkrs);
	}
	GUEST_ASSERT_EQ(vmreadz(HOST_IA32_PKRS), PKRS_HOST);
}

static void l1_check_exit(u32 exit_reason)
{
	GUEST_ASSERT_EQ(vmreadz(VM_EXIT_REASON), exit_reason);
}

/* The value in L1 and L2 after each kind of exit. */
static void l1_test_exits(struct vmx_pages *vmx)
{
	const u32 exit_reasons[] = {
		EXIT_REASON_VMCALL,
		EXIT_REASON_CPUID,
		EXIT_REASON_HLT,
		EXIT_REASON_EXCEPTION_NMI,
		EXIT_REASON_TRIPLE_FAULT,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(exit_reasons); i++) {
		l2_exit_reason = exit_reasons[i];
		l1_prepare(vmx, l2_guest_code);
		vmwrite(GUEST_IDTR_LIMIT, 0);
		GUEST_ASSERT(!vmlaunch());
		l1_check_exit(exit_reasons[i]);
		l1_check_pkrs(PKRS_L2, PKRS_L2);

		GUEST_SYNC(1);
		l1_check_pkrs(PKRS_L2, PKRS_L2);
	}

	/* An exit before L2 has run an instruction. */
	l1_prepare(vmx, l2_guest_code);
	vmwrite(PIN_BASED_VM_EXEC_CONTROL, vmreadz(PIN_BASED_VM_EXEC_CONTROL) |
		PIN_BASED_VMX_PREEMPTION_TIMER);
	GUEST_ASSERT(!vmlaunch());
	l1_check_exit(EXIT_REASON_PREEMPTION_TIMER);
	l1_check_pkrs(l2_pkrs, l2_pkrs);
}

static void l1_expect_vmfail(u32 error)
{
	u64 pkrs = test.has_pks ? rdmsr(MSR_IA32_PKRS) : 0;
	u64 guest_field = vmreadz(GUEST_IA32_PKRS);

	GUEST_ASSERT(vmlaunch());
	GUEST_ASSERT_EQ(vmreadz(VM_INSTRUCTION_ERROR), error);
	GUEST_ASSERT_EQ(vmreadz(GUEST_IA32_PKRS), guest_field);
	if (test.has_pks)
		GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), pkrs);
}

static void l1_test_failed_entries(struct vmx_pages *vmx)
{
	int i;

	/* Bits 63:32 of the fields are reserved if the control is set. */
	for (i = 32; i < 64; i++) {
		l1_prepare(vmx, l2_guest_code_vmcall);
		vmwrite(HOST_IA32_PKRS, BIT_ULL(i));
		if (test.exit) {
			l1_expect_vmfail(VMXERR_ENTRY_INVALID_HOST_STATE_FIELD);
			vmwrite(HOST_IA32_PKRS, PKRS_HOST);
		}
		GUEST_ASSERT(!vmlaunch());
		l1_check_exit(EXIT_REASON_VMCALL);
		vmwrite(HOST_IA32_PKRS, PKRS_HOST);
		l1_check_pkrs(l2_pkrs, l2_pkrs);

		l1_prepare(vmx, l2_guest_code_vmcall);
		vmwrite(GUEST_IA32_PKRS, BIT_ULL(i));
		GUEST_ASSERT(!vmlaunch());
		if (test.entry) {
			l1_check_exit(EXIT_REASON_FAILED_VMENTRY | EXIT_REASON_INVALID_STATE);
			GUEST_ASSERT_EQ(vmreadz(GUEST_IA32_PKRS), BIT_ULL(i));
			vmwrite(GUEST_IA32_PKRS, PKRS_GUEST);
			l1_check_pkrs(PKRS_GUEST, PKRS_L1);
		} else {
			l1_check_exit(EXIT_REASON_VMCALL);
			if (!test.has_pks) {
				GUEST_ASSERT_EQ(vmreadz(GUEST_IA32_PKRS), BIT_ULL(i));
				continue;
			}
			l1_check_pkrs(PKRS_L1, PKRS_L1);
		}
	}

	/* A guest state that KVM finds to be invalid. */
	l1_prepare(vmx, l2_guest_code_vmcall);
	vmwrite(GUEST_CR3, -1ull);
	GUEST_ASSERT(!vmlaunch());
	l1_check_exit(EXIT_REASON_FAILED_VMENTRY | EXIT_REASON_INVALID_STATE);
	l1_check_pkrs(PKRS_GUEST, PKRS_L1);

	/* A guest state that KVM leaves to hardware to find invalid. */
	l1_prepare(vmx, l2_guest_code_vmcall);
	vmwrite(GUEST_RFLAGS, 0);
	GUEST_ASSERT(!vmlaunch());
	l1_check_exit(EXIT_REASON_FAILED_VMENTRY | EXIT_REASON_INVALID_STATE);
	l1_check_pkrs(PKRS_GUEST, PKRS_L1);

	/* MSRs are loaded after guest state, i.e. IA32_PKRS was loaded by then. */
	l1_prepare(vmx, l2_guest_code_vmcall);
	msr_list = (struct vmx_msr_entry) { .index = MSR_IA32_PKRS, .value = BIT_ULL(32) };
	vmwrite(VM_ENTRY_MSR_LOAD_ADDR, msr_list_gpa);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 1);
	GUEST_ASSERT(!vmlaunch());
	l1_check_exit(EXIT_REASON_FAILED_VMENTRY | EXIT_REASON_MSR_LOAD_FAIL);
	l1_check_pkrs(PKRS_GUEST, l2_pkrs);
}

/* MSR load lists take precedence over the fields. */
static void l1_test_msr_lists(struct vmx_pages *vmx)
{
	l2_exit_reason = EXIT_REASON_VMCALL;

	l1_prepare(vmx, l2_guest_code);
	msr_list = (struct vmx_msr_entry) { .index = MSR_IA32_PKRS, .value = PKRS_LIST };
	vmwrite(VM_ENTRY_MSR_LOAD_ADDR, msr_list_gpa);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 1);
	l2_pkrs = PKRS_LIST;
	GUEST_ASSERT(!vmlaunch());
	l1_check_exit(EXIT_REASON_VMCALL);
	l1_check_pkrs(PKRS_L2, PKRS_L2);

	l1_prepare(vmx, l2_guest_code);
	vmwrite(VM_EXIT_MSR_LOAD_ADDR, msr_list_gpa);
	vmwrite(VM_EXIT_MSR_LOAD_COUNT, 1);
	GUEST_ASSERT(!vmlaunch());
	l1_check_exit(EXIT_REASON_VMCALL);
	GUEST_ASSERT_EQ(vmreadz(GUEST_IA32_PKRS), PKRS_L2);
	GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), PKRS_LIST);
}

/* L1 can intercept reads and writes separately. */
static void l1_test_msr_bitmap(struct vmx_pages *vmx)
{
	u8 *read = vmx->msr + MSR_IA32_PKRS / BITS_PER_BYTE;
	u8 *write = read + 0x800;

	l1_prepare(vmx, l2_guest_code_msr);
	*read |= BIT(MSR_IA32_PKRS % BITS_PER_BYTE);
	GUEST_ASSERT(!vmlaunch());
	*read = 0;
	l1_check_exit(EXIT_REASON_MSR_READ);
	l1_check_pkrs(l2_pkrs, l2_pkrs);

	l1_prepare(vmx, l2_guest_code_msr);
	*write |= BIT(MSR_IA32_PKRS % BITS_PER_BYTE);
	GUEST_ASSERT(!vmlaunch());
	*write = 0;
	l1_check_exit(EXIT_REASON_MSR_WRITE);
	l1_check_pkrs(l2_pkrs, l2_pkrs);

	l1_prepare(vmx, l2_guest_code_msr);
	GUEST_ASSERT(!vmlaunch());
	l1_check_exit(EXIT_REASON_VMCALL);
	l1_check_pkrs(PKRS_L2, PKRS_L2);
}

/* CR4.PKS is flexible in VMX operation iff PKS is in L1's CPUID. */
static void l1_test_cr4(struct vmx_pages *vmx)
{
	u64 fixed1 = rdmsr(MSR_IA32_VMX_CR4_FIXED1);

	GUEST_ASSERT_EQ(!!(fixed1 & X86_CR4_PKS), test.has_pks);

	l1_prepare(vmx, l2_guest_code_vmcall);
	vmwrite(GUEST_CR4, get_cr4() | X86_CR4_PKS);
	GUEST_ASSERT(!vmlaunch());
	l1_check_exit(test.has_pks ? EXIT_REASON_VMCALL :
		      EXIT_REASON_FAILED_VMENTRY | EXIT_REASON_INVALID_STATE);

	l1_prepare(vmx, l2_guest_code_vmcall);
	vmwrite(HOST_CR4, get_cr4() | X86_CR4_PKS);
	if (!test.has_pks) {
		l1_expect_vmfail(VMXERR_ENTRY_INVALID_HOST_STATE_FIELD);
		return;
	}
	GUEST_ASSERT(!vmlaunch());
	l1_check_exit(EXIT_REASON_VMCALL);
	GUEST_ASSERT(get_cr4() & X86_CR4_PKS);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	GUEST_ASSERT_EQ(this_cpu_has(X86_FEATURE_PKS), test.has_pks);
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));

	/* Sets CR4.PKS, i.e. L1 and L2 have it set from here on. */
	l1_test_cr4(vmx);
	l1_test_exits(vmx);

	if (!test.migrate) {
		l1_test_failed_entries(vmx);

		if (test.has_pks) {
			l1_test_msr_lists(vmx);
			l1_test_msr_bitmap(vmx);
		}
	}

	GUEST_DONE();
}

/* Userspace took away the controls that L1 tries to use. */
static void l1_guest_code_no_control(struct vmx_pages *vmx)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_guest_code_vmcall);

	if (test.entry)
		vmwrite(VM_ENTRY_CONTROLS, vmreadz(VM_ENTRY_CONTROLS) |
			VM_ENTRY_LOAD_IA32_PKRS);
	if (test.exit)
		vmwrite(VM_EXIT_CONTROLS, vmreadz(VM_EXIT_CONTROLS) |
			VM_EXIT_LOAD_IA32_PKRS);
	l1_expect_vmfail(VMXERR_ENTRY_INVALID_CONTROL_FIELD);

	GUEST_DONE();
}

/* test_msr_filter() drops writes of PKRS_LIST while there is a filter. */
static void l2_guest_code_filter(void)
{
	GUEST_SYNC(2);
	wrmsr(MSR_IA32_PKRS, PKRS_L2);
	GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), PKRS_L2);

	/* The filter is set while L2 is active... */
	GUEST_SYNC(2);
	wrmsr(MSR_IA32_PKRS, PKRS_LIST);
	GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), PKRS_L2);

	/* ...and is kept when L2 is entered again... */
	vmcall();
	wrmsr(MSR_IA32_PKRS, PKRS_LIST);
	GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), PKRS_L2);

	/* ...until it's removed. */
	GUEST_SYNC(2);
	wrmsr(MSR_IA32_PKRS, PKRS_LIST);
	GUEST_ASSERT_EQ(rdmsr(MSR_IA32_PKRS), PKRS_LIST);
	vmcall();
}

static void l1_guest_code_filter(struct vmx_pages *vmx)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));

	l1_prepare(vmx, l2_guest_code_filter);
	GUEST_ASSERT(!vmlaunch());
	l1_check_exit(EXIT_REASON_VMCALL);
	l1_check_pkrs(PKRS_L2, PKRS_L2);

	vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + vmreadz(VM_EXIT_INSTRUCTION_LEN));
	GUEST_ASSERT(!vmresume());
	l1_check_exit(EXIT_REASON_VMCALL);
	l1_check_pkrs(PKRS_LIST, PKRS_LIST);

	GUEST_DONE();
}

static u64 run_vcpu(struct kvm_vcpu *vcpu, struct ucall *uc)
{
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_IO);

	switch (get_ucall(vcpu, uc)) {
	case UCALL_ABORT:
		REPORT_GUEST_ASSERT(*uc);
	case UCALL_SYNC:
	case UCALL_DONE:
		return uc->cmd;
	default:
		TEST_FAIL("Unknown ucall %lu", uc->cmd);
	}
}

static struct kvm_vm *vm_create_with_l1(struct kvm_vcpu **vcpu, void *l1_code)
{
	struct kvm_vm *vm;
	gva_t vmx_gva;

	vm = vm_create_with_one_vcpu(vcpu, l1_code);
	if (!test.has_pks)
		vcpu_clear_cpuid_feature(*vcpu, X86_FEATURE_PKS);

	vcpu_alloc_vmx(vm, &vmx_gva);
	vcpu_args_set(*vcpu, 1, vmx_gva);

	msr_list_gpa = addr_gva2gpa(vm, (gva_t)&msr_list);
	sync_global_to_guest(vm, msr_list_gpa);
	sync_global_to_guest(vm, test);

	return vm;
}

/* Verify that KVM refuses vmcs12 if the field that has @pkrs is invalid. */
static void test_invalid_nested_state(struct kvm_vcpu *vcpu,
				      struct kvm_x86_state *state, u64 pkrs)
{
	u64 *vmcs12 = (void *)state->nested.data.vmx[0].vmcs12;
	int i, r;

	/* The layout of vmcs12 is private to KVM, but the value is unique. */
	for (i = 0; i < KVM_STATE_NESTED_VMX_VMCS_SIZE / sizeof(*vmcs12); i++) {
		if (vmcs12[i] == pkrs)
			break;
	}
	TEST_ASSERT(i < KVM_STATE_NESTED_VMX_VMCS_SIZE / sizeof(*vmcs12),
		    "PKRS = 0x%lx isn't in vmcs12", pkrs);

	vmcs12[i] |= BIT_ULL(32);
	r = __vcpu_ioctl(vcpu, KVM_SET_NESTED_STATE, &state->nested);
	TEST_ASSERT(r == -1 && errno == EINVAL,
		    "Wanted EINVAL for PKRS = 0x%lx in vmcs12, got r: %i, errno: %i",
		    vmcs12[i], r, errno);
	vmcs12[i] = pkrs;
}

static struct kvm_vcpu *save_restore_vcpu(struct kvm_vcpu *vcpu, bool in_l2)
{
	u64 pkrs = in_l2 || !test.exit ? PKRS_L2 : PKRS_HOST;
	struct kvm_vm *vm = vcpu->vm;
	struct kvm_x86_state *state;
	u32 nested_size;
	int i;

	/* KVM hides the register if guest CPUID does. */
	if (!test.has_pks)
		pkrs = 0;
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_IA32_PKRS), pkrs);

	state = vcpu_save_state(vcpu);
	TEST_ASSERT_EQ(!!(state->nested.flags & KVM_STATE_NESTED_GUEST_MODE), in_l2);

	kvm_vm_release(vm);
	vcpu = vm_recreate_with_one_vcpu(vm);
	if (!test.has_pks)
		vcpu_clear_cpuid_feature(vcpu, X86_FEATURE_PKS);

	for (i = 0; test.msrs_last && i < state->msrs.nmsrs; i++) {
		if (state->msrs.entries[i].index == MSR_IA32_PKRS)
			state->msrs.entries[i].data = 0;
	}

	/* Load all but the nested state, to try invalid ones first. */
	nested_size = state->nested.size;
	state->nested.size = 0;
	vcpu_load_state(vcpu, state);
	state->nested.size = nested_size;

	if (in_l2) {
		if (test.entry)
			test_invalid_nested_state(vcpu, state,
						  test.has_pks ? PKRS_L2 : PKRS_GUEST);
		if (test.exit)
			test_invalid_nested_state(vcpu, state, PKRS_HOST);

		if (test.run_pending)
			state->nested.flags |= KVM_STATE_NESTED_RUN_PENDING;
	}
	vcpu_nested_state_set(vcpu, &state->nested);

	/* Leaving L2 to load another state isn't a VM-Exit. */
	if (in_l2)
		vcpu_nested_state_set(vcpu, &state->nested);

	if (test.msrs_last)
		vcpu_set_msr(vcpu, MSR_IA32_PKRS, pkrs);
	TEST_ASSERT_EQ(vcpu_get_msr(vcpu, MSR_IA32_PKRS), pkrs);

	kvm_x86_state_cleanup(state);
	return vcpu;
}

static void test_nested_pks(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	struct ucall uc;

	pr_info("Testing %s \"load PKRS\" on entry, %s on exit, PKS %s CPUID%s%s%s\n",
		test.entry ? "with" : "without", test.exit ? "with" : "without",
		test.has_pks ? "in" : "not in",
		test.migrate ? ", save/restore" : "",
		test.run_pending ? ", run pending" : "",
		test.msrs_last ? ", MSRs last" : "");

	vm = vm_create_with_l1(&vcpu, l1_guest_code);

	while (run_vcpu(vcpu, &uc) != UCALL_DONE) {
		if (test.migrate)
			vcpu = save_restore_vcpu(vcpu, uc.args[1] == 2);
	}

	kvm_vm_free(vm);
}

static void test_no_control(u32 msr, u32 control)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	struct ucall uc;

	vm = vm_create_with_l1(&vcpu, l1_guest_code_no_control);
	vcpu_set_msr(vcpu, msr, vcpu_get_msr(vcpu, msr) & ~((u64)control << 32));

	TEST_ASSERT_EQ(run_vcpu(vcpu, &uc), UCALL_DONE);
	kvm_vm_free(vm);
}

static void test_msr_filter(void)
{
	u64 deny_bits = 0;
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges = {
			{
				.flags = KVM_MSR_FILTER_WRITE,
				.nmsrs = 1,
				.base = MSR_IA32_PKRS,
				.bitmap = (u8 *)&deny_bits,
			},
		},
	};
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	struct ucall uc;
	int i;

	vm = vm_create_with_l1(&vcpu, l1_guest_code_filter);
	vm_enable_cap(vm, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_FILTER);

	TEST_ASSERT_EQ(run_vcpu(vcpu, &uc), UCALL_SYNC);
	TEST_ASSERT_EQ(run_vcpu(vcpu, &uc), UCALL_SYNC);
	vm_ioctl(vm, KVM_X86_SET_MSR_FILTER, &filter);

	for (i = 0; i < 2; i++) {
		vcpu_run(vcpu);
		TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_X86_WRMSR);
		TEST_ASSERT_EQ(vcpu->run->msr.index, MSR_IA32_PKRS);
		TEST_ASSERT_EQ(vcpu->run->msr.data, PKRS_LIST);
	}

	TEST_ASSERT_EQ(run_vcpu(vcpu, &uc), UCALL_SYNC);
	filter.ranges[0].nmsrs = 0;
	vm_ioctl(vm, KVM_X86_SET_MSR_FILTER, &filter);

	TEST_ASSERT_EQ(run_vcpu(vcpu, &uc), UCALL_DONE);
	kvm_vm_free(vm);
}

static bool kvm_has_vmx_control(u32 msr, u32 control)
{
	return (kvm_get_feature_msr(msr) >> 32) & control;
}

int main(int argc, char *argv[])
{
	int i;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_NESTED_STATE));

	/* L1 is offered the controls iff it can have PKS. */
	TEST_ASSERT_EQ(kvm_has_vmx_control(MSR_IA32_VMX_TRUE_ENTRY_CTLS,
					   VM_ENTRY_LOAD_IA32_PKRS),
		       kvm_cpu_has(X86_FEATURE_PKS));
	TEST_ASSERT_EQ(kvm_has_vmx_control(MSR_IA32_VMX_TRUE_EXIT_CTLS,
					   VM_EXIT_LOAD_IA32_PKRS),
		       kvm_cpu_has(X86_FEATURE_PKS));

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_PKS));

	for (i = 0; i < 8; i++) {
		test = (struct pks_test) {
			.entry = i & 1,
			.exit = i & 2,
			.has_pks = !(i & 4),
		};
		test_nested_pks();

		test.migrate = true;
		test_nested_pks();

		test.run_pending = true;
		test_nested_pks();

		test.msrs_last = true;
		test_nested_pks();
	}

	test = (struct pks_test) { .has_pks = true, .entry = true };
	test_no_control(MSR_IA32_VMX_TRUE_ENTRY_CTLS, VM_ENTRY_LOAD_IA32_PKRS);

	test = (struct pks_test) { .has_pks = true, .exit = true };
	test_no_control(MSR_IA32_VMX_TRUE_EXIT_CTLS, VM_EXIT_LOAD_IA32_PKRS);

	test = (struct pks_test) { .has_pks = true };
	test_msr_filter();
}
