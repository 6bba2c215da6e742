// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's own page walks against the oracle (KVM-13): every combination of page,
 * key, registers and access, done by the processor, by KVM's emulator under
 * kvm.force_emulation_prefix, and by KVM as it finishes an instruction whose
 * other operand is not memory.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ktap.h"
#include "oracle.h"
#include "vmx.h"

/* A top-level entry of its own for each size of page: its U/S bit can be cleared. */
#define WINDOW(level)	((uint64_t)(level) << 39)
#define LEVELS		3

/* RMW_USER_WD is the one kind of RMW that KVM's emulator gets wrong. */
enum { READ, WRITE, RMW, LOCKED, RMW_USER_WD };

static guest_fn *const native[] = { probe_read, probe_write, probe_rmw };
static guest_fn *const forced[] = {
	probe_read_forced, probe_write_forced, probe_rmw_forced, probe_locked_forced,
	probe_rmw_forced,
};
static guest_fn *const mmio[] = { probe_read_mmio, probe_write_mmio };
static guest_fn *const string_io[] = { probe_outs, probe_ins };

/* What the guest does, and what it found. */
static struct {
	guest_fn *const *probes;
	int first, last;		/* kinds of access */
	bool big, pke;			/* 1 GiB pages, PKU */
	uint64_t *leaf[LEVELS + 1], *upper[LEVELS + 1];
	uint64_t base[LEVELS + 1], offset[LEVELS + 1];
	uint64_t done, wrong;
	struct wrong {
		struct access access;
		int kind, got, want;
	} first_wrong[5];
} job;

static bool user_wd(const struct access *a)
{
	return a->cpl3 && a->pks && a->pkrs == KEY_WD && !(a->upper_user && a->leaf_user);
}

static void one(struct access *a, int kind)
{
	const void *at = (void *)(WINDOW(a->level) + job.offset[a->level]);
	int got, want;

	if (job.probes == forced && kind >= RMW && user_wd(a) != (kind == RMW_USER_WD))
		return;
	a->write = kind != READ;
	got = guest_probe(job.probes[kind], at, (a->cpl3 ? USER_ALIAS : 0) + MMIO, a->cpl3);
	want = oracle(a);
	job.done++;
	if (got == want)
		return;
	if (job.wrong < COUNT(job.first_wrong)) {
		struct wrong *w = &job.first_wrong[job.wrong];

		w->access = *a;
		w->kind = kind;
		w->got = got;
		w->want = want;
	}
	job.wrong++;
}

/* The same page and CR bits, every value of the two registers and access. */
static void each_access(struct access *a)
{
	const uint32_t others = ~KEY_BITS(a->key, 3) & ~KEY_BITS(OWN_KEY, 3);
	unsigned int bits;
	int cpl, kind;

	for (bits = 0; bits < 4; bits++) {
		/* The other register says the opposite, the other keys deny. */
		a->pkrs = bits;
		a->pkru = bits ^ 3;
		wrmsr(MSR_PKRS, KEY_BITS(a->key, a->pkrs) | others);
		if (a->pke)
			wrpkru(KEY_BITS(a->key, a->pkru) | others);
		for (cpl = 0; cpl < 2; cpl++) {
			a->cpl3 = cpl;
			for (kind = job.first; kind <= job.last; kind++)
				one(a, kind);
		}
	}
}

static void each_page(struct access *a)
{
	int bits;

	for (a->level = 1; a->level <= (job.big ? 3 : 2); a->level++) {
		/* All keys for the small page, three for the others. */
		for (a->key = 0; a->key < 16; a->key += a->level == 1 ? 1 : 5) {
			if (a->key == OWN_KEY)
				continue;
			for (bits = 0; bits < 8; bits++) {
				a->upper_user = bits & 1;
				a->leaf_user = bits & 2;
				a->leaf_write = bits & 4;
				*job.upper[a->level] &= ~PTE_U;
				*job.upper[a->level] |= a->upper_user ? PTE_U : 0;
				*job.leaf[a->level] = job.base[a->level] | PTE_P | PTE_A | PTE_D |
					(a->level > 1 ? PTE_PS : 0) | PTE_KEY(a->key) |
					(a->leaf_user ? PTE_U : 0) | (a->leaf_write ? PTE_W : 0);
				flush((void *)(WINDOW(a->level) + job.offset[a->level]));
				each_access(a);
			}
		}
	}
}

static void each_mode(uint64_t unused)
{
	struct access a = { 0 };
	int bits;

	(void)unused;
	for (bits = 0; bits < 8; bits++) {
		a.wp = bits & 1;
		a.pks = bits & 2;
		a.pke = bits & 4;
		if (a.pke && !job.pke)
			continue;
		write_cr0((read_cr0() & ~(uint64_t)CR0_WP) | (a.wp ? CR0_WP : 0));
		write_cr4((read_cr4() & ~(uint64_t)(CR4_PKS | CR4_PKE)) |
			  (a.pks ? CR4_PKS : 0) | (a.pke ? CR4_PKE : 0));
		each_page(&a);
	}
}

static void prepare(struct vm *vm)
{
	uint64_t page = (uint64_t)vm_pages(vm, 1);
	struct kvm_cpuid_entry2 *leaf;
	int level;

	leaf = cpuid_leaf(kvm_cpuid(), 7, 0);
	job.pke = leaf->ecx & 1 << 3;
	leaf = cpuid_leaf(kvm_cpuid(), 0x80000001, 0);
	job.big = leaf->edx & 1 << 26;
	job.done = job.wrong = 0;
	for (level = 1; level <= LEVELS; level++) {
		uint64_t size = 1ull << (12 + 9 * (level - 1));

		job.base[level] = page & -size;
		job.offset[level] = page & (size - 1);
		job.upper[level] = vm_entry(vm, WINDOW(level), level + 1);
		job.leaf[level] = vm_entry(vm, WINDOW(level), level);
	}
}

static void tell_wrong(void)
{
	static const char *const kinds[] = { "read", "write", "RMW", "locked RMW", "RMW" };
	unsigned int i;

	for (i = 0; i < job.wrong && i < COUNT(job.first_wrong); i++) {
		const struct wrong *w = &job.first_wrong[i];
		const struct access *a = &w->access;

		ktap_note("%s at CPL %d: got %#x, want %#x: level %d key %d PKRS %u PKRU %u U/S %d %d R/W %d WP %d PKS %d PKE %d",
			  kinds[w->kind], a->cpl3 ? 3 : 0, w->got, w->want, a->level, a->key,
			  a->pkrs, a->pkru, a->upper_user, a->leaf_user, a->leaf_write, a->wp,
			  a->pks, a->pke);
	}
}

static void finish(struct vm *vm, struct vcpu *vcpu)
{
	vcpu_done(vcpu);
	CHECK(job.done >= 500, "only %lu accesses were made", job.done);
	CHECK(!job.wrong, "%lu of %lu accesses differ from the oracle", job.wrong, job.done);
	tell_wrong();
	vcpu_free(vcpu);
	vm_free(vm);
}

static void run_matrix(struct vm *vm, struct vcpu *vcpu, guest_fn *const *probes, int first,
		       int last)
{
	job.probes = probes;
	job.first = first;
	job.last = last;
	prepare(vm);
	finish(vm, vcpu);
}

static void matrix(guest_fn *const *probes, int first, int last)
{
	struct vm *vm = vm_new();

	run_matrix(vm, vcpu_new(vm, PKS_ON, each_mode, 0), probes, first, last);
}

static void by_processor(void)
{
	need_pks();
	matrix(native, READ, RMW);
}

static void by_emulator(void)
{
	need_pks();
	need_forced_emulation();
	matrix(forced, READ, WRITE);
}

static void by_emulator_rmw(void)
{
	need_pks();
	need_forced_emulation();
	matrix(forced, RMW, LOCKED);
}

static void by_emulator_rmw_user_wd(void)
{
	need_pks();
	need_forced_emulation();
	matrix(forced, RMW_USER_WD, RMW_USER_WD);
}

static void beside_mmio(void)
{
	need_pks();
	matrix(mmio, READ, WRITE);
}

static void by_string_io(void)
{
	need_pks();
	matrix(string_io, READ, WRITE);
}

/*
 * The same by L2, L1 using EPT or not: KVM walks with L2's CR0, CR4 and PKRS
 * (KVM-15), and EPT's entries have no keys (PKS-17).
 */
static struct vmx *vmx;

static void l1(uint64_t unused)
{
	(void)unused;
	vmx_start(vmx);
	guest_sync(vmx_run(vmx, each_mode, 0));
}

static void by_l2(guest_fn *const *probes, bool ept)
{
	struct vcpu *vcpu;
	struct vm *vm;
	int64_t exit;

	need_pks();
	need_nested();
	vm = vm_new();
	vmx = vmx_new(vm, ept);
	vcpu = vcpu_new(vm, PKS_ON, l1, 0);
	job.probes = probes;
	job.first = READ;
	job.last = WRITE;
	prepare(vm);
	exit = vcpu_sync(vcpu);
	CHECK(exit == EXIT_VMCALL, "L2 ended with %#lx", exit);
	finish(vm, vcpu);
}

static void l2_no_ept(void)
{
	need_forced_emulation();
	by_l2(forced, false);
}

static void l2_ept(void)
{
	need_forced_emulation();
	by_l2(forced, true);
}

static void l2_beside_mmio(void)
{
	by_l2(mmio, true);
}

/*
 * With a smaller MAXPHYADDR KVM intercepts page faults, walks again and injects
 * what it found.
 */
static void smaller_maxphyaddr(void)
{
	const char *value = module_param("kvm_intel", "allow_smaller_maxphyaddr");
	struct kvm_cpuid2 *cpuid;
	struct vcpu *vcpu;
	struct vm *vm;

	need_pks();
	if (!value || *value != 'Y')
		ktap_skip("kvm_intel.allow_smaller_maxphyaddr=1");
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_ON, each_mode, 0);
	cpuid = kvm_cpuid();
	cpuid_leaf(cpuid, 0x80000008, 0)->eax--;
	REQUIRE(!ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid), "KVM_SET_CPUID2: %s", strerror(errno));
	run_matrix(vm, vcpu, native, READ, RMW);
}

static const struct test tests[] = {
	{ "kvm.emulator.by_processor", "PKS-1 to PKS-8", by_processor, NULL },
	{ "kvm.emulator.forced", "KVM-13: PKS-1 to PKS-8", by_emulator, NULL },
	{ "kvm.emulator.forced_rmw", "KVM-13: PKS-1 to PKS-8", by_emulator_rmw, NULL },
	{ "kvm.emulator.forced_rmw_user_wd", "KVM-13: PKS-7", by_emulator_rmw_user_wd,
	  "KVM's emulator walks as for a read (docs/limits.md)" },
	{ "kvm.emulator.beside_mmio", "KVM-13, KVM-14", beside_mmio, NULL },
	{ "kvm.emulator.string_io", "KVM-13, KVM-14", by_string_io, NULL },
	{ "kvm.emulator.l2_no_ept", "KVM-13, KVM-15", l2_no_ept, NULL },
	{ "kvm.emulator.l2_ept", "KVM-13, KVM-15: PKS-17", l2_ept, NULL },
	{ "kvm.emulator.l2_beside_mmio", "KVM-13 to KVM-15", l2_beside_mmio, NULL },
	{ "kvm.emulator.smaller_maxphyaddr", "KVM-13", smaller_maxphyaddr, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
