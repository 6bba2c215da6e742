// SPDX-License-Identifier: GPL-2.0-only
/*
 * PKS in nested virtualization, seen by a hypervisor (L1): PKS-13 to PKS-16 on
 * the processor itself, KVM-17 to KVM-21 under KVM. The "# cell" lines hold
 * nothing that may differ between two machines that are both right, so that
 * the processor's can be compared with KVM's. Argument "hidden": check that a
 * VMX processor without PKS shows no trace of it.
 */
#include "nested/nested.h"

struct l2 first, second;

/* L2 puts its VMCALL back, which L1 may have replaced (l2_skip()). */
asm(".text\n"
    ".globl l2_exit, l2_vmcall\n"
    "l2_exit:\n\t"
    "vmcall\n\t"
    "movw $0x010f, l2_exit\n\t"
    "movb $0xc1, l2_exit + 2\n\t"
    "ret\n"
    "l2_vmcall:\n\t"
    "vmcall\n\t"
    "jmp l2_vmcall\n");

void start(u32 pkrs)
{
	if (!(read_cr4() & CR4_VMXE))
		vmx_on();
	write_pkrs(pkrs);
	write_cr4(read_cr4() | CR4_PKS);
}

void arm(struct l2 *g, void (*code)(void), const struct pkrs_vmcs *v)
{
	l2_create(g, code);
	vmcs_control(ENTRY_CONTROLS, v->entry ? ENTRY_LOAD_PKRS : 0, 0);
	vmcs_control(EXIT_CONTROLS, v->exit ? EXIT_LOAD_PKRS : 0, 0);
	vmcs_write(GUEST_PKRS, v->guest);
	vmcs_write(HOST_PKRS, v->host);
}

bool expect_exit(struct l2 *g, u32 reason)
{
	u32 error = l2_enter(g), is = vmcs_read(EXIT_REASON);

	if (error)
		fail("VM-instruction error %u, not exit reason %u", error, reason);
	else if (is != reason)
		fail("exit reason 0x%x, not 0x%x (RIP 0x%lx)",
		     is, reason, vmcs_read(GUEST_RIP));
	return !error && is == reason;
}

void expect_error(struct l2 *g, u32 error)
{
	u32 is = l2_enter(g);

	if (is != error)
		fail("VM-instruction error %u, not %u (exit reason 0x%lx)",
		     is, error, vmcs_read(EXIT_REASON));
}

void expect_pkrs(const char *when, u32 l1, u64 field)
{
	u64 pkrs = rdmsr(MSR_PKRS), guest = vmcs_read(GUEST_PKRS);

	if (pkrs != l1)
		fail("%s: L1's PKRS is 0x%lx, not 0x%x", when, pkrs, l1);
	if (guest != field)
		fail("%s: the guest field is 0x%lx, not 0x%lx", when, guest, field);
}

static const char *missing(bool hidden)
{
	if (hidden)
		return vmx_missing();
	return cpu_has_pks() ? vmx_missing() : "a processor with PKS";
}

void guest_main(void)
{
	bool hidden = arg_flag("hidden");
	const char *lack;

	if (arg_value("only"))
		ktap_only = arg_value("only");
	args_done("hidden, la57, only=TEST and machine=bare|kvm");
	cpu_baseline();
	lack = missing(hidden);
	map(VAULT, (u64)page_alloc() | PTE_P | PTE_W | PTE_KEY(VAULT_KEY), 1);
	if (hidden) {
		ktap_plan(n_hidden_tests);
		ktap_run(hidden_tests, n_hidden_tests, lack);
		ktap_exit();
	}
	ktap_plan(n_msr_tests + n_entry_tests + n_list_tests + n_key_tests +
		  n_matrix_tests);
	ktap_run(msr_tests, n_msr_tests, lack);
	ktap_run(entry_tests, n_entry_tests, lack);
	ktap_run(list_tests, n_list_tests, lack);
	ktap_run(key_tests, n_key_tests, lack);
	ktap_run(matrix_tests, n_matrix_tests, lack);
	ktap_exit();
}
