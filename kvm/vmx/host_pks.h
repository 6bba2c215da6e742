/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_X86_VMX_HOST_PKS_H
#define __KVM_X86_VMX_HOST_PKS_H

#include <linux/kvm_host.h>

extern bool host_uses_pks;

void vmx_setup_host_pks(struct kvm_x86_ops *ops);
void vmx_refresh_host_pkrs(void);

#endif /* __KVM_X86_VMX_HOST_PKS_H */
