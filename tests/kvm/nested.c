// SPDX-License-Identifier: GPL-2.0-only
/* PKS of L2 as userspace sees it: capabilities, values, filters (KVM-17 to KVM-21, KVM-26). */
#include <string.h>
#include <sys/ioctl.h>

#include "ktap.h"
#include "vmx.h"

/* Distinct, none denies OWN_KEY: of L1, vmcs12's fields, L2, the host. */
enum { L1 = 0x00010203, GUEST = 0x00112233, HOST = 0x01223344, L2 = 0x02334455, SET = 0x03445566 };

static struct vm *vm;
static struct vcpu *vcpu;
static struct vmx *vmx;

static void start(int pks, bool ept, void (*fn)(uint64_t), uint64_t arg)
{
	need_pks();
	need_nested();
	vm = vm_new();
	vmx = vmx_new(vm, ept);
	vcpu = vcpu_new(vm, pks, fn, arg);
}

static void end(void)
{
	vcpu_free(vcpu);
	vm_free(vm);
}

static void check_sync(const char *what, int controls, int64_t want)
{
	int64_t got = vcpu_sync(vcpu);

	CHECK(got == want, "E %d X %d: %s: %#lx, not %#lx", controls & 1, controls >> 1, what,
	      got, want);
}

static bool allows(uint32_t msr, uint32_t bit)
{
	uint64_t value = 0;

	REQUIRE(msr_get(vcpu, msr, &value), "KVM_GET_MSRS refuses %#x", msr);
	return value >> 32 & bit;
}

static void nothing(uint64_t unused)
{
	(void)unused;
}

static void capabilities(void)
{
	uint64_t fixed1 = 0;
	int pks;

	for (pks = PKS_OFF; pks <= PKS_ON; pks++) {
		start(pks, false, nothing, 0);
		CHECK(allows(MSR_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_PKRS), "no entry control");
		CHECK(allows(MSR_VMX_ENTRY_CTLS, ENTRY_LOAD_PKRS), "no entry control");
		CHECK(allows(MSR_VMX_TRUE_EXIT_CTLS, EXIT_LOAD_PKRS), "no exit control");
		CHECK(allows(MSR_VMX_EXIT_CTLS, EXIT_LOAD_PKRS), "no exit control");
		REQUIRE(msr_get(vcpu, MSR_VMX_CR4_FIXED1, &fixed1), "no CR4_FIXED1");
		CHECK(!(fixed1 & CR4_PKS) == !pks, "PKS %d, but CR4_FIXED1 is %#lx", pks, fixed1);
		end();
	}
}

/* L1 with no control set, and with each: the entry's outcome, and the guest field. */
static void l1_each_control(uint64_t pkrs)
{
	unsigned int controls;

	vmx_start(vmx);
	for (controls = 0; controls < 3; controls++) {
		vmx_load_controls(controls);
		vmwrite(GUEST_PKRS, GUEST);
		if (pkrs)
			wrmsr(MSR_PKRS, pkrs);
		guest_sync(vmx_run(vmx, nothing, 0));
		guest_sync(vmread(GUEST_PKRS));
	}
}

static void narrow(uint32_t msr, uint32_t bit)
{
	uint64_t value;

	REQUIRE(msr_get(vcpu, msr, &value), "KVM_GET_MSRS refuses %#x", msr);
	CHECK(msr_set(vcpu, msr, value & ~((uint64_t)bit << 32)), "cannot narrow %#x", msr);
	CHECK(!allows(msr, bit), "%#x is not narrowed", msr);
}

/*
 * Without PKS in L1's CPUID, too: the controls follow the MSRs (KVM-26). A
 * processor without the entry control does not save PKRS (PKS-14).
 */
static void narrowed(void)
{
	int pks_and_without, controls;

	for (pks_and_without = 0; pks_and_without < 8; pks_and_without++) {
		const int without = pks_and_without & 3, pks = pks_and_without >> 2;

		start(pks, false, l1_each_control, pks ? L1 : 0);
		if (without & 1)
			narrow(MSR_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_PKRS);
		if (without & 2)
			narrow(MSR_VMX_TRUE_EXIT_CTLS, EXIT_LOAD_PKRS);
		for (controls = 0; controls < 3; controls++) {
			const bool runs = !(controls & without);
			const bool saved = pks && runs && !(without & 1) && !(controls & 1);

			check_sync("the entry", controls, runs ? EXIT_VMCALL : -VMFAIL_BAD_CONTROL);
			check_sync("vmcs12 has", controls, saved ? L1 : GUEST);
		}
		end();
	}
}

/* L2 tells what it starts with, and changes it. */
static void l2_change(uint64_t value)
{
	guest_sync(rdmsr(MSR_PKRS));
	wrmsr(MSR_PKRS, value);
	guest_sync(rdmsr(MSR_PKRS));
}

static void l1_values(uint64_t controls)
{
	write_cr4(read_cr4() | CR4_PKS);
	vmx_start(vmx);
	vmx_load_controls(controls);
	vmwrite(GUEST_PKRS, GUEST);
	vmwrite(HOST_PKRS, HOST);
	wrmsr(MSR_PKRS, L1);
	guest_sync(vmx_run(vmx, l2_change, L2));
	guest_sync(rdmsr(MSR_PKRS));
	guest_sync(vmread(GUEST_PKRS));
}

/* KVM-17, KVM-18; with set, userspace changes L2's value while L2 is active. */
static void each_control(bool set)
{
	const uint64_t last = set ? SET : L2;
	int controls, ept;

	for (ept = 0; ept < 2; ept++) {
		for (controls = 0; controls < 4; controls++) {
			start(PKS_ON, ept, l1_values, controls);
			check_sync("L2 starts with", controls, controls & 1 ? GUEST : L1);
			CHECK(pkrs_get(vcpu) == (controls & 1 ? GUEST : L1),
			      "the host reads %#lx in L2", pkrs_get(vcpu));
			check_sync("L2 has", controls, L2);
			CHECK(pkrs_get(vcpu) == L2, "the host reads %#lx in L2", pkrs_get(vcpu));
			if (set)
				pkrs_set(vcpu, SET);
			check_sync("L2's exit", controls, EXIT_VMCALL);
			check_sync("L1 goes on with", controls, controls & 2 ? HOST : last);
			check_sync("vmcs12 has", controls, last);
			end();
		}
	}
}

static void values(void)
{
	each_control(false);
}

static void values_set_by_host(void)
{
	each_control(true);
}

/* Fields with a high bit: checked iff the control is set (KVM-19). */
static void l1_bad_fields(uint64_t controls)
{
	int bit;

	vmx_start(vmx);
	vmx_load_controls(controls);
	for (bit = 32; bit < 64; bit++) {
		vmwrite(GUEST_PKRS, 1ull << bit | GUEST);
		vmwrite(HOST_PKRS, HOST);
		wrmsr(MSR_PKRS, L1);
		guest_sync(vmx_run(vmx, nothing, 0));
		guest_sync(rdmsr(MSR_PKRS));
		vmwrite(GUEST_PKRS, GUEST);
		vmwrite(HOST_PKRS, 1ull << bit | HOST);
		wrmsr(MSR_PKRS, L1);
		guest_sync(vmx_run(vmx, nothing, 0));
		guest_sync(rdmsr(MSR_PKRS));
	}
}

static void bad_fields(void)
{
	int controls, bit;

	for (controls = 0; controls < 4; controls++) {
		const uint64_t l2 = controls & 1 ? GUEST : L1;

		start(PKS_ON, false, l1_bad_fields, controls);
		for (bit = 32; bit < 64; bit++) {
			check_sync("bad guest field", controls,
				   controls & 1 ? ENTRY_FAILED | EXIT_BAD_GUEST : EXIT_VMCALL);
			check_sync("L1 goes on with", controls, controls & 2 ? HOST : L1);
			check_sync("bad host field", controls,
				   controls & 2 ? -VMFAIL_BAD_HOST : EXIT_VMCALL);
			check_sync("L1 goes on with", controls, controls & 2 ? L1 : l2);
		}
		end();
	}
}

/*
 * An entry that only hardware finds invalid, after KVM has loaded the guest
 * field and the list: L1 has a virtual-APIC page where there is no memory.
 * To L1 it is VMfail, which loads nothing, no list either (KVM-19).
 */
static const struct { uint32_t msr, reserved; uint64_t value; }
	entry_list = { MSR_PKRS, 0, L2 }, exit_list = { MSR_PKRS, 0, SET };

/* An entry that fails so late: there is no memory for the APIC page. */
static void prepare_late_vmfail(uint64_t controls, const void *entry, const void *exit)
{
	vmx_start(vmx);
	vmx_load_controls(controls);
	vmx_control(PROC_CONTROLS, PROC_TPR_SHADOW, 0);
	vmwrite(GUEST_PKRS, GUEST);
	vmwrite(HOST_PKRS, HOST);
	vmwrite(VIRTUAL_APIC_ADDR, MMIO);
	vmwrite(TPR_THRESHOLD, 0);
	vmwrite(ENTRY_MSR_LOAD_ADDR, (uint64_t)entry);
	vmwrite(EXIT_MSR_LOAD_ADDR, (uint64_t)exit);
}

static void l1_late_vmfail(uint64_t controls)
{
	int lists;

	prepare_late_vmfail(controls, &entry_list, &exit_list);
	for (lists = 0; lists < 4; lists++) {
		vmwrite(ENTRY_MSR_LOAD_COUNT, lists & 1);
		vmwrite(EXIT_MSR_LOAD_COUNT, lists >> 1);
		wrmsr(MSR_PKRS, L1);
		guest_sync(vmx_run(vmx, nothing, 0));
		guest_sync(rdmsr(MSR_PKRS));
		guest_sync(vmread(GUEST_PKRS));
	}
	/* Nothing is left of them in an entry that succeeds. */
	vmwrite(ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(EXIT_MSR_LOAD_COUNT, 0);
	vmx_control(PROC_CONTROLS, 0, PROC_TPR_SHADOW);
	guest_sync(vmx_run(vmx, nothing, 0));
	guest_sync(rdmsr(MSR_PKRS));
}

static void late_vmfail(void)
{
	int controls, lists;

	for (controls = 0; controls < 4; controls++) {
		start(PKS_ON, false, l1_late_vmfail, controls);
		for (lists = 0; lists < 4; lists++) {
			check_sync("no memory for the APIC page", controls, -VMFAIL_BAD_CONTROL);
			check_sync("L1 goes on with", controls, L1);
			check_sync("vmcs12 has", controls, GUEST);
		}
		check_sync("a good entry", controls, EXIT_VMCALL);
		check_sync("L1 goes on with", controls,
			   controls & 2 ? HOST : controls & 1 ? GUEST : L1);
		end();
	}
}

/*
 * With another MSR in both lists: what KVM does to it, which has no way back to L1's
 * value and gives it that of the exit's list, is not for PKRS and stays.
 */
enum { MSR_STAR = 0xc0000081, ENTRY_STAR = 1, EXIT_STAR = 2 };

static const struct { uint32_t msr, reserved; uint64_t value; }
	entry_two[] = { { MSR_PKRS, 0, L2 }, { MSR_STAR, 0, ENTRY_STAR } },
	exit_two[] = { { MSR_PKRS, 0, SET }, { MSR_STAR, 0, EXIT_STAR } };

static void l1_late_vmfail_two(uint64_t controls)
{
	prepare_late_vmfail(controls, entry_two, exit_two);
	vmwrite(ENTRY_MSR_LOAD_COUNT, COUNT(entry_two));
	vmwrite(EXIT_MSR_LOAD_COUNT, COUNT(exit_two));
	wrmsr(MSR_PKRS, L1);
	guest_sync(vmx_run(vmx, nothing, 0));
	guest_sync(rdmsr(MSR_PKRS));
	guest_sync(rdmsr(MSR_STAR));
}

static void late_vmfail_two(void)
{
	/* A trial entry fails before KVM looks at a list. */
	const char *trial = module_param("kvm_intel", "nested_early_check");
	int controls;

	for (controls = 0; controls < 4; controls++) {
		start(PKS_ON, false, l1_late_vmfail_two, controls);
		check_sync("no memory for the APIC page", controls, -VMFAIL_BAD_CONTROL);
		check_sync("L1 goes on with", controls, L1);
		check_sync("STAR is", controls, trial && *trial == 'Y' ? 0 : EXIT_STAR);
		end();
	}
}

/*
 * Whatever L2 exits by, L2's last value is in the field, and L1 goes on with its host
 * field or with that value (KVM-18).
 */
enum { IO_BITMAP_A = 0x2000, IO_BITMAP_B = 0x2002, VMFUNC_CONTROLS = 0x2018, EPTP_LIST = 0x2024, CR0_SHADOW = 0x6004 };
enum { CR0_TS = 8, CR4_TSD = 4, PORT_A = 0x80, PORT_B = 0x8080, PROC2_VMFUNC = 1 << 13, EPTP_COUNT = 512 };

#define L2_EXIT(name, ...)						\
static void l2_##name(uint64_t pkrs)					\
{									\
	wrmsr(MSR_PKRS, pkrs);						\
	asm volatile(__VA_ARGS__);					\
}
#define L2_EXIT_BY(name, text) L2_EXIT(name, text : : : "rax", "rbx", "rcx", "rdx", "memory")
L2_EXIT_BY(cpuid, "cpuid")
L2_EXIT_BY(invd, "invd")
L2_EXIT_BY(vmxoff, "vmxoff")
L2_EXIT_BY(hlt, "hlt")
L2_EXIT_BY(invlpg, "invlpg (%%rsp)")
L2_EXIT_BY(rdpmc, "xor %%ecx, %%ecx; rdpmc")
L2_EXIT_BY(rdtsc, "rdtsc")
L2_EXIT_BY(pause, "pause")
L2_EXIT_BY(mov_dr, "mov %%dr7, %%rax")
L2_EXIT_BY(to_cr3, "mov %%cr3, %%rax; mov %%rax, %%cr3")
L2_EXIT_BY(from_cr3, "mov %%cr3, %%rax")
L2_EXIT_BY(to_cr8, "xor %%eax, %%eax; mov %%rax, %%cr8")
L2_EXIT_BY(from_cr8, "mov %%cr8, %%rax")
L2_EXIT_BY(clts, "clts")
L2_EXIT_BY(lmsw, "mov $1, %%eax; lmsw %%ax")
L2_EXIT_BY(to_cr0, "mov %%cr0, %%rax; and $~8, %%rax; mov %%rax, %%cr0")
L2_EXIT_BY(to_cr4, "mov %%cr4, %%rax; or $4, %%rax; mov %%rax, %%cr4")
L2_EXIT(in, "in %1, %%al" : : "a"(0), "i"(PORT_A))
L2_EXIT(out, "out %%al, %%dx" : : "a"(0), "d"(PORT_B))
L2_EXIT_BY(wbinvd, "wbinvd")
L2_EXIT(vmfunc_to_none, "vmfunc" : : "a"(0), "c"(EPTP_COUNT))
L2_EXIT(vmfunc, "vmfunc" : : "a"(0), "c"(1))
L2_EXIT_BY(vmclear, "vmclear (%%rsp)")
L2_EXIT_BY(vmlaunch, "vmlaunch")
L2_EXIT_BY(vmptrld, "vmptrld (%%rsp)")
L2_EXIT_BY(vmptrst, "vmptrst (%%rsp)")
L2_EXIT_BY(vmread, "vmread %%rax, %%rbx")
L2_EXIT_BY(vmresume, "vmresume")
L2_EXIT_BY(vmwrite, "vmwrite %%rax, %%rbx")
L2_EXIT_BY(vmxon, "vmxon (%%rsp)")
L2_EXIT_BY(invept, "xor %%eax, %%eax; invept (%%rsp), %%rax")
L2_EXIT_BY(invvpid, "xor %%eax, %%eax; invvpid (%%rsp), %%rax")
L2_EXIT_BY(rdtscp, "rdtscp")
L2_EXIT_BY(rdrand, "rdrand %%rax")
L2_EXIT_BY(rdseed, "rdseed %%rax")
L2_EXIT_BY(invpcid, "mov $2, %%eax; invpcid (%%rsp), %%rax")
L2_EXIT_BY(sgdt, "sub $16, %%rsp; sgdt (%%rsp); add $16, %%rsp")
L2_EXIT_BY(sldt, "sldt %%ax")
L2_EXIT_BY(monitor, "mov %%rsp, %%rax; xor %%ecx, %%ecx; xor %%edx, %%edx; monitor")
L2_EXIT_BY(mwait, "xor %%eax, %%eax; xor %%ecx, %%ecx; mwait")
L2_EXIT_BY(ud2, "ud2")
L2_EXIT_BY(int3, "int3")
L2_EXIT(waits, "1: jmp 1b")

static void l2_waits_for_nmi(uint64_t pkrs)
{
	wrmsr(MSR_PKRS, pkrs);
	guest_sync(0);
	l2_waits(pkrs);
}

enum { MSR_APIC_BASE = 0x1b, MSR_X2APIC_SPURIOUS = 0x80f, MSR_X2APIC_SELF = 0x83f };
enum { APIC_BASE_X2APIC = 3 << 10 };

static void l2_interrupts_itself(uint64_t pkrs)
{
	wrmsr(MSR_PKRS, pkrs);
	wrmsr(MSR_X2APIC_SELF, 0x40);
}

enum { AT_ONCE = 1, NMI_BY_TEST };	/* AT_ONCE: before L2's first instruction */

static const struct {
	const char *name;
	void (*fn)(uint64_t);
	uint32_t proc, proc2;
	int reason;
	uint32_t pin, field, value;
	int how;
} exits[] = {
	{ "CPUID", l2_cpuid, 0, 0, .reason = 10 },
	{ "INVD", l2_invd, 0, 0, .reason = 13 },
	{ "VMXOFF", l2_vmxoff, 0, 0, .reason = 26 },
	{ "HLT", l2_hlt, PROC_HLT, 0, .reason = 12 },
	{ "INVLPG", l2_invlpg, 1 << 9, 0, .reason = 14 },
	{ "RDPMC", l2_rdpmc, 1 << 11, 0, .reason = 15 },
	{ "RDTSC", l2_rdtsc, 1 << 12, 0, .reason = 16 },
	{ "PAUSE", l2_pause, 1 << 30, 0, .reason = 40 },
	{ "MOV from DR7", l2_mov_dr, 1 << 23, 0, .reason = 29 },
	{ "MOV to CR3", l2_to_cr3, 1 << 15, 0, .reason = 28 },
	{ "MOV from CR3", l2_from_cr3, 1 << 16, 0, .reason = 28 },
	{ "MOV to CR8", l2_to_cr8, 1 << 19, 0, .reason = 28 },
	{ "MOV from CR8", l2_from_cr8, 1 << 20, 0, .reason = 28 },
	{ "CLTS", l2_clts, 0, 0, .reason = 28 },
	{ "LMSW", l2_lmsw, 0, 0, .reason = 28 },
	{ "MOV to CR0", l2_to_cr0, 0, 0, .reason = 28 },
	{ "MOV to CR4", l2_to_cr4, 0, 0, .reason = 28 },
	{ "IN", l2_in, 1 << 24, 0, .reason = 30 },
	{ "IN by bitmap", l2_in, 1 << 25, 0, .reason = 30 },
	{ "OUT by bitmap", l2_out, 1 << 25, 0, .reason = 30 },
	{ "WBINVD", l2_wbinvd, 0, 1 << 6, .reason = 54 },
	{ "VMFUNC to no EPT", l2_vmfunc_to_none, 0, PROC2_VMFUNC, .reason = 59 },
	/* To another EPT, which is the same: L2 goes on. */
	{ "VMCALL after VMFUNC", l2_vmfunc, 0, PROC2_VMFUNC, .reason = EXIT_VMCALL },
	{ "VMCLEAR", l2_vmclear, 0, 0, .reason = 19 },
	{ "VMLAUNCH", l2_vmlaunch, 0, 0, .reason = 20 },
	{ "VMPTRLD", l2_vmptrld, 0, 0, .reason = 21 },
	{ "VMPTRST", l2_vmptrst, 0, 0, .reason = 22 },
	{ "VMREAD", l2_vmread, 0, 0, .reason = 23 },
	{ "VMRESUME", l2_vmresume, 0, 0, .reason = 24 },
	{ "VMWRITE", l2_vmwrite, 0, 0, .reason = 25 },
	{ "VMXON", l2_vmxon, 0, 0, .reason = 27 },
	{ "INVEPT", l2_invept, 0, 0, .reason = 50 },
	{ "INVVPID", l2_invvpid, 0, 0, .reason = 53 },
	{ "RDTSCP", l2_rdtscp, 1 << 12, 1 << 3, .reason = 51 },
	{ "RDRAND", l2_rdrand, 0, 1 << 11, .reason = 57 },
	{ "RDSEED", l2_rdseed, 0, 1 << 16, .reason = 61 },
	{ "INVPCID", l2_invpcid, 1 << 9, 1 << 12, .reason = 58 },
	{ "SGDT", l2_sgdt, 0, 1 << 2, .reason = 46 },
	{ "SLDT", l2_sldt, 0, 1 << 2, .reason = 47 },
	{ "MONITOR", l2_monitor, 1 << 29, 0, .reason = 39 },
	{ "MWAIT", l2_mwait, 1 << 10, 0, .reason = 36 },
	{ "#UD", l2_ud2, 0, 0, .reason = 0, .field = EXCEPTION_BITMAP, .value = 1 << VECTOR_UD },
	{ "#BP", l2_int3, 0, 0, .reason = 0, .field = EXCEPTION_BITMAP, .value = 1 << 3 },
	{ "triple fault", l2_ud2, 0, 0, .reason = 2, .field = GUEST_IDTR_LIMIT },
	{ "interrupt window", nothing, 1 << 2, 0, .reason = 7, .how = AT_ONCE },
	{ "NMI window", nothing, 1 << 22, 0, .reason = 8, .pin = PIN_NMI | PIN_VIRTUAL_NMIS, .how = AT_ONCE },
	{ "monitor trap", nothing, PROC_MONITOR_TRAP, 0, .reason = 37, .how = AT_ONCE },
	{ "preemption timer at 0", nothing, 0, 0, .reason = 52, .pin = PIN_PREEMPTION_TIMER,
	  .field = PREEMPTION_TIMER, .how = AT_ONCE },
	{ "preemption timer", l2_waits, 0, 0, .reason = 52, .pin = PIN_PREEMPTION_TIMER,
	  .field = PREEMPTION_TIMER, .value = 1 << 16 },
	{ "interrupt", l2_interrupts_itself, 0, 0, .reason = 1, .pin = PIN_EXTERNAL_INTERRUPT },
	{ "NMI", l2_waits_for_nmi, 0, 0, .reason = 0, .pin = PIN_NMI, .how = NMI_BY_TEST },
};

static uint8_t *io_bitmaps;
static uint64_t *eptp_list, *other_ept;

static void l1_exits(uint64_t controls)
{
	uint64_t before;
	unsigned int i;

	vmx_start(vmx);
	vmx_load_controls(controls);
	vmx_control(EXIT_CONTROLS, EXIT_ACKNOWLEDGE, 0);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	wrmsr(MSR_X2APIC_SPURIOUS, 0x1ff);
	vmwrite(HOST_PKRS, HOST);
	vmwrite(IO_BITMAP_A, (uint64_t)io_bitmaps);
	vmwrite(IO_BITMAP_B, (uint64_t)io_bitmaps + PAGE_SIZE);
	vmwrite(VMFUNC_CONTROLS, 1);
	vmwrite(EPTP_LIST, (uint64_t)eptp_list);
	vmwrite(CR0_MASK, CR0_TS);
	vmwrite(CR0_SHADOW, CR0_TS);
	vmwrite(CR4_MASK, CR4_TSD);
	other_ept[0] = vmx->ept[0];
	eptp_list[0] = vmread(EPT_POINTER);
	eptp_list[1] = (uint64_t)other_ept | (vmread(EPT_POINTER) & (PAGE_SIZE - 1));
	for (i = 0; i < COUNT(exits); i++) {
		vmwrite(GUEST_PKRS, GUEST);
		wrmsr(MSR_PKRS, L1);
		vmx_control(PROC_CONTROLS, exits[i].proc, 0);
		vmx_control(PROC2_CONTROLS, exits[i].proc2, 0);
		vmx_control(PIN_CONTROLS, exits[i].pin, 0);
		before = vmread(exits[i].field);
		vmwrite(exits[i].field, exits[i].field ? exits[i].value : before);
		guest_sync(vmx_run(vmx, exits[i].fn, L2 + i));
		guest_sync(rdmsr(MSR_PKRS));
		guest_sync(vmread(GUEST_PKRS));
		vmx_control(PROC_CONTROLS, 0, exits[i].proc);
		vmx_control(PROC2_CONTROLS, 0, exits[i].proc2);
		vmx_control(PIN_CONTROLS, 0, exits[i].pin);
		vmwrite(exits[i].field, before);
	}
}

static void every_exit(void)
{
	unsigned int i;
	int controls;

	need_pks();
	need_nested();
	for (controls = 0; controls < 4; controls++) {
		vm = vm_new();
		vm_irqchip(vm);
		vmx = vmx_new(vm, true);
		vcpu = vcpu_new(vm, PKS_ON, l1_exits, controls);
		io_bitmaps = vm_pages(vm, 2);
		io_bitmaps[PORT_A / 8] = 1 << PORT_A % 8;
		io_bitmaps[PORT_B / 8] = 1 << PORT_B % 8;
		eptp_list = vm_pages(vm, 1);
		other_ept = vm_pages(vm, 1);
		for (i = 0; i < COUNT(exits); i++) {
			const uint64_t last = exits[i].how != AT_ONCE ? L2 + i : controls & 1 ? GUEST : L1;

			if (exits[i].how == NMI_BY_TEST) {
				check_sync("L2 waits", controls, 0);
				REQUIRE(!ioctl(vcpu->fd, KVM_NMI), "KVM_NMI refuses");
			}
			check_sync(exits[i].name, controls, exits[i].reason);
			check_sync("L1 goes on with", controls, controls & 2 ? HOST : last);
			check_sync("vmcs12 has", controls, last);
		}
		end();
	}
}

/*
 * Whatever an entry is refused for, PKRS stays L1's, but that L1 goes on with its host
 * field after one that fails as a VM exit does (KVM-19). A good entry follows each.
 */
enum { BAD_CONTROL = -VMFAIL_BAD_CONTROL, BAD_HOST = -VMFAIL_BAD_HOST };
#define BAD_GUEST	(ENTRY_FAILED | EXIT_BAD_GUEST)
#define NONCANONICAL	(1ull << 63)

static const struct {
	const char *name;
	uint32_t control, bits;
	uint64_t fields[2][2];
	int64_t outcome;
} refusals[] = {
	{ "a control that there is not", PROC2_CONTROLS, 1u << 31, { }, BAD_CONTROL },
	{ "virtual NMIs alone", PIN_CONTROLS, PIN_VIRTUAL_NMIS, { }, BAD_CONTROL },
	{ "CR3 targets", 0, 0, { { 0x400a, 5 } }, BAD_CONTROL },
	{ "I/O bitmap A", PROC_CONTROLS, 1 << 25, { { IO_BITMAP_A, 1 } }, BAD_CONTROL },
	{ "I/O bitmap B", PROC_CONTROLS, 1 << 25, { { IO_BITMAP_B, 1 } }, BAD_CONTROL },
	{ "MSR bitmap", 0, 0, { { MSR_BITMAP, 1 } }, BAD_CONTROL },
	{ "virtual-APIC page", PROC_CONTROLS, PROC_TPR_SHADOW, { { VIRTUAL_APIC_ADDR, 1 } }, BAD_CONTROL },
	{ "TPR threshold", PROC_CONTROLS, PROC_TPR_SHADOW, { { TPR_THRESHOLD, 16 } }, BAD_CONTROL },
	{ "APIC-access page", PROC2_CONTROLS, 1, { { 0x2014, 1 } }, BAD_CONTROL },
	{ "x2APIC without a page", PROC2_CONTROLS, PROC2_X2APIC, { }, BAD_CONTROL },
	{ "VPID 0", PROC2_CONTROLS, 1 << 5, { }, BAD_CONTROL },
	{ "EPT pointer", 0, 0, { { EPT_POINTER, 0 } }, BAD_CONTROL },
	{ "PML page", PROC2_CONTROLS, 1 << 17, { { 0x200e, 1 } }, BAD_CONTROL },
	{ "VM functions", PROC2_CONTROLS, PROC2_VMFUNC, { { VMFUNC_CONTROLS, 2 } }, BAD_CONTROL },
	{ "EPT list", PROC2_CONTROLS, PROC2_VMFUNC, { { VMFUNC_CONTROLS, 1 }, { EPTP_LIST, 1 } }, BAD_CONTROL },
	{ "VMREAD bitmap", PROC2_CONTROLS, 1 << 14, { { 0x2026, 1 } }, BAD_CONTROL },
	{ "timer saved and not used", EXIT_CONTROLS, 1 << 22, { }, BAD_CONTROL },
	{ "exit's store list", 0, 0, { { EXIT_MSR_STORE_COUNT, 1 }, { EXIT_MSR_STORE_ADDR, 1 } }, BAD_CONTROL },
	{ "exit's load list", 0, 0, { { EXIT_MSR_LOAD_COUNT, 1 }, { EXIT_MSR_LOAD_ADDR, 1 } }, BAD_CONTROL },
	{ "entry's list", 0, 0, { { ENTRY_MSR_LOAD_COUNT, 1 }, { ENTRY_MSR_LOAD_ADDR, 1 } }, BAD_CONTROL },
	{ "event of no type", 0, 0, { { ENTRY_EVENT, 0x80000100 } }, BAD_CONTROL },
	{ "NMI's vector", 0, 0, { { ENTRY_EVENT, 0x80000203 } }, BAD_CONTROL },
	{ "exception's vector", 0, 0, { { ENTRY_EVENT, 0x80000320 } }, BAD_CONTROL },
	{ "interrupt with a code", 0, 0, { { ENTRY_EVENT, 0x80000840 } }, BAD_CONTROL },
	{ "error code", 0, 0, { { ENTRY_EVENT, 0x80000b0e }, { 0x4018, 1 << 16 } }, BAD_CONTROL },
	{ "event's reserved bits", 0, 0, { { ENTRY_EVENT, 0x80001306 } }, BAD_CONTROL },
	{ "length of INT", 0, 0, { { ENTRY_EVENT, 0x80000440 }, { 0x401a, 16 } }, BAD_CONTROL },
	{ "host's CS", 0, 0, { { HOST_CS_SELECTOR, 0 } }, BAD_HOST },
	{ "host's TR", 0, 0, { { HOST_TR_SELECTOR, 0 } }, BAD_HOST },
	{ "host's RPL", 0, 0, { { HOST_SS_SELECTOR, SEL_DATA | 3 } }, BAD_HOST },
	{ "host's FS", 0, 0, { { 0x6c06, NONCANONICAL } }, BAD_HOST },
	{ "host's SYSENTER", 0, 0, { { 0x6c10, NONCANONICAL } }, BAD_HOST },
	{ "host's IDTR", 0, 0, { { HOST_IDTR_BASE, NONCANONICAL } }, BAD_HOST },
	{ "host's RIP", 0, 0, { { HOST_RIP, NONCANONICAL } }, BAD_HOST },
	{ "host's PAT", EXIT_CONTROLS, 1 << 19, { { 0x2c00, 2 } }, BAD_HOST },
	{ "host's EFER", EXIT_CONTROLS, 1 << 21, { { 0x2c02, 0 } }, BAD_HOST },
	{ "guest's DR7", ENTRY_CONTROLS, 1 << 2, { { GUEST_DR7, 1ull << 32 } }, BAD_GUEST },
	{ "guest's DEBUGCTL", ENTRY_CONTROLS, 1 << 2, { { 0x2802, 1ull << 32 } }, BAD_GUEST },
	{ "guest's PAT", ENTRY_CONTROLS, 1 << 14, { { 0x2804, 2 } }, BAD_GUEST },
	{ "guest's EFER", ENTRY_CONTROLS, 1 << 15, { { 0x2806, 0 } }, BAD_GUEST },
	{ "link pointer", 0, 0, { { VMCS_LINK_POINTER, 1 } }, BAD_GUEST },
	{ "guest's activity", 0, 0, { { GUEST_ACTIVITY, 4 } }, BAD_GUEST },
	/* After KVM has loaded the guest field; the others are the processor's to find. */
	{ "guest's CR3", 0, 0, { { GUEST_CR3, 1ull << 60 } }, BAD_GUEST },
	{ "guest's TR", 0, 0, { { GUEST_TR_RIGHTS, 0x10000 } }, BAD_GUEST },
	{ "guest's CS", 0, 0, { { GUEST_CS_RIGHTS, 0 } }, BAD_GUEST },
	{ "guest's interruptibility", 0, 0, { { GUEST_INTERRUPTIBILITY, 3 } }, BAD_GUEST },
};

/* vmx_run() writes CR3. */
static uint64_t exchange(uint32_t field, uint64_t value)
{
	uint64_t before = field == GUEST_CR3 ? vmx->guest_cr3 : vmread(field);

	if (field == GUEST_CR3)
		vmx->guest_cr3 = value;
	else if (field)
		vmwrite(field, value);
	return before;
}

static void l1_refusals(uint64_t controls)
{
	uint64_t before[2], bits;
	unsigned int i, j;

	vmx_start(vmx);
	vmx_load_controls(controls);
	vmwrite(HOST_PKRS, HOST);
	for (i = 0; i < COUNT(refusals); i++) {
		bits = refusals[i].control ? vmread(refusals[i].control) : 0;
		for (j = 0; j < 2; j++)
			before[j] = exchange(refusals[i].fields[j][0], refusals[i].fields[j][1]);
		if (refusals[i].control)
			vmwrite(refusals[i].control, bits | refusals[i].bits);
		vmwrite(GUEST_PKRS, GUEST);
		wrmsr(MSR_PKRS, L1);
		guest_sync(vmx_run(vmx, nothing, 0));
		guest_sync(rdmsr(MSR_PKRS));
		guest_sync(vmread(GUEST_PKRS));
		if (refusals[i].control)
			vmwrite(refusals[i].control, bits);
		for (j = 0; j < 2; j++)
			exchange(refusals[i].fields[j][0], before[j]);
		wrmsr(MSR_PKRS, L1);
		guest_sync(vmx_run(vmx, nothing, 0));
		guest_sync(rdmsr(MSR_PKRS));
	}
}

static void every_refusal(void)
{
	unsigned int i;
	int controls;

	for (controls = 0; controls < 4; controls++) {
		start(PKS_ON, true, l1_refusals, controls);
		for (i = 0; i < COUNT(refusals); i++) {
			check_sync(refusals[i].name, controls, refusals[i].outcome);
			check_sync("L1 goes on with", controls,
				   refusals[i].outcome == BAD_GUEST && controls & 2 ? HOST : L1);
			check_sync("vmcs12 has", controls, GUEST);
			check_sync("a good entry", controls, EXIT_VMCALL);
			check_sync("L1 goes on with", controls,
				   controls & 2 ? HOST : controls & 1 ? GUEST : L1);
		}
		end();
	}
}

/* L2's one access, and what became of it. */
static volatile int l2_vector;

static void l2_read(uint64_t unused)
{
	uint64_t value;

	(void)unused;
	l2_vector = try_rdmsr(MSR_PKRS, &value);
}

static void l2_write(uint64_t unused)
{
	(void)unused;
	l2_vector = try_wrmsr(MSR_PKRS, L2);
}

/* L1 intercepts reads, writes, both or none, in turn. */
static void l1_bitmap(uint64_t unused)
{
	uint8_t *bitmap = (uint8_t *)vmx->msr_bitmap;
	int intercept;

	(void)unused;
	vmx_start(vmx);
	for (intercept = 0;; intercept++) {
		bitmap[MSR_PKRS / 8] = intercept & 1 ? 1 << MSR_PKRS % 8 : 0;
		bitmap[2048 + MSR_PKRS / 8] = intercept & 2 ? 1 << MSR_PKRS % 8 : 0;
		wrmsr(MSR_PKRS, L1);
		guest_sync(0);
		guest_sync(vmx_run(vmx, l2_read, 0));
		guest_sync(l2_vector);
		guest_sync(vmx_run(vmx, l2_write, 0));
		guest_sync(l2_vector);
		guest_sync(vmread(GUEST_PKRS));
	}
}

/* An exit to L1 if it intercepts, else the filter's #GP in L2, else done (KVM-5, KVM-21). */
static void check_access(const char *what, bool intercepted, bool denied)
{
	int64_t want = !intercepted ? EXIT_VMCALL : *what == 'R' ? EXIT_RDMSR : EXIT_WRMSR;
	int64_t got = vcpu_sync(vcpu);
	int vector = vcpu_sync(vcpu);

	CHECK(got == want, "%s, intercepted %d, denied %d: exit %ld", what, intercepted, denied,
	      got);
	if (!intercepted)
		CHECK(vector == (denied ? VECTOR_GP : NO_FAULT), "%s, denied %d: vector %d",
		      what, denied, vector);
}

static void bitmap_and_filter(void)
{
	unsigned int i;

	start(PKS_ON, true, l1_bitmap, 0);
	for (i = 0; i < 16; i++) {
		const unsigned int intercept = i % 4, deny = i / 4;
		bool read = deny & KVM_MSR_FILTER_READ, write = deny & KVM_MSR_FILTER_WRITE;
		uint64_t want = intercept & 2 || write ? L1 : L2, got;

		/* L1's own WRMSR is not to be denied. */
		vm_filter(vm, 0);
		vcpu_sync(vcpu);
		vm_filter(vm, deny);
		check_access("RDMSR", intercept & 1, read);
		check_access("WRMSR", intercept & 2, write);
		got = vcpu_sync(vcpu);
		CHECK(got == want, "intercept %u, deny %u: vmcs12 has %#lx, not %#lx", intercept,
		      deny, got, want);
	}
	end();
}

/* The filter changes while L2 is active: it counts for all MSRs that L2 has. */
static void l2_accesses(uint64_t msr)
{
	uint64_t value;

	for (;;) {
		guest_sync(try_rdmsr(msr, &value));
		guest_sync(try_wrmsr(msr, L2));
	}
}

static void l1_runs_l2(uint64_t msr)
{
	vmx_start(vmx);
	vmx_run(vmx, l2_accesses, msr);
}

static void filter_of_msr_in_l2(uint32_t msr)
{
	unsigned int i, deny;

	start(PKS_ON, true, l1_runs_l2, msr);
	for (i = 0; i < 16; i++) {
		int vector;

		deny = (i ^ i / 4) % 4;
		vm_filter_msr(vm, msr, deny);
		vector = vcpu_sync(vcpu);
		CHECK(vector == (deny & KVM_MSR_FILTER_READ ? VECTOR_GP : NO_FAULT),
		      "deny %u: RDMSR gives %d", deny, vector);
		vector = vcpu_sync(vcpu);
		CHECK(vector == (deny & KVM_MSR_FILTER_WRITE ? VECTOR_GP : NO_FAULT),
		      "deny %u: WRMSR gives %d", deny, vector);
	}
	end();
}

static void filter_in_l2(void)
{
	filter_of_msr_in_l2(MSR_PKRS);
}

/* Passed through to L2 as well, and of no use to the tests. */
static void filter_of_other_in_l2(void)
{
	filter_of_msr_in_l2(MSR_FS_BASE);
}

/*
 * But not for the x2APIC's: those that L2 accesses without an exit are those of the
 * virtual-APIC page that L1 gave it, and no filter's.
 */
enum { MSR_X2APIC_TPR = 0x808, MSR_X2APIC_LDR = 0x80d, APIC_TPR = 0x80, APIC_LDR = 0xd0 };
enum { TPR_L1 = 0x20, TPR_L2 = 0x50, LDR_L2 = 0x12345678, ROUNDS = 4 };

static char *apic_page;

static void l2_apic(uint64_t has_registers)
{
	uint64_t tpr, ldr = LDR_L2;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		tpr = 0;
		guest_sync(try_rdmsr(MSR_X2APIC_TPR, &tpr));
		guest_sync(tpr);
		guest_sync(has_registers ? try_rdmsr(MSR_X2APIC_LDR, &ldr) : NO_FAULT);
		guest_sync(ldr);
		guest_sync(try_wrmsr(MSR_X2APIC_TPR, TPR_L2 + 1 + i));
	}
}

static void l1_apic(uint64_t x2apic)
{
	bool has_registers = rdmsr(MSR_VMX_PROC2_CTLS) >> 32 & PROC2_APIC_REGISTERS;

	if (x2apic) {
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
		wrmsr(MSR_X2APIC_TPR, TPR_L1);
	}
	vmx_start(vmx);
	vmx_control(PROC_CONTROLS, PROC_TPR_SHADOW | PROC_SECONDARY, 0);
	vmwrite(PROC2_CONTROLS, PROC2_X2APIC | (has_registers ? PROC2_APIC_REGISTERS : 0));
	vmwrite(VIRTUAL_APIC_ADDR, (uint64_t)apic_page);
	vmwrite(TPR_THRESHOLD, 0);
	guest_sync(has_registers);
	guest_sync(vmx_run(vmx, l2_apic, has_registers));
	guest_sync(x2apic ? rdmsr(MSR_X2APIC_TPR) : TPR_L1);
}

static void x2apic_in_l2(void)
{
	int x2apic, i;

	need_pks();
	need_nested();
	for (x2apic = 0; x2apic < 2; x2apic++) {
		vm = vm_new();
		vm_irqchip(vm);
		vmx = vmx_new(vm, false);
		apic_page = vm_pages(vm, 1);
		*(uint32_t *)(apic_page + APIC_TPR) = TPR_L2;
		*(uint32_t *)(apic_page + APIC_LDR) = LDR_L2;
		vcpu = vcpu_new(vm, PKS_ON, l1_apic, x2apic);
		if (!vcpu_sync(vcpu))
			ktap_note("no virtualization of APIC registers");
		for (i = 0; i < ROUNDS; i++) {
			check_sync("RDMSR of TPR", 0, NO_FAULT);
			/* From here on the filter has changed while L2 is active. */
			vm_filter(vm, i % 2 ? 0 : KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE);
			check_sync("TPR of L2", 0, TPR_L2 + i);
			check_sync("RDMSR of LDR", 0, NO_FAULT);
			check_sync("LDR of L2", 0, LDR_L2);
			check_sync("WRMSR to TPR", 0, NO_FAULT);
			CHECK(*(uint32_t *)(apic_page + APIC_TPR) == TPR_L2 + 1u + i,
			      "L2's write is not in its page");
		}
		check_sync("L2's exit", 0, EXIT_VMCALL);
		check_sync("TPR of L1", 0, TPR_L1);
		end();
	}
}

/* L1 has no PKS in its CPUID: nor has L2, whatever L1's controls are. */
static void l2_without_pks(uint64_t unused)
{
	uint64_t value;

	(void)unused;
	guest_sync(try_rdmsr(MSR_PKRS, &value));
	guest_sync(try_wrmsr(MSR_PKRS, 0));
	guest_sync(try_cr4(read_cr4() | CR4_PKS));
}

static void l1_without_pks(uint64_t controls)
{
	vmx_start(vmx);
	vmx_load_controls(controls);
	vmwrite(GUEST_PKRS, GUEST);
	guest_sync(vmx_run(vmx, l2_without_pks, 0));
	guest_sync(try_cr4(read_cr4() | CR4_PKS));
}

static void without_pks(void)
{
	int controls;

	for (controls = 0; controls < 4; controls++) {
		start(PKS_OFF, true, l1_without_pks, controls);
		check_sync("RDMSR of L2", controls, VECTOR_GP);
		check_sync("WRMSR of L2", controls, VECTOR_GP);
		check_sync("CR4.PKS of L2", controls, VECTOR_GP);
		check_sync("L2's exit", controls, EXIT_VMCALL);
		check_sync("CR4.PKS of L1", controls, VECTOR_GP);
		end();
	}
}

/*
 * Such an L1 may set the controls that it is offered. They are checked, and move
 * nothing: vmcs12's fields are memory (KVM-26), of all 64 bits if unchecked.
 */
static uint64_t memory(uint64_t value, bool checked)
{
	return checked ? value : 1ull << 63 | value;
}

/* From each pair of controls to each. */
static unsigned int controls_of(unsigned int i)
{
	return i & 1 ? i / 2 % 4 : i / 8;
}

static void l2_syncs(uint64_t unused)
{
	(void)unused;
	guest_sync(0);
}

static void l1_memory(uint64_t unused)
{
	unsigned int i;

	(void)unused;
	vmx_start(vmx);
	for (i = 0; i < 32; i++) {
		const unsigned int controls = controls_of(i);

		vmx_load_controls(controls);
		vmwrite(GUEST_PKRS, memory(GUEST + i, controls & 1));
		vmwrite(HOST_PKRS, memory(HOST + i, controls & 2));
		guest_sync(vmx_run(vmx, l2_syncs, 0));
		guest_sync(vmread(GUEST_PKRS));
		guest_sync(vmread(HOST_PKRS));
	}
}

static void memory_without_pks(void)
{
	unsigned int ept, i;

	for (ept = 0; ept < 2; ept++) {
		start(PKS_OFF, ept, l1_memory, 0);
		for (i = 0; i < 32; i++) {
			const unsigned int controls = controls_of(i);

			check_sync("L2 runs", controls, 0);
			CHECK(!pkrs_get(vcpu), "the host reads %#lx in L2", pkrs_get(vcpu));
			pkrs_set(vcpu, 0);
			check_sync("L2's exit", controls, EXIT_VMCALL);
			check_sync("vmcs12's guest field is", controls,
				   memory(GUEST + i, controls & 1));
			check_sync("vmcs12's host field is", controls,
				   memory(HOST + i, controls & 2));
		}
		end();
	}
}

/* Bad fields, and a list that has the MSR, which there is not. */
static const struct { uint32_t msr, reserved; uint64_t value; } zero_list = { MSR_PKRS, 0, 0 };

static void l1_bad_memory(uint64_t controls)
{
	int bit;

	vmx_start(vmx);
	vmx_load_controls(controls);
	for (bit = 32; bit < 64; bit++) {
		vmwrite(GUEST_PKRS, 1ull << bit | GUEST);
		vmwrite(HOST_PKRS, HOST);
		guest_sync(vmx_run(vmx, nothing, 0));
		guest_sync(vmread(GUEST_PKRS));
		vmwrite(GUEST_PKRS, GUEST);
		vmwrite(HOST_PKRS, 1ull << bit | HOST);
		guest_sync(vmx_run(vmx, nothing, 0));
		guest_sync(vmread(HOST_PKRS));
	}
	vmwrite(HOST_PKRS, HOST);
	vmwrite(ENTRY_MSR_LOAD_ADDR, (uint64_t)&zero_list);
	vmwrite(ENTRY_MSR_LOAD_COUNT, 1);
	guest_sync(vmx_run(vmx, nothing, 0));
	guest_sync(vmread(GUEST_PKRS));
}

static void bad_fields_without_pks(void)
{
	int controls, bit;

	for (controls = 0; controls < 4; controls++) {
		start(PKS_OFF, false, l1_bad_memory, controls);
		for (bit = 32; bit < 64; bit++) {
			check_sync("bad guest field", controls,
				   controls & 1 ? ENTRY_FAILED | EXIT_BAD_GUEST : EXIT_VMCALL);
			check_sync("which is still", controls, 1ull << bit | GUEST);
			check_sync("bad host field", controls,
				   controls & 2 ? -VMFAIL_BAD_HOST : EXIT_VMCALL);
			check_sync("which is still", controls, 1ull << bit | HOST);
		}
		check_sync("a list with the MSR", controls, ENTRY_FAILED | EXIT_BAD_LIST);
		check_sync("the guest field is still", controls, GUEST);
		end();
	}
}

/* CR4.PKS of vmcs12 is as reserved as that of L1 (KVM-4, KVM-20). */
static void l2_cr4(uint64_t unused)
{
	(void)unused;
	guest_sync(read_cr4() & CR4_PKS);
}

static void l1_cr4(uint64_t unused)
{
	(void)unused;
	vmx_start(vmx);
	vmx->guest_cr4 = CR4_PKS;
	guest_sync(vmx_run(vmx, l2_cr4, 0));
	vmx->guest_cr4 = 0;
	vmx->host_cr4 = CR4_PKS;
	guest_sync(vmx_run(vmx, nothing, 0));
	guest_sync(read_cr4() & CR4_PKS);
}

static void check_cr4(bool pks)
{
	if (pks)
		check_sync("CR4.PKS of L2", 0, CR4_PKS);
	check_sync("CR4.PKS in the guest field", 0,
		   pks ? EXIT_VMCALL : ENTRY_FAILED | EXIT_BAD_GUEST);
	check_sync("CR4.PKS in the host field", 0, pks ? EXIT_VMCALL : -VMFAIL_BAD_HOST);
	check_sync("CR4.PKS of L1", 0, pks ? CR4_PKS : 0);
	end();
}

static void cr4_fields(void)
{
	int pks;

	for (pks = PKS_OFF; pks <= PKS_ON; pks++) {
		start(pks, true, l1_cr4, 0);
		check_cr4(pks);
	}
}

/* KVM_TRANSLATE walks L2's tables with L2's PKRS (KVM-15). */
enum { KEY = 11 };

static void l2_denies(uint64_t bits)
{
	wrmsr(MSR_PKRS, KEY_BITS(KEY, bits));
	guest_sync(0);
}

static void l1_translate(uint64_t cr4)
{
	vmx_start(vmx);
	write_cr4(read_cr4() | cr4);
	for (;;) {
		wrmsr(MSR_PKRS, KEY_BITS(KEY, KEY_AD));
		guest_sync(0);
		vmx_run(vmx, l2_denies, 0);
		wrmsr(MSR_PKRS, 0);
		guest_sync(0);
		vmx_run(vmx, l2_denies, KEY_AD);
	}
}

static void check_translate(const char *who, uint64_t page, bool valid)
{
	vcpu_sync(vcpu);
	CHECK(translates(vcpu, page) == valid, "of %s: %s", who, valid ? "refused" : "valid");
}

static void translate(void)
{
	uint64_t page;
	int i, ept;

	for (ept = 0; ept < 2; ept++) {
		start(PKS_ON, ept, l1_translate, CR4_PKS);
		page = (uint64_t)vm_pages(vm, 1);
		vm_map(vm, page, page, PTE_W | PTE_A | PTE_D | PTE_KEY(KEY), 1);
		for (i = 0; i < 3; i++) {
			check_translate("L1, denied", page, false);
			check_translate("L2, allowed", page, true);
			check_translate("L1, allowed", page, true);
			check_translate("L2, denied", page, false);
		}
		end();
	}
}

/* With PKS hidden there is nothing of it for a hypervisor (KVM-20). */
static void check_hidden_control(uint32_t msr, uint32_t bit)
{
	uint64_t value = 0;

	CHECK(!allows(msr, bit), "MSR %#x offers the control", msr);
	REQUIRE(msr_get(vcpu, msr, &value), "KVM_GET_MSRS refuses %#x", msr);
	CHECK(!msr_set(vcpu, msr, value | (uint64_t)bit << 32), "MSR %#x can be widened", msr);
}

/*
 * What L1 can read and write. Newer kernels have no field whose feature is hidden,
 * and one of these is of SGX, which the emulated CPU does not have.
 */
static const uint64_t hidden_fields[] = {
	ENCLS_BITMAP, GUEST_PKRS, GUEST_PKRS_HIGH, HOST_PKRS, HOST_PKRS_HIGH
};

static void l1_fields(uint64_t unused)
{
	unsigned int i;

	(void)unused;
	vmx_start(vmx);
	for (i = 0; i < COUNT(hidden_fields); i++) {
		guest_sync(vmread_works(hidden_fields[i]));
		guest_sync(vmwrite(hidden_fields[i], 0));
	}
}

static void hidden_fields_of_l1(void)
{
	unsigned int i;
	bool all;

	need_nested();
	vm = vm_new();
	vmx = vmx_new(vm, false);
	vcpu = vcpu_new(vm, PKS_OFF, l1_fields, 0);
	all = vcpu_sync(vcpu);
	ktap_note("the kernel %s fields of hidden features", all ? "has" : "does not have");
	check_sync("VMWRITE of another", 0, all);
	for (i = 1; i < COUNT(hidden_fields); i++) {
		check_sync("VMREAD", 0, all);
		check_sync("VMWRITE", 0, all);
	}
	end();
}

static void hidden(void)
{
	uint64_t fixed1 = 0;

	CHECK(!kvm_has_pks(), "KVM_GET_SUPPORTED_CPUID has PKS");
	need_nested();
	vm = vm_new();
	vmx = vmx_new(vm, false);
	vcpu = vcpu_new(vm, PKS_OFF, l1_each_control, 0);
	check_hidden_control(MSR_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_PKRS);
	check_hidden_control(MSR_VMX_ENTRY_CTLS, ENTRY_LOAD_PKRS);
	check_hidden_control(MSR_VMX_TRUE_EXIT_CTLS, EXIT_LOAD_PKRS);
	check_hidden_control(MSR_VMX_EXIT_CTLS, EXIT_LOAD_PKRS);
	REQUIRE(msr_get(vcpu, MSR_VMX_CR4_FIXED1, &fixed1), "no CR4_FIXED1");
	CHECK(!(fixed1 & CR4_PKS), "CR4_FIXED1 is %#lx", fixed1);
	check_sync("neither control", 0, EXIT_VMCALL);
	vcpu_sync(vcpu);
	check_sync("the hidden entry control", 1, -VMFAIL_BAD_CONTROL);
	vcpu_sync(vcpu);
	check_sync("the hidden exit control", 2, -VMFAIL_BAD_CONTROL);
	end();

	vm = vm_new();
	vmx = vmx_new(vm, false);
	vcpu = vcpu_new(vm, PKS_OFF, l1_cr4, 0);
	check_cr4(false);
}

static const struct test hidden_tests[] = {
	{ "kvm.nested.hidden", "KVM-20", hidden, NULL },
	{ "kvm.nested.hidden_fields", "KVM-20", hidden_fields_of_l1, NULL },
};

static const struct test tests[] = {
	{ "kvm.nested.capabilities", "KVM-20", capabilities, NULL },
	{ "kvm.nested.narrowed", "KVM-20, KVM-26, PKS-14", narrowed, NULL },
	{ "kvm.nested.values", "KVM-17, KVM-18", values, NULL },
	{ "kvm.nested.values_set_by_host", "KVM-17, KVM-18", values_set_by_host, NULL },
	{ "kvm.nested.every_exit", "KVM-18", every_exit, NULL },
	{ "kvm.nested.every_refusal", "KVM-19", every_refusal, NULL },
	{ "kvm.nested.bad_fields", "KVM-19", bad_fields, NULL },
	{ "kvm.nested.late_vmfail", "KVM-19", late_vmfail, NULL },
	{ "kvm.nested.late_vmfail_two", "KVM-19", late_vmfail_two, NULL },
	{ "kvm.nested.bitmap_and_filter", "KVM-5, KVM-21", bitmap_and_filter, NULL },
	{ "kvm.nested.filter_in_l2", "KVM-5", filter_in_l2, NULL },
	{ "kvm.nested.filter_of_other_in_l2", "KVM-5", filter_of_other_in_l2, NULL },
	{ "kvm.nested.x2apic_in_l2", "KVM-5", x2apic_in_l2, NULL },
	{ "kvm.nested.without_pks", "KVM-4, KVM-20", without_pks, NULL },
	{ "kvm.nested.memory_without_pks", "KVM-26", memory_without_pks, NULL },
	{ "kvm.nested.bad_fields_without_pks", "KVM-26, PKS-15, PKS-16", bad_fields_without_pks,
	  NULL },
	{ "kvm.nested.cr4_fields", "KVM-4, KVM-12, KVM-20", cr4_fields, NULL },
	{ "kvm.nested.translate", "KVM-13, KVM-15", translate, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "expect", "variation", NULL };
	const char *expect;

	ktap_arguments(argc, argv, keys);
	expect = ktap_argument("expect");
	if (expect && !strcmp(expect, "hidden"))
		return ktap_run(hidden_tests, COUNT(hidden_tests));
	return ktap_run(tests, COUNT(tests));
}
