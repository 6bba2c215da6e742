// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ktap.h"
#include "move.h"
#include "vmx.h"

const enum step msrs_first[STEPS] = {
	CPUID, FPU, FEATURE_CONTROL, SREGS, MSRS, REGS, NESTED, EVENTS
};
const enum step nested_first[STEPS] = {
	CPUID, FPU, FEATURE_CONTROL, SREGS, REGS, NESTED, MSRS, EVENTS
};

static struct kvm_msr_list *msr_list(void)
{
	static union {
		struct kvm_msr_list list;
		char room[sizeof(struct kvm_msr_list) + 4096 * sizeof(uint32_t)];
	} u;

	u.list.nmsrs = 4096;
	REQUIRE(!ioctl(kvm_dev(), KVM_GET_MSR_INDEX_LIST, &u.list), "KVM_GET_MSR_INDEX_LIST: %s",
		strerror(errno));
	return &u.list;
}

static void save_msrs(struct vcpu *vcpu, struct state *s)
{
	struct kvm_msr_list *list = msr_list();
	uint32_t i;

	s->msrs = calloc(1, sizeof(*s->msrs) + list->nmsrs * sizeof(*s->msrs->entries));
	for (i = 0; i < list->nmsrs; i++) {
		struct kvm_msr_entry *entry = &s->msrs->entries[s->msrs->nmsrs];
		uint64_t value;

		entry->index = list->indices[i];
		if (!msr_get(vcpu, entry->index, &value))
			continue;
		entry->data = value;
		s->msrs->nmsrs++;
	}
}

void vcpu_save(struct vcpu *vcpu, struct state *s)
{
	memset(s, 0, sizeof(*s));
	vcpu_complete(vcpu);
	s->sregs = sregs_get(vcpu);
	REQUIRE(!ioctl(vcpu->fd, KVM_GET_REGS, &s->regs) &&
		!ioctl(vcpu->fd, KVM_GET_XSAVE, &s->xsave) &&
		!ioctl(vcpu->fd, KVM_GET_XCRS, &s->xcrs) &&
		!ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &s->events),
		"cannot save a vCPU: %s", strerror(errno));
	save_msrs(vcpu, s);
	s->nested.size = sizeof(s->room);
	/* A KVM without nesting has no state of it. */
	if (ioctl(vcpu->fd, KVM_GET_NESTED_STATE, &s->nested))
		s->nested.size = 0;
}

/* One by one: KVM takes back not all that it lists, but PKRS it must. */
static int restore_msrs(struct vcpu *vcpu, const struct state *s)
{
	int result = 0;
	uint32_t i;

	for (i = 0; i < s->msrs->nmsrs; i++) {
		const struct kvm_msr_entry *e = &s->msrs->entries[i];

		if (!msr_set(vcpu, e->index, e->data) && e->index == MSR_PKRS)
			result = -1;
	}
	return result;
}

static int restore_feature_control(struct vcpu *vcpu, const struct state *s)
{
	uint32_t i;

	for (i = 0; i < s->msrs->nmsrs; i++)
		if (s->msrs->entries[i].index == MSR_FEATURE_CONTROL)
			msr_set(vcpu, MSR_FEATURE_CONTROL, s->msrs->entries[i].data);
	return 0;
}

int vcpu_restore(struct vcpu *vcpu, struct state *s, enum step step)
{
	switch (step) {
	case CPUID:
		return vcpu_set_cpuid(vcpu, vcpu->pks);
	case FEATURE_CONTROL:
		return restore_feature_control(vcpu, s);
	case SREGS:
		return ioctl(vcpu->fd, KVM_SET_SREGS, &s->sregs);
	case MSRS:
		return restore_msrs(vcpu, s);
	case REGS:
		return ioctl(vcpu->fd, KVM_SET_REGS, &s->regs);
	case FPU:
		return ioctl(vcpu->fd, KVM_SET_XCRS, &s->xcrs) ||
		       ioctl(vcpu->fd, KVM_SET_XSAVE, &s->xsave) ? -1 : 0;
	case EVENTS:
		return ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &s->events);
	case NESTED:
		return s->nested.size ? ioctl(vcpu->fd, KVM_SET_NESTED_STATE, &s->nested) : 0;
	default:
		return -1;
	}
}

struct vcpu *vcpu_twin(const struct vcpu *from)
{
	struct vcpu *to = vcpu_bare(vm_twin(from->vm), 0);

	to->cpu = from->cpu;
	to->start = from->start;
	to->stack = from->stack;
	to->pks = from->pks;
	to->hyperv = from->hyperv;
	return to;
}

struct vcpu *vcpu_move(struct vcpu *from, const enum step order[STEPS], uint16_t *nested)
{
	struct vm *old = from->vm;
	struct vcpu *to = vcpu_twin(from);
	struct state *state = malloc(sizeof(*state));
	int i;

	vcpu_save(from, state);
	for (i = 0; i < STEPS; i++)
		REQUIRE(!vcpu_restore(to, state, order[i]), "step %d of restoring, %d: %s", i,
			order[i], strerror(errno));
	CHECK(pkrs_get(to) == pkrs_get(from), "PKRS %#lx became %#lx", pkrs_get(from),
	      pkrs_get(to));
	CHECK(sregs_get(to).cr4 == sregs_get(from).cr4, "CR4 %#llx became %#llx",
	      sregs_get(from).cr4, sregs_get(to).cr4);
	if (nested)
		*nested = state->nested.size ? state->nested.flags : 0;
	free(state->msrs);
	free(state);
	vcpu_free(from);
	vm_free(old);
	return to;
}
