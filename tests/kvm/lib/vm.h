/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual machines for tests. Guest-virtual, guest-physical and host addresses
 * are the same: the guest sees the test program's own image and the VM's RAM
 * where the test sees them, so that both use the same variables and pointers.
 * Whatever fails here unexpectedly ends the case.
 */
#ifndef TESTS_KVM_VM_H
#define TESTS_KVM_VM_H

#include <linux/kvm.h>
#include <stdbool.h>

#include "guest.h"

/*
 * The image and the RAM have this key. No test denies it, and so every other
 * key, key 0 too, can be denied without harm to the guest (PKS-8).
 */
#define OWN_KEY		14

/* One page of the guest that is not memory: reads there give MMIO_BYTE. */
#define MMIO		0xd0000000
#define MMIO_BYTE	0x5a

#define PAGE_SIZE	4096
#define BIG_SIZE	(1u << 21)

struct vm {
	int fd;
	int slots;
	char *room;	/* what vm_free() gives back, NULL if taken over */
	char *ram;
	char *free;	/* RAM not yet handed out */
	uint64_t *root;
};

struct vcpu {
	int fd;
	struct vm *vm;
	struct kvm_run *run;
	struct cpu *cpu;
	struct kvm_sregs start;
	uint64_t stack;
	int pks;	/* what its CPUID has */
	int hyperv;	/* what of it the guest has: evmcs.h */
};

enum { PKS_OFF, PKS_ON };

/* /dev/kvm */
int kvm_dev(void);
void kvm_leave(void);				/* until it is asked for again */
struct kvm_cpuid2 *kvm_cpuid(void);		/* what KVM supports */
struct kvm_cpuid_entry2 *cpuid_leaf(struct kvm_cpuid2 *cpuid, uint32_t leaf, uint32_t index);
bool kvm_has_pks(void);
bool kvm_lists_msr(uint32_t msr);
/* A parameter of a module, or NULL. */
const char *module_param(const char *module, const char *name);
void need_pks(void);				/* or skip the case */
void need_nested(void);
void need_forced_emulation(void);

struct vm *vm_new(void);
/* Another VM, that takes over the memory, page tables included. */
struct vm *vm_twin(struct vm *vm);
void vm_free(struct vm *vm);
/* To exchange KVM's modules: of such a VM only vm_twin() and vm_free() may be asked. */
void vm_leave(struct vm *vm);
void vm_irqchip(struct vm *vm);
/* Denies the guest one MSR: KVM_MSR_FILTER_READ, _WRITE, both or none. */
void vm_filter_msr(struct vm *vm, uint32_t msr, uint32_t deny);
void vm_filter(struct vm *vm, uint32_t deny);		/* IA32_PKRS */
void vm_slot(struct vm *vm, uint64_t gpa, void *memory, uint64_t size);
void *vm_pages(struct vm *vm, unsigned int count);	/* zeroed */
/*
 * Maps one page at va, by an entry of the given level (1: 4 KiB, 2: 2 MiB,
 * 3: 1 GiB), and returns that entry.
 */
uint64_t *vm_map(struct vm *vm, uint64_t va, uint64_t gpa, uint64_t bits, int level);
uint64_t *vm_entry(struct vm *vm, uint64_t va, int level);

struct vcpu *vcpu_bare(struct vm *vm, unsigned int id);	/* no CPUID, no state */
/* With CPUID as supported, PKS in it or not, about to call fn(arg). */
struct vcpu *vcpu_new(struct vm *vm, int pks, void (*fn)(uint64_t), uint64_t arg);
struct vcpu *vcpu_new_id(struct vm *vm, unsigned int id, int pks, void (*fn)(uint64_t),
			 uint64_t arg);
void vcpu_free(struct vcpu *vcpu);
int vcpu_set_cpuid(struct vcpu *vcpu, int pks);		/* 0 or -1 as ioctl() */
void vcpu_call(struct vcpu *vcpu, void (*fn)(uint64_t), uint64_t arg);
/* KVM_RUN; returns the exit reason. */
unsigned int vcpu_run(struct vcpu *vcpu);
/* Runs to the guest's next guest_sync() and returns its value. */
uint64_t vcpu_sync(struct vcpu *vcpu);
void vcpu_done(struct vcpu *vcpu);			/* runs to the end of fn */
/* Ends the instruction that an exit to the test has left half done. */
void vcpu_complete(struct vcpu *vcpu);

bool msr_get(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool msr_set(struct vcpu *vcpu, uint32_t msr, uint64_t value);
uint64_t pkrs_get(struct vcpu *vcpu);
void pkrs_set(struct vcpu *vcpu, uint64_t value);
struct kvm_sregs sregs_get(struct vcpu *vcpu);
bool sregs_set(struct vcpu *vcpu, const struct kvm_sregs *sregs);
bool translates(struct vcpu *vcpu, uint64_t va);
uint64_t vcpu_stat(struct vcpu *vcpu, const char *name);

#endif
