// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random sequences of what a VMM can do to a vCPU with PKS, as L1 and as L2, that
 * a guest cannot do to itself: moves between VMs, states set, filters, CPUID,
 * SMIs, INIT, by VMCSs and by enlightened ones. Each step is compared with a model
 * (KVM-4, KVM-5, KVM-8, KVM-9, KVM-17 to KVM-19, KVM-23, KVM-24, KVM-26).
 *
 * Arguments: seed=S, count=N sequences, or from=A to=B of them; trace=1. A sequence
 * depends on the seed and its number alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "evmcs.h"
#include "ktap.h"
#include "move.h"
#include "../../guests/lib/random.h"

enum { ACTS = 30, SECONDS = 4 };
enum { VAULT = 0xc0000000, VAULT_KEY = 1 };

/* What the guest is asked for: L1 or L2, whichever runs; the last three of one of them. */
enum act { READ, WRITE, TOGGLE_CR4, LOAD, STORE, GUEST_ACTS, ENTER, READ_FIELD, LEAVE };
#define FAULT(vector) (1ull << 63 | (vector))
#define IN_L2 (1ull << 62)

/* Shared with the guest. */
static struct {
	volatile int act;
	volatile uint64_t value;
	volatile unsigned int controls;
	volatile uint64_t guest, host;
} ask;
static struct vmx *vmx;

/* The vCPU, and what it has by the rules. */
static struct vcpu *vcpu;
static char *smm_memory;	/* or NULL: then the VM moves */
static struct {
	bool pks, evmcs, l2, ran;
	bool cr4, l1_cr4;	/* CR4.PKS: of who runs, of L1 once L2 leaves */
	uint32_t pkrs;
	unsigned int controls, deny;
	uint64_t guest, host;	/* vmcs12's fields */
} m;

static uint64_t random_state, number;
static bool trace;

static uint32_t rnd(uint32_t below)
{
	return random_below(&random_state, below);
}

/* Leaves the guest's own key open; often forbids the vault's. */
static uint32_t good_value(void)
{
	return (rnd(1u << 31) & ~(0xcu | KEY_BITS(OWN_KEY, 3))) | rnd(4) << 2;
}

static uint64_t any_value(void)
{
	uint64_t value = good_value();

	return rnd(8) ? value : value | 1ull << (32 + rnd(32));
}

/* The guest. */

static uint64_t do_act(void)
{
	uint64_t value = 0;
	int got;

	switch (ask.act) {
	case READ:
		got = try_rdmsr(MSR_PKRS, &value);
		return got == NO_FAULT ? value : FAULT(got);
	case WRITE:
		got = try_wrmsr(MSR_PKRS, ask.value);
		break;
	case TOGGLE_CR4:
		got = try_cr4(read_cr4() ^ CR4_PKS);
		break;
	default:
		got = guest_probe(ask.act == LOAD ? probe_read : probe_write, (void *)VAULT, 0, 0);
	}
	return got == NO_FAULT ? 0 : FAULT(got);
}

static void l2_acts(uint64_t unused)
{
	(void)unused;
	guest_sync(IN_L2);
	while (ask.act != LEAVE)
		guest_sync(do_act());
}

static uint64_t enter(bool evmcs)
{
	const uint64_t cr4 = read_cr4();

	/* L1 tells KVM what vmx_run() changes in an enlightened VMCS. */
	if (evmcs && (evmcs_read(vmx->evmcs, GUEST_CR4) != cr4 || evmcs_read(vmx->evmcs, HOST_CR4) != cr4))
		*evmcs_clean_fields(vmx->evmcs) = 0;
	if (!evmcs) {
		vmx_load_controls(ask.controls);
		vmwrite(GUEST_PKRS, ask.guest);
		vmwrite(HOST_PKRS, ask.host);
	}
	return vmx_run(vmx, l2_acts, 0);
}

/* Interrupts are off where the VMM awaits its window: the first is L2's entry. */
static void l1_acts(uint64_t evmcs)
{
	asm volatile("cli");
	vmx_start(vmx);
	if (evmcs)
		evmcs_start(vmx);
	guest_sync(0);
	for (;;) {
		if (ask.act == ENTER)
			guest_sync(enter(evmcs));
		else if (ask.act == READ_FIELD)
			guest_sync(vmread(GUEST_PKRS));
		else
			guest_sync(do_act());
	}
}

/* The model. */

static uint64_t vault_answer(bool write)
{
	uint32_t forbids = KEY_BITS(VAULT_KEY, write ? 3 : 1);

	if (!m.cr4 || !(m.pkrs & forbids))
		return 0;
	return FAULT(1 | 1 << 5 | (write ? 2 : 0));
}

static uint64_t expected_act(int act, uint64_t value)
{
	const bool refused = !m.pks || (act == READ && m.deny & KVM_MSR_FILTER_READ) ||
		(act == WRITE && (m.deny & KVM_MSR_FILTER_WRITE || value >> 32));

	switch (act) {
	case READ:
		return refused ? FAULT(VECTOR_GP) : m.pkrs;
	case WRITE:
		if (!refused)
			m.pkrs = value;
		return refused ? FAULT(VECTOR_GP) : 0;
	case TOGGLE_CR4:
		m.cr4 ^= m.pks;
		return m.pks ? 0 : FAULT(VECTOR_GP);
	default:
		return vault_answer(act == STORE);
	}
}

static void model_exit(void)
{
	m.l2 = false;
	m.cr4 = m.l1_cr4;
	if (!m.pks)
		return;
	m.guest = m.pkrs;
	if (m.controls & 2)
		m.pkrs = m.host;
}

/* What L1's entry comes to, and the state after it. */
static uint64_t expected_entry(void)
{
	if (m.controls & 2 && m.host >> 32)
		return -(uint64_t)VMFAIL_BAD_HOST;
	if (m.controls & 1 && m.guest >> 32) {
		if (m.pks && m.controls & 2)
			m.pkrs = m.host;
		return ENTRY_FAILED | EXIT_BAD_GUEST;
	}
	m.l2 = true;
	m.l1_cr4 = m.cr4;
	if (m.pks && m.controls & 1)
		m.pkrs = m.guest;
	return IN_L2;
}

/* The VMM. */

static void tell(const char *what, uint64_t value)
{
	if (trace)
		ktap_note("%lu: L%d PKS %d evmcs %d CR4.PKS %d PKRS %#x deny %u controls %u fields %#lx %#lx: %s %#lx",
			  number, 1 + m.l2, m.pks, m.evmcs, m.cr4, m.pkrs, m.deny, m.controls, m.guest, m.host,
			  what, value);
}

static void check_answer(const char *what, uint64_t want)
{
	uint64_t got = vcpu_sync(vcpu);

	m.ran = true;
	REQUIRE(got == want, "sequence %lu: %s: %#lx, not %#lx", number, what, got, want);
}

/* What the host sees of it is what the guest has, whenever it looks. */
static void check_seen(const char *what)
{
	uint64_t value;

	if (m.pks)
		REQUIRE(pkrs_get(vcpu) == m.pkrs, "sequence %lu: after %s the host reads %#lx, not %#x",
			number, what, pkrs_get(vcpu), m.pkrs);
	else
		REQUIRE(!msr_get(vcpu, MSR_PKRS, &value) || !value,
			"sequence %lu: after %s the host reads %#lx without PKS", number, what, value);
	REQUIRE(!(sregs_get(vcpu).cr4 & CR4_PKS) == !m.cr4, "sequence %lu: after %s CR4.PKS is %d", number, what,
		!m.cr4);
}

static void guest_acts(void)
{
	ask.act = rnd(GUEST_ACTS);
	ask.value = any_value();
	tell("the guest does", ask.act);
	check_answer("the guest's act", expected_act(ask.act, ask.value));
}

/*
 * KVM, PKS or not, saves L1's enlightened VMCS from a shadow VMCS that is empty
 * where it was restored and the vCPU has not run since.
 */
static bool may_save(void)
{
	return !m.evmcs || m.l2 || m.ran;
}

/* A new order of what may come in any: MSRs, registers and the FPU's state. */
static void move(void)
{
	enum step order[STEPS] = { CPUID, FEATURE_CONTROL, SREGS, NESTED, EVENTS };
	static const enum step free_steps[] = { MSRS, REGS, FPU };
	unsigned int i, n = 5, at;

	for (i = 0; i < COUNT(free_steps); i++, n++) {
		at = 3 + rnd(n - 2);
		memmove(&order[at + 1], &order[at], (n - at) * sizeof(*order));
		order[at] = free_steps[i];
	}
	if (!may_save())
		return;
	tell("moves", 0);
	vcpu = vcpu_move(vcpu, order, NULL);
	m.deny = 0;
	m.ran = false;
}

/* The pending entry of L1 is moved, too. */
static void enter_moved(void)
{
	vcpu->run->request_interrupt_window = 1;
	REQUIRE(vcpu_run(vcpu) == KVM_EXIT_IRQ_WINDOW_OPEN, "sequence %lu: L2's entry: exit reason %u, value %#lx",
		number, vcpu->run->exit_reason, vcpu->cpu->value);
	vcpu->run->request_interrupt_window = 0;
	check_seen("L1's entry");
	move();
}

static void enter_or_leave(void)
{
	uint64_t want;

	if (m.l2) {
		ask.act = LEAVE;
		tell("L2 leaves", 0);
		model_exit();
		return check_answer("L2's exit", EXIT_VMCALL);
	}
	ask.act = ENTER;
	m.controls = ask.controls = m.evmcs ? 0 : rnd(4);
	if (!m.evmcs) {
		m.guest = ask.guest = any_value();
		m.host = ask.host = any_value();
	}
	tell("L1 enters", ask.controls);
	want = expected_entry();
	if (want == IN_L2 && !smm_memory && rnd(2))
		enter_moved();
	check_answer("L1's entry", want);
}

static void read_field(void)
{
	if (m.l2 || m.evmcs)
		return;
	ask.act = READ_FIELD;
	tell("L1 reads its field", 0);
	check_answer("vmcs12's field", m.guest);
}

static void set_pkrs(void)
{
	uint64_t value = any_value();
	const bool right = m.pks && !(value >> 32);

	tell("the host writes", value);
	if (!m.pks)
		return;
	REQUIRE(msr_set(vcpu, MSR_PKRS, value) == right, "sequence %lu: KVM_SET_MSRS of %#lx", number, value);
	if (right)
		m.pkrs = value;
}

static void set_cr4(void)
{
	struct kvm_sregs s;

	vcpu_complete(vcpu);
	s = sregs_get(vcpu);
	s.cr4 ^= CR4_PKS;
	tell("the host sets CR4", s.cr4);
	REQUIRE(sregs_set(vcpu, &s) == m.pks, "sequence %lu: KVM_SET_SREGS of CR4 %#llx", number, s.cr4);
	m.cr4 ^= m.pks;
}

static void filter(void)
{
	m.deny = rnd(4);
	tell("filter", m.deny);
	vm_filter(vcpu->vm, m.deny);
}

/* Once it has run a vCPU keeps its CPUID: the same is taken, another is not. */
static void cpuid(void)
{
	const bool other = rnd(2);
	const int pks = vcpu->pks;

	if (!m.ran)
		return;
	tell("CPUID", other);
	REQUIRE(!vcpu_set_cpuid(vcpu, other ? !pks : pks) == !other, "sequence %lu: KVM_SET_CPUID2, other %d: %s",
		number, other, strerror(errno));
	vcpu->pks = pks;
}

/* Its own state, once more. */
static void restore(void)
{
	static struct state s;
	unsigned int i;

	if (!may_save())
		return;
	tell("state restored", 0);
	vcpu_save(vcpu, &s);
	for (i = 0; i < STEPS; i++)
		REQUIRE(msrs_first[i] == CPUID || !vcpu_restore(vcpu, &s, msrs_first[i]),
			"sequence %lu: step %d of restoring: %s", number, msrs_first[i], strerror(errno));
	free(s.msrs);
	m.ran = false;
}

/* SMM has memory of its own; its code tells PKRS and CR4, writes PKRS, and goes back. */
enum { SMI_CODE = 0x38000, SMM_SIZE = 0x40000, SMI_VALUE = 20, PORT_REAL = 0x600 };
static const uint8_t smi_code[] = {
	0x66, 0xb9, 0xe1, 0x06, 0, 0, 0x0f, 0x32,	/* mov ecx, IA32_PKRS; rdmsr */
	0xba, PORT_REAL & 0xff, PORT_REAL >> 8, 0x66, 0xef, 0x0f, 0x20, 0xe0, 0x66, 0xef,
							/* out; mov eax, cr4; out */
	0x66, 0xb8, 0, 0, 0, 0, 0x66, 0x31, 0xd2, 0x0f, 0x30, 0x0f, 0xaa,	/* a value; wrmsr; rsm */
};

static void add_smm(struct vm *vm)
{
	struct kvm_userspace_memory_region region = { .slot = 1u << 16, .memory_size = SMM_SIZE };

	vm_irqchip(vm);
	smm_memory = mmap(NULL, SMM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(smm_memory != MAP_FAILED, "memory of SMM: %s", strerror(errno));
	memcpy(smm_memory + SMI_CODE, smi_code, sizeof(smi_code));
	region.userspace_addr = (uint64_t)smm_memory;
	REQUIRE(!ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region), "memory of SMM: %s", strerror(errno));
}

static uint32_t smm_tells(void)
{
	struct kvm_run *run = vcpu->run;

	REQUIRE(vcpu_run(vcpu) == KVM_EXIT_IO && run->io.port == PORT_REAL, "sequence %lu: SMM gave exit reason %u",
		number, run->exit_reason);
	return *(uint32_t *)((char *)run + run->io.data_offset);
}

static void smi(void)
{
	uint32_t value = good_value(), got;

	if (!smm_memory || !m.pks || m.evmcs)
		return;
	vm_filter(vcpu->vm, m.deny = 0);
	memcpy(smm_memory + SMI_CODE + SMI_VALUE, &value, sizeof(value));
	tell("SMI, which writes", value);
	vcpu_complete(vcpu);
	REQUIRE(!ioctl(vcpu->fd, KVM_SMI), "KVM_SMI: %s", strerror(errno));
	got = smm_tells();
	REQUIRE(got == m.pkrs, "sequence %lu: SMM reads PKRS %#x, not %#x", number, got, m.pkrs);
	got = smm_tells();
	REQUIRE(!(got & CR4_PKS), "sequence %lu: SMM reads CR4 %#x", number, got);
	m.pkrs = value;
	/* Back by the next act. */
	ask.act = READ;
	check_answer("PKRS after RSM", m.pkrs);
}

static void init(void)
{
	struct kvm_vcpu_events events;

	if (!smm_memory || !m.l2)
		return;
	tell("INIT", 0);
	vcpu_complete(vcpu);
	REQUIRE(!ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events), "KVM_GET_VCPU_EVENTS: %s", strerror(errno));
	events.flags = KVM_VCPUEVENT_VALID_SMM;
	events.smi.latched_init = 1;
	REQUIRE(!ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events), "KVM_SET_VCPU_EVENTS: %s", strerror(errno));
	model_exit();
	check_answer("L2's exit by INIT", EXIT_INIT);
}

static void (*const vmm_acts[])(void) = {
	guest_acts, guest_acts, guest_acts, guest_acts, enter_or_leave, enter_or_leave, enter_or_leave, read_field,
	set_pkrs, set_pkrs, set_cr4, filter, cpuid, restore, smi, init,
};

static void start(void)
{
	struct vm *vm = vm_new();
	const bool with_smm = rnd(2);

	memset(&m, 0, sizeof(m));
	m.pks = rnd(4);
	m.evmcs = m.pks && !rnd(4) && ioctl(kvm_dev(), KVM_CHECK_EXTENSION, KVM_CAP_HYPERV_ENLIGHTENED_VMCS) > 0;
	smm_memory = NULL;
	if (with_smm)
		add_smm(vm);
	vm_map(vm, VAULT, (uint64_t)vm_pages(vm, 1), PTE_W | PTE_A | PTE_D | PTE_KEY(VAULT_KEY), 1);
	vmx = vmx_new(vm, rnd(2));
	evmcs_new(vm, vmx);
	vcpu = vcpu_new(vm, m.pks, l1_acts, m.evmcs);
	vcpu->hyperv = m.evmcs ? HYPERV_CPUID | HYPERV_EVMCS : 0;
	if (m.evmcs)
		REQUIRE(!vcpu_set_cpuid(vcpu, m.pks), "KVM_SET_CPUID2: %s", strerror(errno));
	check_answer("L1 starts", 0);
}

static void end(void)
{
	struct vm *vm = vcpu->vm;

	vcpu_free(vcpu);
	vm_free(vm);
	if (smm_memory)
		munmap(smm_memory, SMM_SIZE);
}

static void run_sequence(uint64_t seed)
{
	unsigned int i;

	alarm(SECONDS);
	random_state = random_start(seed, number);
	rnd(2);
	start();
	for (i = 0; i < ACTS; i++) {
		if (!smm_memory && !rnd(8))
			move();
		vmm_acts[rnd(COUNT(vmm_acts))]();
		check_seen("a step");
	}
	end();
	CHECK(true, "a sequence");
}

static uint64_t argument(const char *key, uint64_t otherwise)
{
	const char *value = ktap_argument(key);

	return value ? strtoull(value, NULL, 0) : otherwise;
}

static void random_sequences(void)
{
	uint64_t from = argument("from", 0), to = argument("to", from + argument("count", 100));

	need_pks();
	need_nested();
	trace = argument("trace", 0);
	for (number = from; number < to; number++)
		run_sequence(argument("seed", 1));
}

static const struct test tests[] = {
	{ "kvm.fuzz.random_sequences", "KVM-4, KVM-5, KVM-8, KVM-9, KVM-17, KVM-18, KVM-19, KVM-23, KVM-24, KVM-26",
	  random_sequences, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "seed", "count", "from", "to", "trace", "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
