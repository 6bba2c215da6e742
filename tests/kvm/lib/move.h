/* SPDX-License-Identifier: GPL-2.0-only */
/* Live migration of one vCPU: what a VMM saves and restores, in a chosen order. */
#ifndef TESTS_KVM_MOVE_H
#define TESTS_KVM_MOVE_H

#include "vm.h"

enum step {
	CPUID, FEATURE_CONTROL, SREGS, MSRS, REGS, FPU, EVENTS, NESTED, STEPS
};

struct state {
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_vcpu_events events;
	struct kvm_msrs *msrs;
	union {
		struct kvm_nested_state nested;
		char room[4 * PAGE_SIZE];
	};
};

/* KVM_SET_MSRS before KVM_SET_NESTED_STATE, and after it. */
extern const enum step msrs_first[STEPS], nested_first[STEPS];

/* Where vmcs12, and so a saved one, has the two fields of PKRS (KVM-22). */
enum { VMCS12_FIRST = 728, VMCS12_SECOND = 736 };

void vcpu_save(struct vcpu *vcpu, struct state *state);
/* Returns what the ioctl() of that step returned. */
int vcpu_restore(struct vcpu *vcpu, struct state *state, enum step step);
/* A vCPU in a new VM with the same memory, that may go on as FROM once it is restored. */
struct vcpu *vcpu_twin(const struct vcpu *from);
/*
 * The vCPU goes on in a new VM with the same memory; the old one goes. Returns
 * the flags of its nested state if they are asked for.
 */
struct vcpu *vcpu_move(struct vcpu *from, const enum step order[STEPS], uint16_t *nested);

#endif
