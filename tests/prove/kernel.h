/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the texts that tests/prove/run cuts out of KVM need of the rest of a
 * kernel: as much as makes any state of it possible.
 */
#include <stdbool.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define BIT(n)			(1ul << (n))
#define BIT_ULL(n)		(1ull << (n))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define BUILD_BUG_ON(c)		_Static_assert(!(c), "BUILD_BUG_ON")
#define KVM_BUG_ON(c, kvm)	WARN_ON(c)
#define WARN_ON(c)		(__CPROVER_assert(!(c), "WARN_ON(" #c ")"), c)
#define WARN_ON_ONCE(c)		WARN_ON(c)
#define unlikely(c)		(c)
#define __maybe_unused
#define static_call(f)		f
#define kvm_x86_call(f)		kvm_x86_##f
#define FNAME(name)		name
#define PTTYPE			64
#define PTTYPE_EPT		18

#define X86_CR0_PG		(1ul << 31)
#define X86_CR0_WP		(1ul << 16)
#define X86_CR4_PSE		(1ul << 4)
#define X86_CR4_PAE		(1ul << 5)
#define X86_CR4_LA57		(1ul << 12)
#define X86_CR4_SMEP		(1ul << 20)
#define X86_CR4_SMAP		(1ul << 21)
#define X86_CR4_PKE		(1ul << 22)
#define X86_CR4_PKS		(1ul << 24)
#define X86_EFLAGS_AC		(1ul << 18)
#define EFER_LMA		(1ul << 10)
#define EFER_NX			(1ul << 11)
#define PT64_ROOT_5LEVEL	5
#define PT64_ROOT_4LEVEL	4
#define PT32E_ROOT_LEVEL	3
#define PT32_ROOT_LEVEL		2
/* Other tests see to what a guest may own of CR0 and CR4. */
#define KVM_POSSIBLE_CR0_GUEST_BITS X86_CR0_WP
#define KVM_POSSIBLE_CR4_GUEST_BITS 0

bool nondet_bool(void);
u8 nondet_u8(void);
u32 nondet_u32(void);
u64 nondet_u64(void);

static bool tdp_enabled, pkrs_cached;
static unsigned long now_cr0, now_rflags;
static u32 now_pkrs;

struct kvm_vcpu;
#define is_smm(vcpu)		nondet_bool()
#define is_guest_mode(vcpu)	nondet_bool()
#define kvm_read_cr0_bits(vcpu, bits) (now_cr0 & (bits))
#define kvm_is_cr0_bit_set(vcpu, bit) (!!(now_cr0 & (bit)))
#define kvm_x86_get_rflags(vcpu) now_rflags
#define kvm_register_is_available(vcpu, reg) pkrs_cached
#define kvm_x86_cache_reg(vcpu, reg) ((vcpu)->arch.pkrs = now_pkrs)
#define reset_guest_rsvds_bits_mask(vcpu, w) ((void)0)
#define pte_flags(pte)		((pte).pte)
#define pte_flags_pkey(flags)	((u16)((flags) >> 59 & 15))
typedef struct { u64 pte; } pte_t;
