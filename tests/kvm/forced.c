// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM's emulator does beyond plain data accesses: registers, implicit
 * accesses, fetches, dirty bits, accesses to two pages. Each case does it
 * natively too, so that the processor agrees with the expectation.
 */
#include <string.h>

#include "ktap.h"
#include "vm.h"

enum { KEY = 9, VALUE = 0x40302010 };

#define FORCED "ud2\n\t.ascii \"kvm\"\n\t"
#define DENY(bits) KEY_BITS(KEY, bits)

static struct vm *vm;
static struct vcpu *vcpu;
static char *page;		/* two of them; the first has KEY */
static uint64_t *pte;
static uint64_t *ldt;

static void start(int pks, void (*fn)(uint64_t))
{
	need_pks();
	need_forced_emulation();
	vm = vm_new();
	page = vm_pages(vm, 2);
	pte = vm_map(vm, (uint64_t)page, (uint64_t)page, PTE_W | PTE_A | PTE_D | PTE_KEY(KEY), 1);
	vcpu = vcpu_new(vm, pks, fn, 0);
	ldt = (uint64_t *)vcpu->start.ldt.base;
}

static void end(void)
{
	vcpu_done(vcpu);
	vcpu_free(vcpu);
	vm_free(vm);
}

static void check(const char *what, int want)
{
	int got = vcpu_sync(vcpu);

	CHECK(got == want, "%s gives %#x, not %#x", what, got, want);
}

static void forced_rdmsr(uint64_t msr, uint64_t value)
{
	uint64_t low, high;

	asm volatile(FORCED "rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	*(uint64_t *)value = high << 32 | low;
}

static void forced_wrmsr(uint64_t msr, uint64_t value)
{
	asm volatile(FORCED "wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"(value >> 32)
		     : "memory");
}

static void forced_cr4(uint64_t value, uint64_t unused)
{
	(void)unused;
	asm volatile(FORCED "mov %0, %%cr4" : : "r"(value) : "memory");
}

static void use_msr(uint64_t unused)
{
	uint64_t value = 0;
	int bit, wrong = 0;

	(void)unused;
	guest_sync(guest_try(forced_wrmsr, MSR_PKRS, VALUE));
	guest_sync(try_rdmsr(MSR_PKRS, &value));
	guest_sync(value);
	try_wrmsr(MSR_PKRS, ~(uint32_t)VALUE);
	guest_sync(guest_try(forced_rdmsr, MSR_PKRS, (uint64_t)&value));
	guest_sync(value);
	for (bit = 32; bit < 64; bit++)
		wrong += guest_try(forced_wrmsr, MSR_PKRS, 1ull << bit) != VECTOR_GP;
	guest_sync(wrong);
	try_rdmsr(MSR_PKRS, &value);
	guest_sync(value);
}

static void msr(void)
{
	start(PKS_ON, use_msr);
	check("forced WRMSR", NO_FAULT);
	check("RDMSR", NO_FAULT);
	check("the value", VALUE);
	check("forced RDMSR", NO_FAULT);
	check("the value", ~VALUE);
	check("the number of high bits that do not #GP", 0);
	check("the value", ~VALUE);
	CHECK(pkrs_get(vcpu) == (uint32_t)~VALUE, "the host reads %#lx", pkrs_get(vcpu));
	end();
}

static void msr_without_pks(void)
{
	start(PKS_OFF, use_msr);
	check("forced WRMSR", VECTOR_GP);
	check("RDMSR", VECTOR_GP);
	vcpu_sync(vcpu);
	check("forced RDMSR", VECTOR_GP);
	vcpu_sync(vcpu);
	check("the number of high bits that do not #GP", 0);
	vcpu_sync(vcpu);
	end();
}

static void use_cr4(uint64_t pks)
{
	(void)pks;
	try_wrmsr(MSR_PKRS, DENY(KEY_AD));
	guest_sync(guest_try(forced_cr4, read_cr4() | CR4_PKS, 0));
	guest_sync(guest_probe(probe_read, page, 0, 0));
	guest_sync(guest_probe(probe_read_forced, page, 0, 0));
	guest_sync(guest_try(forced_cr4, read_cr4() & ~(uint64_t)CR4_PKS, 0));
	guest_sync(guest_probe(probe_read, page, 0, 0));
	guest_sync(guest_probe(probe_read_forced, page, 0, 0));
}

static void cr4(void)
{
	start(PKS_ON, use_cr4);
	check("forced MOV to CR4", NO_FAULT);
	check("a read", PF_P | PF_PK);
	check("a forced read", PF_P | PF_PK);
	check("forced MOV to CR4", NO_FAULT);
	check("a read", NO_FAULT);
	check("a forced read", NO_FAULT);
	end();
}

static void cr4_without_pks(void)
{
	start(PKS_OFF, use_cr4);
	check("forced MOV to CR4", VECTOR_GP);
	check("a read", NO_FAULT);
	check("a forced read", NO_FAULT);
	check("forced MOV to CR4", NO_FAULT);
	check("a read", NO_FAULT);
	check("a forced read", NO_FAULT);
	end();
}

/* No exit between the forced write of PKRS and the accesses, or the other way. */
static void use_window(uint64_t unused)
{
	uint64_t value;

	(void)unused;
	write_cr4(read_cr4() | CR4_PKS);
	guest_try(forced_wrmsr, MSR_PKRS, DENY(KEY_WD));
	guest_sync(guest_probe(probe_write, page, 0, 0));
	guest_try(forced_rdmsr, MSR_PKRS, (uint64_t)&value);
	wrmsr(MSR_PKRS, 0);
	guest_sync(guest_probe(probe_write_forced, page, 0, 0));
	guest_try(forced_rdmsr, MSR_PKRS, (uint64_t)&value);
	wrmsr(MSR_PKRS, DENY(KEY_WD));
	guest_sync(guest_probe(probe_write_forced, page, 0, 0));
}

static void window(void)
{
	start(PKS_ON, use_window);
	check("a write after a forced WRMSR", PF_P | PF_W | PF_PK);
	check("a forced write after WRMSR of 0", NO_FAULT);
	check("a forced write after WRMSR of WD", PF_P | PF_W | PF_PK);
	end();
}

/* Loads DS from the LDT, whose page has KEY; at CPL 3 that is the supervisor's (PKS-6). */
static void use_ldt(uint64_t bits)
{
	const uint64_t accessed = 0x00cff3000000ffff, fresh = 0x00cff2000000ffff;
	int cpl, wp;

	wrmsr(MSR_PKRS, 0);
	ldt[1] = accessed;
	write_cr4(read_cr4() | CR4_PKS);
	for (wp = 1; wp >= 0; wp--) {
		write_cr0((read_cr0() & ~(uint64_t)CR0_WP) | (wp ? CR0_WP : 0));
		for (cpl = 0; cpl < 2; cpl++) {
			uint64_t selector = 1 << 3 | 4 | 3;
			guest_fn *probe = bits & 4 ? probe_load_ds_forced : probe_load_ds;

			ldt[2] = fresh;
			wrmsr(MSR_PKRS, DENY(bits & 3));
			guest_sync(guest_probe(probe, (void *)selector, 0, cpl));
			selector += 8;
			guest_sync(guest_probe(probe, (void *)selector, 0, cpl));
			wrmsr(MSR_PKRS, 0);
			guest_sync(ldt[2] == fresh ? 0 : ldt[2] == (fresh | 1ull << 40) ? 1 : 2);
		}
	}
}

static void check_ldt(int bits)
{
	int wp, cpl;

	for (wp = 1; wp >= 0; wp--) {
		for (cpl = 0; cpl < 2; cpl++) {
			int read = bits & KEY_AD ? PF_P | PF_PK : NO_FAULT;
			int write = bits & KEY_WD && wp ? PF_P | PF_W | PF_PK : NO_FAULT;

			check("loading a segment", read);
			/* It reads the descriptor, then writes its accessed bit. */
			check("loading a fresh segment", read != NO_FAULT ? read : write);
			check("the accessed bit", read == NO_FAULT && write == NO_FAULT);
		}
	}
}

static void segment_load(void)
{
	int bits;

	for (bits = 0; bits < 8; bits++) {
		start(PKS_ON, use_ldt);
		ktap_note("PKRS %d, %s", bits & 3, bits & 4 ? "forced" : "native");
		*vm_entry(vm, (uint64_t)ldt, 1) = (uint64_t)ldt | PTE_P | PTE_W | PTE_A | PTE_D |
			PTE_KEY(KEY);
		vcpu_call(vcpu, use_ldt, bits);
		check_ldt(bits & 3);
		end();
	}
}

/* An instruction in a page whose key has AD, that KVM must fetch itself (PKS-3). */
static void use_fetch(uint64_t unused)
{
	static char sink;
	const uint64_t user_sink = USER_ALIAS + (uint64_t)&sink;

	(void)unused;
	wrmsr(MSR_PKRS, DENY(KEY_AD | KEY_WD));
	write_cr4(read_cr4() | CR4_PKS);
	guest_sync(guest_probe((guest_fn *)page, &sink, MMIO, 0));
	guest_sync(guest_probe(probe_read, page, 0, 0));
	write_cr4(read_cr4() | CR4_PKE);
	wrpkru(DENY(KEY_AD | KEY_WD));
	*pte |= PTE_U;
	flush(page);
	/* guest_probe() adds to a probe's address what its user alias needs. */
	guest_sync(guest_probe((guest_fn *)(page - USER_ALIAS), (void *)user_sink,
			       USER_ALIAS + MMIO, 1));
	guest_sync(guest_probe(probe_read, page, 0, 1));
}

static void fetch(void)
{
	static const uint8_t code[] = { 0xa4 /* movsb */, 0x0f, 0x0b /* ud2 */ };

	start(PKS_ON, use_fetch);
	memcpy(page, code, sizeof(code));
	check("a supervisor's code in a page that may not be read", NO_FAULT);
	check("reading it", PF_P | PF_PK);
	if (cpuid_leaf(kvm_cpuid(), 7, 0)->ecx & 1 << 3) {
		check("a user's code in a page that may not be read", NO_FAULT);
		check("reading it", PF_P | PF_U | PF_PK);
		vcpu_done(vcpu);
	}
	vcpu_free(vcpu);
	vm_free(vm);
}

static void use_dirty(uint64_t unused)
{
	static guest_fn *const probes[] = { probe_write, probe_write_forced, probe_write_mmio };
	unsigned int i, bits;

	(void)unused;
	write_cr4(read_cr4() | CR4_PKS);
	for (i = 0; i < COUNT(probes); i++) {
		for (bits = 0; bits < 4; bits++) {
			*pte &= ~PTE_D;
			flush(page);
			wrmsr(MSR_PKRS, DENY(bits));
			guest_probe(probes[i], page, MMIO, 0);
			guest_sync(*pte & PTE_D);
		}
	}
}

static void dirty(void)
{
	unsigned int i, bits;

	start(PKS_ON, use_dirty);
	for (i = 0; i < 3; i++)
		for (bits = 0; bits < 4; bits++)
			check(bits ? "the dirty bit after a refused write" :
			      "the dirty bit after a write", bits ? 0 : PTE_D);
	end();
}

/* Eight bytes, four in an own page, four in the next with KEY. */
static void use_two_pages(uint64_t unused)
{
	static guest_fn *const probes[] = { probe_read8, probe_read8_forced };
	unsigned int i;

	(void)unused;
	write_cr4(read_cr4() | CR4_PKS);
	for (i = 0; i < COUNT(probes); i++) {
		wrmsr(MSR_PKRS, DENY(KEY_WD));
		guest_sync(guest_probe(probes[i], page - 4, 0, 0));
		wrmsr(MSR_PKRS, DENY(KEY_AD));
		guest_sync(guest_probe(probes[i], page - 4, 0, 0));
		guest_sync(this_cpu()->address - (uint64_t)page);
		guest_sync(guest_probe(probes[i], page + PAGE_SIZE - 4, 0, 0));
		guest_sync(this_cpu()->address - (uint64_t)page);
	}
}

static void two_pages(void)
{
	int i;

	start(PKS_ON, use_two_pages);
	for (i = 0; i < 2; i++) {
		check("a read with WD", NO_FAULT);
		check("a read into the page", PF_P | PF_PK);
		check("its address", 0);
		check("a read out of the page", PF_P | PF_PK);
		check("its address", PAGE_SIZE - 4);
	}
	end();
}

static const struct test tests[] = {
	{ "kvm.forced.msr", "PKS-10, KVM-7", msr, NULL },
	{ "kvm.forced.msr_without_pks", "KVM-4", msr_without_pks, NULL },
	{ "kvm.forced.cr4", "KVM-12", cr4, NULL },
	{ "kvm.forced.cr4_without_pks", "KVM-4", cr4_without_pks, NULL },
	{ "kvm.forced.window", "KVM-14", window, NULL },
	{ "kvm.forced.segment_load", "KVM-13: PKS-6", segment_load, NULL },
	{ "kvm.forced.fetch", "KVM-13: PKS-3", fetch, NULL },
	{ "kvm.forced.dirty", "KVM-13: PKS-9", dirty, NULL },
	{ "kvm.forced.two_pages", "KVM-13: PKS-4", two_pages, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
