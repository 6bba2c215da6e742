// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM costs, in ticks of the time stamp counter, which the lab's emulator
 * counts in instructions. Each case is a measurement and prints a line
 *
 *   # {"name":"exit.cpuid","variant":"hidden","unit":"instructions","median":...}
 *
 * The same binary measures every set of modules: what differs is theirs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ktap.h"
#include "vm.h"

enum { ROUNDS = 2001, CREATED = 51, MSR_WRITES = 100000, KEY = 3 };

#define MSR_FS_BASE	0xc0000100	/* passed through to every guest */
/* Where the page of the walks is, once more with U/S set. */
#define PAGE_AT		(1ull << 39)
#define USER_AT		(2ull << 39)

typedef void op_fn(uint64_t round);

/* Of guest and host: filled by sample(), taken by record(). */
static uint64_t samples[ROUNDS];

/* What the guest is to do. */
static struct job {
	const char *variant;
	int pks;		/* in its CPUID */
	uint64_t cr4;		/* set in addition */
	op_fn *before, *op;	/* every round, not timed and timed */
	uint64_t msr, address;	/* for those */
} job;

static inline uint64_t now(void)
{
	uint64_t low, high;

	asm volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
	return high << 32 | low;
}

/* One function for all: what it costs itself is the same for every op. */
static __attribute__((noinline)) void sample(op_fn *before, op_fn *op)
{
	uint64_t i, start;

	for (i = 0; i < ROUNDS; i++) {
		before(i);
		start = now();
		op(i);
		samples[i] = now() - start;
	}
}

static void op_nothing(uint64_t round)
{
	(void)round;
}

static void op_cpuid(uint64_t round)
{
	unsigned int a = 0, b, c = 0, d;

	(void)round;
	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static void op_wrmsr(uint64_t round)
{
	wrmsr(job.msr, round % 4 * KEY_BITS(KEY, 1));
}

static void op_rdmsr(uint64_t round)
{
	(void)round;
	rdmsr(job.msr);
}

static void op_wrmsr_open(uint64_t round)
{
	wrmsr(job.msr, round % 2 * KEY_BITS(KEY + 1, KEY_AD));
}

/* By KVM's emulator: kvm.force_emulation_prefix. */
static void op_read(uint64_t round)
{
	(void)round;
	asm volatile("ud2\n\t.ascii \"kvm\"\n\tmov (%0), %%al" : : "r"(job.address) : "rax", "memory");
}

static void op_write(uint64_t round)
{
	(void)round;
	asm volatile("ud2\n\t.ascii \"kvm\"\n\tmov %%al, (%0)" : : "r"(job.address) : "memory");
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print(const char *name, const char *unit, long median, long least,
		  unsigned int n, long spread)
{
	ktap_note("{\"name\":\"%s\",\"variant\":\"%s\",\"unit\":\"%s\",\"median\":%ld,\"min\":%ld,\"n\":%u,\"spread\":%ld}",
		  name, job.variant, unit, median, least, n, spread);
}

static uint64_t median(unsigned int n)
{
	qsort(samples, n, sizeof(*samples), compare);
	return samples[n / 2];
}

/* The spread is that of the middle nine tenths: the host's clock ticks. */
static void record(const char *name, unsigned int n, uint64_t overhead)
{
	uint64_t mid = median(n);

	CHECK(mid > overhead, "%s took no instruction", name);
	print(name, "instructions", mid - overhead, samples[0] - overhead, n,
	      samples[n - 1 - n / 20] - samples[n / 20]);
}

static void guest_samples(uint64_t unused)
{
	(void)unused;
	write_cr4(read_cr4() | job.cr4);
	if (job.cr4 & CR4_PKE)
		wrpkru(0);
	sample(job.before, op_nothing);
	guest_sync(0);
	sample(job.before, job.op);
	guest_sync(0);
}

static void guest_exits(uint64_t unused)
{
	uint64_t i;

	(void)unused;
	write_cr4(read_cr4() | job.cr4);
	for (i = 0;; i++) {
		op_wrmsr(i);
		guest_sync(0);
	}
}

static bool stock(void)
{
	return !kvm_has_pks();
}

/* A measurement that the stock modules cannot make. */
static void start(const struct job *j)
{
	if (j->pks && stock())
		ktap_skip("KVM advertises PKS");
	job = *j;
}

static void map_pages(struct vm *vm)
{
	const uint64_t bits = PTE_W | PTE_A | PTE_D | PTE_KEY(KEY);
	uint64_t page = (uint64_t)vm_pages(vm, 1);

	vm_map(vm, PAGE_AT, page, bits, 1);
	vm_map(vm, USER_AT, page, bits | PTE_U, 1);
	*vm_entry(vm, PAGE_AT, 4) &= ~PTE_U;
}

static void measure(const char *name, const struct job *j)
{
	struct vm *vm;
	struct vcpu *vcpu;
	uint64_t overhead;

	start(j);
	vm = vm_new();
	map_pages(vm);
	vcpu = vcpu_new(vm, job.pks, guest_samples, 0);
	vcpu_sync(vcpu);
	overhead = median(ROUNDS);
	vcpu_sync(vcpu);
	record(name, ROUNDS, overhead);
	vcpu_free(vcpu);
	vm_free(vm);
}

/* To the VMM and back. All variants write an MSR, so that all count the same. */
static void measure_run(const struct job *j)
{
	struct vm *vm;
	struct vcpu *vcpu;
	uint64_t start_at;
	int i;

	start(j);
	vm = vm_new();
	vcpu = vcpu_new(vm, job.pks, guest_exits, 0);
	vcpu_sync(vcpu);
	for (i = 0; i < ROUNDS; i++) {
		start_at = now();
		ioctl(vcpu->fd, KVM_RUN, 0);
		samples[i] = now() - start_at;
	}
	CHECK(vcpu->run->exit_reason == KVM_EXIT_IO, "exit reason %u", vcpu->run->exit_reason);
	record("exit.userspace", ROUNDS, 0);
	vcpu_free(vcpu);
	vm_free(vm);
}

/* The first walk after an exit: KVM's copies of the guest's registers are void. */
static void measure_translate(const struct job *j)
{
	struct kvm_translation t = { .linear_address = j->address };
	struct vm *vm;
	struct vcpu *vcpu;
	uint64_t start_at;
	int i;

	start(j);
	vm = vm_new();
	map_pages(vm);
	vcpu = vcpu_new(vm, job.pks, guest_exits, 0);
	for (i = 0; i < ROUNDS; i++) {
		vcpu_sync(vcpu);
		start_at = now();
		ioctl(vcpu->fd, KVM_TRANSLATE, &t);
		samples[i] = now() - start_at;
	}
	CHECK(t.valid, "KVM_TRANSLATE found no page");
	record("walk.translate", ROUNDS, 0);
	vcpu_free(vcpu);
	vm_free(vm);
}

#define HIDDEN	{ "hidden", PKS_OFF, .before = op_wrmsr, .msr = MSR_FS_BASE }
#define EXPOSED	{ "exposed", PKS_ON, .before = op_wrmsr, .msr = MSR_FS_BASE }
#define USED	{ "used", PKS_ON, CR4_PKS, op_wrmsr, .msr = MSR_PKRS }

static void cpuid_case(struct job j)
{
	j.op = op_cpuid;
	measure("exit.cpuid", &j);
}

static void cpuid_hidden(void) { cpuid_case((struct job)HIDDEN); }
static void cpuid_exposed(void) { cpuid_case((struct job)EXPOSED); }
static void cpuid_used(void) { cpuid_case((struct job)USED); }

static void run_hidden(void) { measure_run(&(struct job)HIDDEN); }
static void run_exposed(void) { measure_run(&(struct job)EXPOSED); }
static void run_used(void) { measure_run(&(struct job)USED); }

#define NO_KEYS	{ "no_keys", PKS_OFF, 0, op_wrmsr_open, .msr = MSR_FS_BASE, .address = PAGE_AT }
#define PKU	{ "pku", PKS_OFF, CR4_PKE, op_wrmsr_open, .msr = MSR_FS_BASE, .address = USER_AT }
#define PKS	{ "pks", PKS_ON, CR4_PKS, op_wrmsr_open, .msr = MSR_PKRS, .address = PAGE_AT }

static void read_case(struct job j)
{
	need_forced_emulation();
	j.op = op_read;
	measure("walk.emulated_read", &j);
}

static void write_case(struct job j)
{
	need_forced_emulation();
	j.op = op_write;
	measure("walk.emulated_write", &j);
}

static void read_no_keys(void) { read_case((struct job)NO_KEYS); }
static void read_pku(void) { read_case((struct job)PKU); }
static void read_pks(void) { read_case((struct job)PKS); }
static void write_no_keys(void) { write_case((struct job)NO_KEYS); }
static void write_pku(void) { write_case((struct job)PKU); }
static void write_pks(void) { write_case((struct job)PKS); }
static void translate_no_keys(void) { measure_translate(&(struct job)NO_KEYS); }
static void translate_pku(void) { measure_translate(&(struct job)PKU); }
static void translate_pks(void) { measure_translate(&(struct job)PKS); }

static void msr_case(const char *name, op_fn *op)
{
	struct job j = { "used", PKS_ON, CR4_PKS, op_nothing, op, .msr = MSR_PKRS };

	measure(name, &j);
}

static void msr_write(void) { msr_case("pkrs.write", op_wrmsr); }
static void msr_read(void) { msr_case("pkrs.read", op_rdmsr); }

static void guest_msrs(uint64_t msr)
{
	uint64_t i;

	guest_sync(0);
	for (i = 0; i < MSR_WRITES; i++)
		wrmsr(msr, rdmsr(msr) ^ KEY_BITS(KEY, 1));
	guest_sync(0);
}

/* The last sync is an exit, too; the host's interrupts are not the guest's. */
static void msr_exits(void)
{
	static const struct job j = { .variant = "used", .pks = PKS_ON };
	uint64_t exits;
	struct vm *vm;
	struct vcpu *vcpu;

	start(&j);
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_ON, guest_msrs, MSR_PKRS);
	vcpu_sync(vcpu);
	exits = vcpu_stat(vcpu, "exits") - vcpu_stat(vcpu, "irq_exits");
	vcpu_sync(vcpu);
	exits = vcpu_stat(vcpu, "exits") - vcpu_stat(vcpu, "irq_exits") - exits;
	CHECK(exits, "KVM counts no exits");
	print("pkrs.exits", "exits", exits - 1, exits - 1, 2 * MSR_WRITES, 0);
	vcpu_free(vcpu);
	vm_free(vm);
}

/* What KVM_CREATE_VCPU or the first KVM_SET_CPUID2 costs, in one VM. */
static void measure_create(const char *name, int pks, bool set_cpuid)
{
	const struct job j = { .variant = pks ? "exposed" : "hidden", .pks = pks };
	struct kvm_cpuid2 *cpuid = kvm_cpuid();
	int i, vm, vcpus[CREATED];
	uint64_t create, set;

	start(&j);
	if (!pks)
		cpuid_leaf(cpuid, 7, 0)->ecx &= ~(1u << 31);
	vm = ioctl(kvm_dev(), KVM_CREATE_VM, 0);
	for (i = 0; i < CREATED; i++) {
		create = now();
		vcpus[i] = ioctl(vm, KVM_CREATE_VCPU, i);
		set = now();
		REQUIRE(!ioctl(vcpus[i], KVM_SET_CPUID2, cpuid), "a vCPU with CPUID: %s",
			strerror(errno));
		samples[i] = set_cpuid ? now() - set : set - create;
	}
	for (i = 0; i < CREATED; i++)
		close(vcpus[i]);
	close(vm);
	record(name, CREATED, 0);
}

static void create(void) { measure_create("vcpu.create", PKS_OFF, false); }
static void cpuid_set_hidden(void) { measure_create("vcpu.set_cpuid", PKS_OFF, true); }
static void cpuid_set_exposed(void) { measure_create("vcpu.set_cpuid", PKS_ON, true); }

/* The slab of struct vcpu_vmx. */
static void bytes(void)
{
	FILE *file = fopen("/sys/kernel/slab/kvm_vcpu/object_size", "r");
	long size = 0;

	job.variant = "vcpu_vmx";
	CHECK(file && fscanf(file, "%ld", &size) == 1 && size, "no size of a vCPU in sysfs");
	print("vcpu.bytes", "bytes", size, size, 1, 0);
	if (file)
		fclose(file);
}

static const struct test tests[] = {
	{ "bench.exit.cpuid~hidden", "KVM-16", cpuid_hidden, NULL },
	{ "bench.exit.cpuid~exposed", "KVM-16", cpuid_exposed, NULL },
	{ "bench.exit.cpuid~used", "KVM-4", cpuid_used, NULL },
	{ "bench.exit.userspace~hidden", "KVM-16", run_hidden, NULL },
	{ "bench.exit.userspace~exposed", "KVM-16", run_exposed, NULL },
	{ "bench.exit.userspace~used", "KVM-4", run_used, NULL },
	{ "bench.walk.emulated_read~no_keys", "KVM-16", read_no_keys, NULL },
	{ "bench.walk.emulated_read~pku", "KVM-16", read_pku, NULL },
	{ "bench.walk.emulated_read~pks", "KVM-13", read_pks, NULL },
	{ "bench.walk.emulated_write~no_keys", "KVM-16", write_no_keys, NULL },
	{ "bench.walk.emulated_write~pku", "KVM-16", write_pku, NULL },
	{ "bench.walk.emulated_write~pks", "KVM-13", write_pks, NULL },
	{ "bench.walk.translate~no_keys", "KVM-16", translate_no_keys, NULL },
	{ "bench.walk.translate~pku", "KVM-16", translate_pku, NULL },
	{ "bench.walk.translate~pks", "KVM-13", translate_pks, NULL },
	{ "bench.pkrs.write", "KVM-4", msr_write, NULL },
	{ "bench.pkrs.read", "KVM-4", msr_read, NULL },
	{ "bench.pkrs.exits", "KVM-4", msr_exits, NULL },
	{ "bench.vcpu.create", "KVM-9", create, NULL },
	{ "bench.vcpu.set_cpuid~hidden", "KVM-4", cpuid_set_hidden, NULL },
	{ "bench.vcpu.set_cpuid~exposed", "KVM-4", cpuid_set_exposed, NULL },
	{ "bench.vcpu.bytes", "KVM-16", bytes, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
