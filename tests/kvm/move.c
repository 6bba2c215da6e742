// SPDX-License-Identifier: GPL-2.0-only
/* Migration of a vCPU that runs a hypervisor, L2 active or not (KVM-23). */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "ktap.h"
#include "move.h"
#include "vmx.h"

/* Distinct, none denies OWN_KEY: of L1, vmcs12's fields, L2, a saved field. */
enum {
	L1 = 0x00010203, GUEST = 0x00112233, HOST = 0x01223344, L2 = 0x02334455, SAVED = 0x03445566
};

/* Times are uneven, to meet every place. */
enum { MOVES = 50, NANOSECONDS = 300000, UNEVEN = 7919 };

static struct vmx *vmx;
static struct vcpu *vcpu;
static bool has_pks;

static void start(int pks, bool ept, void (*fn)(uint64_t), uint64_t arg)
{
	struct vm *vm;

	need_pks();
	need_nested();
	vm = vm_new();
	vmx = vmx_new(vm, ept);
	has_pks = pks;
	vcpu = vcpu_new(vm, pks, fn, arg);
}

static void end(void)
{
	struct vm *vm = vcpu->vm;

	vcpu_free(vcpu);
	vm_free(vm);
}

static void l2_change(uint64_t value)
{
	guest_sync(rdmsr(MSR_PKRS));
	wrmsr(MSR_PKRS, value);
	guest_sync(rdmsr(MSR_PKRS));
}

static void l1_values(uint64_t controls)
{
	write_cr4(read_cr4() | CR4_PKS);
	vmx_start(vmx);
	vmx_load_controls(controls);
	vmwrite(GUEST_PKRS, GUEST);
	vmwrite(HOST_PKRS, HOST);
	wrmsr(MSR_PKRS, L1);
	guest_sync(0);
	guest_sync(vmx_run(vmx, l2_change, L2));
	guest_sync(rdmsr(MSR_PKRS));
	guest_sync(vmread(GUEST_PKRS));
}

static void check_next(const char *what, unsigned int controls, uint64_t want)
{
	uint64_t got = vcpu_sync(vcpu);

	CHECK(got == want, "E %u X %u: %s: %#lx, not %#lx", controls & 1, controls >> 1, what,
	      got, want);
}

/* Moves, then runs to the next sync. */
static void check_moved(const enum step *order, const char *what, unsigned int controls,
			uint64_t want)
{
	vcpu = vcpu_move(vcpu, order, NULL);
	check_next(what, controls, want);
}

static void at_each_sync(const enum step *order)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		const unsigned int controls = i & 3;

		start(PKS_ON, i & 4, l1_values, controls);
		vcpu_sync(vcpu);
		check_moved(order, "L2 starts with", controls, controls & 1 ? GUEST : L1);
		check_moved(order, "L2 has", controls, L2);
		check_moved(order, "L2's exit", controls, EXIT_VMCALL);
		check_moved(order, "L1 goes on with", controls, controls & 2 ? HOST : L2);
		check_moved(order, "vmcs12 has", controls, L2);
		end();
	}
}

static void at_syncs_msrs_first(void)
{
	at_each_sync(msrs_first);
}

static void at_syncs_nested_first(void)
{
	at_each_sync(nested_first);
}

/*
 * An L1 without PKS: vmcs12's fields are memory, and stay so, of all 64 bits where
 * L1's control does not have them checked (KVM-26).
 */
static uint64_t memory(uint64_t value, bool checked)
{
	return checked ? value : 1ull << 63 | value;
}

static void l2_syncs(uint64_t unused)
{
	(void)unused;
	guest_sync(0);
}

static void l1_memory(uint64_t controls)
{
	int i;

	vmx_start(vmx);
	vmx_load_controls(controls);
	for (i = 0; i < 2; i++) {
		vmwrite(GUEST_PKRS, memory(GUEST + i, controls & 1));
		vmwrite(HOST_PKRS, memory(HOST + i, controls & 2));
		guest_sync(0);
		guest_sync(vmx_run(vmx, l2_syncs, 0));
		guest_sync(vmread(GUEST_PKRS));
		guest_sync(vmread(HOST_PKRS));
	}
}

static void without_pks(void)
{
	unsigned int i, round;

	for (i = 0; i < 16; i++) {
		const unsigned int controls = i & 3;
		const enum step *order = i & 4 ? msrs_first : nested_first;

		start(PKS_OFF, i & 8, l1_memory, controls);
		for (round = 0; round < 2; round++) {
			check_moved(order, "L1 runs", controls, 0);
			check_moved(order, "L2 runs", controls, 0);
			check_moved(order, "L2's exit", controls, EXIT_VMCALL);
			check_moved(order, "vmcs12's guest field is", controls,
				    memory(GUEST + round, controls & 1));
			check_moved(order, "vmcs12's host field is", controls,
				    memory(HOST + round, controls & 2));
		}
		end();
	}
}

/*
 * Back to a snapshot, on the vCPU itself, where another state of L2 is active,
 * or where L1 has gone on.
 */
static void back_in_order(const enum step *order)
{
	unsigned int i, step;
	struct state s;

	for (i = 0; i < 16; i++) {
		const unsigned int controls = i & 3;
		const uint64_t want = i & 4 ? L1 : controls & 1 ? GUEST : L1;

		start(PKS_ON, i & 8, l1_values, controls);
		vcpu_sync(vcpu);
		if (!(i & 4))
			vcpu_sync(vcpu);
		vcpu_save(vcpu, &s);
		vcpu_sync(vcpu);
		if (i & 4)
			vcpu_sync(vcpu);
		CHECK(pkrs_get(vcpu) == L2, "L2 has %#lx", pkrs_get(vcpu));
		vcpu_complete(vcpu);
		for (step = 0; step < STEPS; step++)
			REQUIRE(order[step] == CPUID || !vcpu_restore(vcpu, &s, order[step]),
				"step %d: %s", order[step], strerror(errno));
		CHECK(pkrs_get(vcpu) == want, "E %u X %u: back in L%d: %#lx, not %#lx",
		      controls & 1, controls >> 1, i & 4 ? 1 : 2, pkrs_get(vcpu), want);
		end();
	}
}

static void back_msrs_first(void)
{
	back_in_order(msrs_first);
}

static void back_nested_first(void)
{
	back_in_order(nested_first);
}

/*
 * CPUID once more, last of all: L2 has PKS iff L1 has it then (KVM-4). Newer
 * kernels refuse another CPUID while L2 is active; it stays what it was. Not
 * with EPT of L1: that way stock KVM, too, loses the MMU of L2, which hangs.
 */
static void l2_tries(uint64_t unused)
{
	uint64_t value = 0;

	(void)unused;
	guest_sync(0);
	guest_sync(try_rdmsr(MSR_PKRS, &value));
	guest_sync(value);
	guest_sync(try_wrmsr(MSR_PKRS, L2));
}

static void l1_tries(uint64_t controls)
{
	vmx_start(vmx);
	vmx_load_controls(controls);
	vmwrite(GUEST_PKRS, GUEST);
	wrmsr(MSR_PKRS, L1);
	guest_sync(vmx_run(vmx, l2_tries, 0));
}

static void cpuid_last(void)
{
	unsigned int i, refused = 0;
	int64_t got;

	for (i = 0; i < 8; i++) {
		const unsigned int controls = i & 3;
		bool pks = i & 4;
		int64_t vector, want;

		start(PKS_ON, false, l1_tries, controls);
		vcpu_sync(vcpu);
		vcpu = vcpu_move(vcpu, msrs_first, NULL);
		if (vcpu_set_cpuid(vcpu, pks ? PKS_ON : PKS_OFF)) {
			CHECK(!pks && errno == EINVAL, "PKS %d: KVM_SET_CPUID2: %s", pks,
			      strerror(errno));
			pks = true;
			refused++;
		}
		vector = pks ? NO_FAULT : VECTOR_GP;
		want = !pks ? 0 : controls & 1 ? GUEST : L1;
		got = vcpu_sync(vcpu);
		CHECK(got == vector, "PKS %d: RDMSR of L2 gives %ld", pks, got);
		got = vcpu_sync(vcpu);
		CHECK(got == want, "E %u PKS %d: L2 reads %#lx", controls & 1, pks, got);
		got = vcpu_sync(vcpu);
		CHECK(got == vector, "PKS %d: WRMSR of L2 gives %ld", pks, got);
		got = vcpu_sync(vcpu);
		CHECK(got == EXIT_VMCALL, "PKS %d: L2's exit is %ld", pks, got);
		end();
	}
	ktap_note("another CPUID while L2 is active: %s", refused ? "refused" : "taken");
	CHECK(!refused || refused == 4, "it is refused %u times of 4", refused);
}

/* What the two levels below share. */
static volatile uint64_t l2_found, rounds;

static void l2_once(uint64_t value)
{
	l2_found = rdmsr(MSR_PKRS);
	wrmsr(MSR_PKRS, value);
}

static void l2_nothing(uint64_t unused)
{
	(void)unused;
}

static uint32_t next(uint64_t *random)
{
	*random = *random * 6364136223846793005 + 1442695040888963407;
	return *random >> 32 & ~KEY_BITS(OWN_KEY, 3);
}

/*
 * For ever L2 after L2, with other values and controls; syncs at what is wrong,
 * and before each if in_step.
 */
static void l1_rounds(uint64_t random, bool in_step)
{
	if (has_pks)
		write_cr4(read_cr4() | CR4_PKS);
	vmx_start(vmx);
	for (;; rounds++) {
		const uint32_t l1 = next(&random), guest = next(&random), host = next(&random);
		const uint32_t l2 = next(&random);
		const unsigned int controls = rounds & 3;

		vmx_load_controls(controls);
		vmwrite(GUEST_PKRS, guest);
		vmwrite(HOST_PKRS, host);
		if (has_pks)
			wrmsr(MSR_PKRS, l1);
		if (in_step)
			guest_sync(0);
		if (vmx_run(vmx, has_pks ? l2_once : l2_nothing, l2) != EXIT_VMCALL)
			guest_sync(1);
		if (!has_pks) {
			if (vmread(GUEST_PKRS) != guest || vmread(HOST_PKRS) != host)
				guest_sync(5 | controls << 8);
			continue;
		}
		if (rdmsr(MSR_PKRS) != (controls & 2 ? host : l2))
			guest_sync(2 | controls << 8);
		if (l2_found != (controls & 1 ? guest : l1))
			guest_sync(3 | controls << 8);
		if (vmread(GUEST_PKRS) != l2)
			guest_sync(4 | controls << 8);
	}
}

static void l1_restless(uint64_t random)
{
	l1_rounds(random, false);
}

/* Without interrupts, so that KVM sees its first window for one at L2's entry. */
static void l1_in_step(uint64_t random)
{
	asm volatile("cli");
	l1_rounds(random, true);
}

/* Runs until KVM has done VMLAUNCH or VMRESUME of such an L1, but not yet run L2. */
static void run_to_entry(void)
{
	vcpu->run->request_interrupt_window = 1;
	REQUIRE(vcpu_run(vcpu) == KVM_EXIT_IRQ_WINDOW_OPEN, "exit reason %u",
		vcpu->run->exit_reason);
	vcpu->run->request_interrupt_window = 0;
}

/* Moved there. */
static void at_entry_of(int pks)
{
	uint64_t mistake;
	uint16_t flags;
	unsigned int i;

	start(pks, true, l1_in_step, 54321);
	rounds = 0;
	for (i = 0; i < 32; i++) {
		mistake = vcpu_sync(vcpu);
		REQUIRE(!mistake, "L1 found mistake %#lx in round %lu", mistake, rounds);
		run_to_entry();
		vcpu = vcpu_move(vcpu, i & 4 ? msrs_first : nested_first, &flags);
		CHECK(flags & KVM_STATE_NESTED_RUN_PENDING, "L2's entry is not pending");
	}
	CHECK(rounds == 31, "%lu rounds were right", rounds);
	end();
}

static void at_entry(void)
{
	at_entry_of(PKS_ON);
}

static void at_entry_without_pks(void)
{
	at_entry_of(PKS_OFF);
}

/*
 * L1 without PKS, moved at L2's entry, and then PKS is put into its CPUID: L2's
 * PKRS shows, and no control has moved a field there (KVM-26). Newer kernels
 * refuse another CPUID while L2 is active.
 */
static void l1_enters(uint64_t controls)
{
	asm volatile("cli");
	vmx_start(vmx);
	vmx_load_controls(controls);
	vmwrite(GUEST_PKRS, GUEST);
	vmwrite(HOST_PKRS, HOST);
	guest_sync(0);
	vmx_run(vmx, l2_nothing, 0);
}

static void pks_added_at_entry(void)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		uint16_t flags;
		bool taken;

		start(PKS_OFF, false, l1_enters, i & 3);
		vcpu_sync(vcpu);
		run_to_entry();
		vcpu = vcpu_move(vcpu, i & 4 ? msrs_first : nested_first, &flags);
		CHECK(flags & KVM_STATE_NESTED_RUN_PENDING, "L2's entry is not pending");
		taken = !vcpu_set_cpuid(vcpu, PKS_ON);
		CHECK(taken || errno == EINVAL, "KVM_SET_CPUID2: %s", strerror(errno));
		if (taken)
			CHECK(!pkrs_get(vcpu), "E %u: PKRS of L2 is %#lx", i & 1, pkrs_get(vcpu));
		end();
	}
}

/*
 * A saved state is read, no more: the entry that goes on fails, where only the
 * processor can tell, and L1 has its own PKRS (KVM-19).
 */
static void l1_fails(uint64_t controls)
{
	asm volatile("cli");
	vmx_start(vmx);
	vmx_load_controls(controls);
	vmwrite(GUEST_PKRS, GUEST);
	vmwrite(HOST_PKRS, HOST);
	vmwrite(GUEST_GDTR_BASE, 1ull << 63);
	wrmsr(MSR_PKRS, L1);
	guest_sync(0);
	guest_sync(vmx_run(vmx, l2_nothing, 0));
	guest_sync(rdmsr(MSR_PKRS));
}

static void saved_at_failing_entry(void)
{
	static struct state s;
	unsigned int controls;

	for (controls = 0; controls < 4; controls++) {
		start(PKS_ON, true, l1_fails, controls);
		vcpu_sync(vcpu);
		run_to_entry();
		vcpu_save(vcpu, &s);
		free(s.msrs);
		CHECK(s.nested.flags & KVM_STATE_NESTED_RUN_PENDING, "L2's entry is not pending");
		check_next("the entry", controls, ENTRY_FAILED | EXIT_BAD_GUEST);
		check_next("L1 goes on with", controls, controls & 2 ? HOST : L1);
		end();
	}
}

static void on_timer(int signal)
{
	(void)signal;
}

/* Not SIGALRM, which ends a case that hangs. */
static timer_t new_timer(void)
{
	struct sigaction action = { .sa_handler = on_timer };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	REQUIRE(!timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create: %s",
		strerror(errno));
	return timer;
}

/* Runs until the timer ends KVM_RUN: anywhere in either level, or between them. */
static void run_a_while(timer_t timer, long nanoseconds)
{
	/* More than once: the first may come before KVM_RUN. */
	const struct itimerspec some = {
		.it_value.tv_nsec = nanoseconds, .it_interval.tv_nsec = nanoseconds,
	};
	const struct itimerspec none = { 0 };
	int ended;

	timer_settime(timer, 0, &some, NULL);
	ended = ioctl(vcpu->fd, KVM_RUN, 0) && errno == EINTR;
	timer_settime(timer, 0, &none, NULL);
	REQUIRE(ended, "L1 found mistake %#lx in round %lu; exit reason %u", vcpu->cpu->value,
		rounds, vcpu->run->exit_reason);
}

static void anywhere(int pks, bool ept)
{
	unsigned int in_l1 = 0, in_l2 = 0, i;
	long slowness = 1;
	timer_t timer;

	start(pks, ept, l1_restless, 12345);
	rounds = 0;
	timer = new_timer();
	for (i = 0; i < MOVES; i++) {
		uint16_t flags;

		run_a_while(timer, slowness * (NANOSECONDS + i % 16 * UNEVEN));
		vcpu = vcpu_move(vcpu, i & 1 ? msrs_first : nested_first, &flags);
		if (flags & KVM_STATE_NESTED_GUEST_MODE)
			in_l2++;
		else
			in_l1++;
		/* On a kernel that complains (tests/debug) nobody comes far in that time. */
		if (!in_l2 && in_l1 % 4 == 0)
			slowness *= 2;
	}
	timer_delete(timer);
	ktap_note("%lu rounds; moved %u times in L1, %u in L2", rounds, in_l1, in_l2);
	CHECK(rounds && in_l1 && in_l2, "not both levels were met");
	end();
}

static void anywhere_no_ept(void)
{
	anywhere(PKS_ON, false);
}

static void anywhere_ept(void)
{
	anywhere(PKS_ON, true);
}

static void anywhere_without_pks(void)
{
	anywhere(PKS_OFF, true);
}

/* A nested state whose fields have a high bit is refused. */
static void bad_state(void)
{
	static const unsigned int offsets[] = { VMCS12_FIRST, VMCS12_SECOND };
	struct state *s;
	struct vm *twin;
	unsigned int i, bit;
	uint64_t found[2];
	struct vcpu *to;

	start(PKS_ON, false, l1_values, 3);
	vcpu_sync(vcpu);
	vcpu_sync(vcpu);
	s = vm_pages(vcpu->vm, sizeof(*s) / PAGE_SIZE + 1);
	vcpu_save(vcpu, s);
	REQUIRE(s->nested.flags & KVM_STATE_NESTED_GUEST_MODE, "L2 is not active");
	twin = vm_twin(vcpu->vm);
	to = vcpu_bare(twin, 0);
	to->pks = vcpu->pks;
	for (i = 0; msrs_first[i] != NESTED; i++)
		REQUIRE(!vcpu_restore(to, s, msrs_first[i]), "step %u: %s", i, strerror(errno));
	for (i = 0; i < 2; i++) {
		uint64_t *field = (uint64_t *)(s->nested.data.vmx[0].vmcs12 + offsets[i]);

		found[i] = *field;
		for (bit = 32; bit < 64; bit++) {
			*field = found[i] | 1ull << bit;
			CHECK(vcpu_restore(to, s, NESTED), "bit %d at %u is taken", bit,
			      offsets[i]);
		}
		*field = found[i];
	}
	CHECK((found[0] == GUEST && found[1] == HOST) || (found[0] == HOST && found[1] == GUEST),
	      "vmcs12 has %#lx and %#lx", found[0], found[1]);
	CHECK(!vcpu_restore(to, s, NESTED), "the right state is refused: %s", strerror(errno));
	CHECK(pkrs_get(to) == GUEST, "L2 has %#lx", pkrs_get(to));
	/* Over an L2 that is active: KVM leaves it and has no other, but PKRS stays. */
	pkrs_set(to, L2);
	*(uint64_t *)(s->nested.data.vmx[0].vmcs12 + offsets[0]) |= 1ull << 32;
	CHECK(vcpu_restore(to, s, NESTED), "a bad state is taken");
	CHECK(pkrs_get(to) == L2, "a bad state makes PKRS %#lx", pkrs_get(to));
	vcpu_free(to);
	vm_free(twin);
	end();
}

/* What is saved has L2's value in vmcs12, as after an exit, whoever wrote it last. */
static void check_saved(const char *who, unsigned int controls, uint64_t want)
{
	static struct state s;
	uint64_t field;

	vcpu_save(vcpu, &s);
	memcpy(&field, s.nested.data.vmx[0].vmcs12 + VMCS12_FIRST, sizeof(field));
	CHECK(field == want, "E %u X %u: after %s's write vmcs12 has %#lx, not %#lx", controls & 1,
	      controls >> 1, who, field, want);
	free(s.msrs);
}

static void saved_value(void)
{
	unsigned int controls;

	for (controls = 0; controls < 4; controls++) {
		start(PKS_ON, true, l1_values, controls);
		vcpu_sync(vcpu);
		vcpu_sync(vcpu);
		vcpu_sync(vcpu);
		check_saved("L2", controls, L2);
		pkrs_set(vcpu, L1);
		check_saved("the host", controls, L1);
		/* Nothing has changed for who goes on. */
		check_next("L2's exit", controls, EXIT_VMCALL);
		check_next("L1 goes on with", controls, controls & 2 ? HOST : L1);
		check_next("vmcs12 has", controls, L1);
		end();
	}
}

/* A processor that is told not to have the entry control does not save PKRS (PKS-14). */
static void saved_value_narrowed(void)
{
	unsigned int controls;
	uint64_t value;

	for (controls = 0; controls < 4; controls += 2) {
		start(PKS_ON, true, l1_values, controls);
		REQUIRE(msr_get(vcpu, MSR_VMX_TRUE_ENTRY_CTLS, &value), "KVM_GET_MSRS refuses it");
		value &= ~((uint64_t)ENTRY_LOAD_PKRS << 32);
		REQUIRE(msr_set(vcpu, MSR_VMX_TRUE_ENTRY_CTLS, value), "the control cannot be taken away");
		vcpu_sync(vcpu);
		vcpu_sync(vcpu);
		vcpu_sync(vcpu);
		check_saved("L2", controls, GUEST);
		check_next("L2's exit", controls, EXIT_VMCALL);
		check_next("L1 goes on with", controls, controls & 2 ? HOST : L2);
		check_next("vmcs12 has", controls, GUEST);
		end();
	}
}

/*
 * L2 goes on with the value of the MSR, but starts with the field if its entry is
 * pending and has the control. So that the two differ, the saved field is changed.
 */
static void restored_value(void)
{
	static struct state s;
	unsigned int i, step;

	for (i = 0; i < 8; i++) {
		const unsigned int controls = i & 3;
		const bool pending = i & 4;
		const uint64_t field = SAVED, last = controls & 1 ? GUEST : L1;
		const uint64_t want = pending && (controls & 1) ? field : last;
		struct vcpu *to;
		struct vm *twin;

		start(PKS_ON, false, l1_values, controls);
		vcpu_sync(vcpu);
		vcpu_sync(vcpu);
		vcpu_save(vcpu, &s);
		memcpy(s.nested.data.vmx[0].vmcs12 + VMCS12_FIRST, &field, sizeof(field));
		if (pending)
			s.nested.flags |= KVM_STATE_NESTED_RUN_PENDING;
		to = vcpu_twin(vcpu);
		twin = to->vm;
		for (step = 0; step < STEPS; step++)
			REQUIRE(!vcpu_restore(to, &s, msrs_first[step]), "step %d: %s",
				msrs_first[step], strerror(errno));
		CHECK(pkrs_get(to) == want, "E %u X %u, pending %d: PKRS of L2 is %#lx, not %#lx",
		      controls & 1, controls >> 1, pending, pkrs_get(to), want);
		free(s.msrs);
		vcpu_free(to);
		vm_free(twin);
		end();
	}
}

static const struct test tests[] = {
	{ "kvm.move.at_syncs_msrs_first", "KVM-23", at_syncs_msrs_first, NULL },
	{ "kvm.move.at_syncs_nested_first", "KVM-23", at_syncs_nested_first, NULL },
	{ "kvm.move.without_pks", "KVM-26", without_pks, NULL },
	{ "kvm.move.back_msrs_first", "KVM-23", back_msrs_first, NULL },
	{ "kvm.move.back_nested_first", "KVM-23", back_nested_first, NULL },
	{ "kvm.move.cpuid_last", "KVM-4, KVM-23", cpuid_last, NULL },
	{ "kvm.move.at_entry", "KVM-23", at_entry, NULL },
	{ "kvm.move.at_entry_without_pks", "KVM-26", at_entry_without_pks, NULL },
	{ "kvm.move.pks_added_at_entry", "KVM-26", pks_added_at_entry, NULL },
	{ "kvm.move.saved_at_failing_entry", "KVM-19, KVM-23", saved_at_failing_entry, NULL },
	{ "kvm.move.anywhere_no_ept", "KVM-23", anywhere_no_ept, NULL },
	{ "kvm.move.anywhere_ept", "KVM-23", anywhere_ept, NULL },
	{ "kvm.move.anywhere_without_pks", "KVM-26", anywhere_without_pks, NULL },
	{ "kvm.move.saved_value", "KVM-18, KVM-23", saved_value, NULL },
	{ "kvm.move.saved_value_narrowed", "KVM-18, KVM-23, PKS-14", saved_value_narrowed, NULL },
	{ "kvm.move.restored_value", "KVM-17, KVM-23", restored_value, NULL },
	{ "kvm.move.bad_state", "KVM-22, KVM-23", bad_state, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
