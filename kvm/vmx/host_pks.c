// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that uses PKS itself: HOST_IA32_PKRS is what the host uses when it
 * enters a guest.  A host that does not is spared any of it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <asm/tlbflush.h>
#include <asm/vmx.h>

#include "common.h"
#include "host_pks.h"
#include "pks.h"

bool __ro_after_init host_uses_pks;

static void (*prepare_switch_to_guest)(struct kvm_vcpu *vcpu) __ro_after_init;

/* The VMCS that is about to be entered must be loaded. */
void vmx_refresh_host_pkrs(void)
{
	u64 pkrs;

	if (!host_uses_pks)
		return;

	rdmsrq(MSR_IA32_PKRS, pkrs);
	vmcs_write64(HOST_IA32_PKRS, pkrs);
}

static void vmx_pks_prepare_switch_to_guest(struct kvm_vcpu *vcpu)
{
	prepare_switch_to_guest(vcpu);

	/* The TDX module takes care of the host's MSRs. */
	if (!is_td_vcpu(vcpu))
		vmx_refresh_host_pkrs();
}

void __init vmx_setup_host_pks(struct kvm_x86_ops *ops)
{
	host_uses_pks = cpu_has_load_ia32_pkrs() &&
			(cr4_read_shadow() & X86_CR4_PKS);
	if (!host_uses_pks)
		return;

	prepare_switch_to_guest = ops->prepare_switch_to_guest;
	ops->prepare_switch_to_guest = vmx_pks_prepare_switch_to_guest;
}
