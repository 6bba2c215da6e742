// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "x86.h"
#include "cpuid.h"
#include "pks.h"

void vmx_cache_pkrs(struct kvm_vcpu *vcpu)
{
	u64 pkrs = vmcs_read64(GUEST_IA32_PKRS);

	WARN_ON_ONCE(!pks_valid(pkrs));
	vcpu->arch.pkrs = pkrs;
}

int vmx_get_pkrs(struct kvm_vcpu *vcpu, struct msr_data *msr_info)
{
	if (!guest_cpu_cap_has(vcpu, X86_FEATURE_PKS))
		return KVM_MSR_RET_UNSUPPORTED;

	msr_info->data = kvm_read_pkrs(vcpu);
	return 0;
}

int vmx_set_pkrs(struct kvm_vcpu *vcpu, struct msr_data *msr_info)
{
	if (!guest_cpu_cap_has(vcpu, X86_FEATURE_PKS))
		return KVM_MSR_RET_UNSUPPORTED;

	if (!pks_valid(msr_info->data))
		return 1;

	vmx_write_pkrs(vcpu, msr_info->data);
	return 0;
}
