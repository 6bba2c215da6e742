// SPDX-License-Identifier: GPL-2.0-only
/* MSR filters win over passthrough (KVM-5), and userspace can take over. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ktap.h"
#include "vm.h"

enum { FIRST = 0x1230, SECOND = 0x4560, THIRD = 0x7890 };

static struct vm *vm;
static struct vcpu *vcpu;

static void start(int pks, void (*fn)(uint64_t))
{
	need_pks();
	vm = vm_new();
	vcpu = vcpu_new(vm, pks, fn, 0);
}

static void end(void)
{
	vcpu_free(vcpu);
	vm_free(vm);
}

/* For ever: reads, then writes what the test left; tells what became of each. */
static void read_write(uint64_t unused)
{
	uint64_t value;

	(void)unused;
	for (;;) {
		value = ~0ull;
		guest_sync(try_rdmsr(MSR_PKRS, &value));
		guest_sync(value);
		guest_sync(try_wrmsr(MSR_PKRS, this_cpu()->value));
	}
}

static void check_round(uint32_t deny, uint64_t *value, uint64_t next)
{
	const int read = deny & KVM_MSR_FILTER_READ ? VECTOR_GP : NO_FAULT;
	const int write = deny & KVM_MSR_FILTER_WRITE ? VECTOR_GP : NO_FAULT;
	uint64_t got;
	int vector;

	vector = vcpu_sync(vcpu);
	CHECK(vector == read, "deny %u: RDMSR gave %d", deny, vector);
	got = vcpu_sync(vcpu);
	if (read == NO_FAULT)
		CHECK(got == *value, "deny %u: read %#lx, not %#lx", deny, got, *value);
	vcpu->cpu->value = next;
	vector = vcpu_sync(vcpu);
	CHECK(vector == write, "deny %u: WRMSR gave %d", deny, vector);
	if (write == NO_FAULT)
		*value = next;
	CHECK(pkrs_get(vcpu) == *value, "deny %u: the value is %#lx, not %#lx", deny,
	      pkrs_get(vcpu), *value);
}

/* Every filter after every other, the host's access never filtered. */
static void each_way(void)
{
	uint32_t from, to;
	uint64_t value = FIRST, next = SECOND;

	start(PKS_ON, read_write);
	pkrs_set(vcpu, FIRST);
	for (from = 0; from < 4; from++) {
		for (to = 0; to < 4; to++) {
			vm_filter(vm, from);
			check_round(from, &value, next += 4);
			vm_filter(vm, to);
			check_round(to, &value, next += 4);
		}
	}
	vm_filter(vm, KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE);
	pkrs_set(vcpu, THIRD);
	CHECK(pkrs_get(vcpu) == THIRD, "the host's own access is filtered");
	end();
}

/* A filter set before the vCPU and its CPUID holds as well. */
static void before_cpuid(void)
{
	uint64_t value = 0;

	need_pks();
	vm = vm_new();
	vm_filter(vm, KVM_MSR_FILTER_WRITE);
	vcpu = vcpu_new(vm, PKS_ON, read_write, 0);
	check_round(KVM_MSR_FILTER_WRITE, &value, FIRST);
	end();
}

/* A filter that denies what it does not name, and names reads of PKRS. */
static void default_deny(void)
{
	uint8_t allow = 1;
	struct kvm_msr_filter f = {
		.flags = KVM_MSR_FILTER_DEFAULT_DENY,
		.ranges[0] = { .flags = KVM_MSR_FILTER_READ, .nmsrs = 1, .base = MSR_PKRS,
			       .bitmap = &allow },
		/* GS.base is how guest code finds its data. */
		.ranges[1] = { .flags = KVM_MSR_FILTER_READ, .nmsrs = 1, .base = MSR_GS_BASE,
			       .bitmap = &allow },
	};
	uint64_t value = FIRST;

	start(PKS_ON, read_write);
	pkrs_set(vcpu, FIRST);
	REQUIRE(!ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &f), "KVM_X86_SET_MSR_FILTER: %s",
		strerror(errno));
	check_round(KVM_MSR_FILTER_WRITE, &value, SECOND);
	end();
}

/* An allowing filter does not give the MSR to a guest without PKS. */
static void allow_without_pks(void)
{
	start(PKS_OFF, read_write);
	vm_filter(vm, 0);
	CHECK((int)vcpu_sync(vcpu) == VECTOR_GP, "RDMSR without PKS does not #GP");
	vcpu_sync(vcpu);
	CHECK((int)vcpu_sync(vcpu) == VECTOR_GP, "WRMSR without PKS does not #GP");
	end();
}

/* Reads until refused, writes until refused, writes until allowed; no exit else. */
static volatile uint64_t rounds;

static void until_changed(uint64_t unused)
{
	uint64_t value;

	(void)unused;
	guest_sync(0);
	while (try_rdmsr(MSR_PKRS, &value) == NO_FAULT)
		rounds++;
	guest_sync(1);
	while (try_wrmsr(MSR_PKRS, FIRST) == NO_FAULT)
		rounds++;
	guest_sync(2);
	while (try_wrmsr(MSR_PKRS, SECOND) != NO_FAULT)
		rounds++;
	guest_sync(3);
}

static void *set_filter(void *deny)
{
	/* The guest is seen to run in its loop. */
	uint64_t seen = rounds;

	while (rounds == seen)
		sched_yield();
	vm_filter(vm, (uintptr_t)deny);
	return NULL;
}

static void while_running(void)
{
	static const uint32_t denies[] = { KVM_MSR_FILTER_READ, KVM_MSR_FILTER_WRITE, 0 };
	pthread_t thread;
	unsigned int i;

	start(PKS_ON, until_changed);
	vcpu_sync(vcpu);
	for (i = 0; i < COUNT(denies); i++) {
		uint64_t step;

		REQUIRE(!pthread_create(&thread, NULL, set_filter, (void *)(uintptr_t)denies[i]),
			"no second thread");
		step = vcpu_sync(vcpu);
		pthread_join(thread, NULL);
		CHECK(step == i + 1, "the guest is at step %lu, not %u", step, i + 1);
	}
	CHECK(pkrs_get(vcpu) == SECOND, "the guest's last write is lost");
	end();
}

static void user_space_msrs(uint64_t reasons)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR, .args[0] = reasons };

	REQUIRE(!ioctl(vm->fd, KVM_ENABLE_CAP, &cap), "KVM_CAP_X86_USER_SPACE_MSR: %s",
		strerror(errno));
}

static void check_exit(uint32_t wanted, uint32_t reasons)
{
	struct kvm_run *run = vcpu->run;

	REQUIRE(vcpu_run(vcpu) == wanted, "exit reason %u, not %u", run->exit_reason, wanted);
	CHECK(run->msr.index == MSR_PKRS, "it is about MSR %#x", run->msr.index);
	CHECK(run->msr.reason & reasons, "its reason is %#x", run->msr.reason);
}

static void user_space_filter(void)
{
	start(PKS_ON, read_write);
	pkrs_set(vcpu, FIRST);
	user_space_msrs(KVM_MSR_EXIT_REASON_FILTER);
	vm_filter(vm, KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE);

	check_exit(KVM_EXIT_X86_RDMSR, KVM_MSR_EXIT_REASON_FILTER);
	vcpu->run->msr.data = SECOND;
	vcpu->run->msr.error = 0;
	CHECK((int)vcpu_sync(vcpu) == NO_FAULT, "a read that userspace did faults");
	CHECK(vcpu_sync(vcpu) == SECOND, "the guest does not read userspace's value");
	vcpu->cpu->value = 1ull << 40 | THIRD;
	check_exit(KVM_EXIT_X86_WRMSR, KVM_MSR_EXIT_REASON_FILTER);
	CHECK(vcpu->run->msr.data == (1ull << 40 | THIRD), "userspace sees %#llx written",
	      vcpu->run->msr.data);
	vcpu->run->msr.error = 0;
	CHECK((int)vcpu_sync(vcpu) == NO_FAULT, "a write that userspace did faults");
	CHECK(pkrs_get(vcpu) == FIRST, "KVM changed the value itself: %#lx", pkrs_get(vcpu));

	check_exit(KVM_EXIT_X86_RDMSR, KVM_MSR_EXIT_REASON_FILTER);
	vcpu->run->msr.error = 1;
	CHECK((int)vcpu_sync(vcpu) == VECTOR_GP, "a read that userspace refused does not #GP");
	vcpu_sync(vcpu);
	check_exit(KVM_EXIT_X86_WRMSR, KVM_MSR_EXIT_REASON_FILTER);
	/* Userspace does it: KVM_SET_MSRS is not filtered, and the guest will see it. */
	pkrs_set(vcpu, THIRD);
	vcpu->run->msr.error = 0;
	vm_filter(vm, 0);
	CHECK((int)vcpu_sync(vcpu) == NO_FAULT, "a write that userspace did faults");
	CHECK((int)vcpu_sync(vcpu) == NO_FAULT, "an allowed read faults");
	CHECK(vcpu_sync(vcpu) == THIRD, "the guest does not read the new value");
	end();
}

/* Reasons other than the filter: without PKS it is an MSR that KVM refuses. */
static void user_space_refused(void)
{
	const uint32_t reasons = KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN;

	start(PKS_OFF, read_write);
	user_space_msrs(reasons);
	check_exit(KVM_EXIT_X86_RDMSR, reasons);
	vcpu->run->msr.data = SECOND;
	vcpu->run->msr.error = 0;
	CHECK((int)vcpu_sync(vcpu) == NO_FAULT, "a read that userspace did faults");
	CHECK(vcpu_sync(vcpu) == SECOND, "the guest does not read userspace's value");
	vcpu->cpu->value = THIRD;
	check_exit(KVM_EXIT_X86_WRMSR, reasons);
	CHECK(vcpu->run->msr.data == THIRD, "userspace sees %#llx written",
	      vcpu->run->msr.data);
	vcpu->run->msr.error = 1;
	CHECK((int)vcpu_sync(vcpu) == VECTOR_GP, "a write that userspace refused does not #GP");
	end();
}

static const struct test tests[] = {
	{ "kvm.filter.each_way", "KVM-5", each_way, NULL },
	{ "kvm.filter.before_cpuid", "KVM-5", before_cpuid, NULL },
	{ "kvm.filter.default_deny", "KVM-5", default_deny, NULL },
	{ "kvm.filter.allow_without_pks", "KVM-4, KVM-5", allow_without_pks, NULL },
	{ "kvm.filter.while_running", "KVM-5", while_running, NULL },
	{ "kvm.filter.user_space_filter", "KVM-5", user_space_filter, NULL },
	{ "kvm.filter.user_space_refused", "KVM-4", user_space_refused, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
