/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names that differ between the supported kernels. A version number says
 * nothing (point releases rename, too): only names are tested for.
 */
#ifndef __ARCH_X86_KVM_PKS_COMPAT_H
#define __ARCH_X86_KVM_PKS_COMPAT_H

/* Linux 6.1 */
#ifndef kvm_x86_call
#define kvm_x86_call(func) static_call(kvm_x86_##func)
#endif

/* Linux 6.1 */
#ifndef KVM_MSR_RET_UNSUPPORTED
#define KVM_MSR_RET_UNSUPPORTED KVM_MSR_RET_INVALID
#endif

#endif /* __ARCH_X86_KVM_PKS_COMPAT_H */
