/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Enlightened VMCS, version 1: a VMCS that L1 writes as memory, as Hyper-V does
 * under KVM. It has no field and no control for PKRS.
 */
#ifndef TESTS_KVM_EVMCS_H
#define TESTS_KVM_EVMCS_H

#include "vmx.h"

#define MSR_VP_ASSIST_PAGE	0x40000073
#define VMFAIL_NO_FIELD		12

/* The groups of fields that L1 has not changed since L2's last exit. */
#define EVMCS_ALL_CLEAN		0xffffu

/* Of struct vcpu's hyperv. */
enum { HYPERV_CPUID = 1, HYPERV_EVMCS = 2 };

/* The test: what it needs of KVM, or skip the case. */
void need_evmcs(void);
/* The test: what vcpu->hyperv has. vcpu_set_cpuid() does the same. */
void hyperv_cpuid(struct vcpu *vcpu, struct kvm_cpuid2 *cpuid);
void hyperv_evmcs(struct vcpu *vcpu);
/* The test: memory for it, before the vCPU runs. */
void evmcs_new(struct vm *vm, struct vmx *vmx);

/*
 * L1, after vmx_start(): the VMCS is given up for enlightened ones, which hold
 * what it held. vmx_run() then runs L2 by the one that was chosen last.
 */
void evmcs_start(struct vmx *vmx);
void evmcs_use(struct vmx *vmx, unsigned int which);
/* L1: the fields that vmx.c uses, by their names in a VMCS. */
uint64_t evmcs_read(const void *evmcs, uint32_t field);
void evmcs_write(void *evmcs, uint32_t field, uint64_t value);
uint32_t *evmcs_clean_fields(void *evmcs);
/* L1: may KVM rely on the clean field of the MSR bitmap? */
void evmcs_enlighten_bitmap(void *evmcs);

#endif
