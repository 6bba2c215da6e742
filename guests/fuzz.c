// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random sequences of what a hypervisor can do with PKS, each entry compared
 * with the model. A sequence depends on the seed and its number alone. The
 * running hash is the same on every machine that is right; where two machines
 * differ, trace=1 with from= and to= tells what each saw.
 *
 * Arguments: seed=S, count=N sequences, or from=A to=B of them; trace=1.
 */
#include "fuzz/fuzz.h"

#define STEPS		12
#define HASH_EVERY	1000
#define MAX_REPORTS	10

static struct vm vms[2] = { { .index = 0 }, { .index = 1 } };
static struct l1 l1;
static u64 random_state;
static u32 hash = 2166136261u, reports;
static bool trace;

static u32 rnd(u32 below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1d >> 33) % below;
}

/* A value that leaves the library's key open, often closing the vault. */
static u32 good_value(void)
{
	return (rnd(1u << 30) & ~0xcu) | rnd(4) << 2;
}

/* Rarely one with high bits. */
static u64 any_value(void)
{
	u64 v = good_value();

	return rnd(8) ? v : v | 1ull << (32 + rnd(32));
}

static void set_controls(struct vm *vm)
{
	vm->v.entry = rnd(2);
	vm->v.exit = rnd(2);
	vmcs_control(ENTRY_CONTROLS, vm->v.entry ? ENTRY_LOAD_PKRS : 0, ENTRY_LOAD_PKRS);
	vmcs_control(EXIT_CONTROLS, vm->v.exit ? EXIT_LOAD_PKRS : 0, EXIT_LOAD_PKRS);
}

static void set_half(struct vm *vm)
{
	u32 high = rnd(2) ? 0 : rnd(0x7fffffff);
	bool host = rnd(2);
	u64 *field = host ? &vm->v.host : &vm->v.guest;

	*field = (u32)*field | (u64)high << 32;
	vmcs_write(host ? HOST_PKRS_HIGH : GUEST_PKRS_HIGH, high);
}

static void set_entry_list(struct vm *vm)
{
	vm->n_in = rnd(3);
	for (u32 i = 0; i < vm->n_in; i++)
		vm->in[i] = (struct msr_entry){ MSR_PKRS, 0, any_value() };
	vmcs_write(ENTRY_MSR_LOAD_COUNT, vm->n_in);
}

/* Good values only: a bad one is a VMX abort. */
static void set_exit_lists(struct vm *vm)
{
	vm->n_out = rnd(3);
	for (u32 i = 0; i < vm->n_out; i++)
		vm->out[i] = (struct msr_entry){ MSR_PKRS, 0, good_value() };
	vm->n_store = rnd(2);
	vm->store[0] = (struct msr_entry){ MSR_PKRS, 0, 0 };
	vmcs_write(EXIT_MSR_LOAD_COUNT, vm->n_out);
	vmcs_write(EXIT_MSR_STORE_COUNT, vm->n_store);
}

static void set_cr4(struct vm *vm)
{
	u64 cr4 = cr4_base() | CR4_VMXE;

	vm->guest_pks = rnd(4);
	vm->host_pks = rnd(4);
	vmcs_write(GUEST_CR4, cr4 | (vm->guest_pks ? CR4_PKS : 0));
	vmcs_write(HOST_CR4, cr4 | (vm->host_pks ? CR4_PKS : 0));
}

static void set_exits(struct vm *vm)
{
	vm->read_exits = !rnd(3);
	vm->write_exits = !rnd(3);
	l2_intercept(&vm->l2, vm->read_exits, vm->write_exits);
}

static void set_other_exits(struct vm *vm)
{
	vm->pf_exits = rnd(2);
	vm->timer = !rnd(4);
	vm->clean = rnd(4);
	vmcs_write(EXCEPTION_BITMAP, vm->pf_exits ? 1u << VEC_PF : 0);
	vmcs_control(PIN_CONTROLS, vm->timer ? PIN_PREEMPTION_TIMER : 0,
		     PIN_PREEMPTION_TIMER);
	vmcs_write(PREEMPTION_TIMER, 0);
	if (rnd(2))
		l2_use_ept();
	else
		vmcs_write(PROC2_CONTROLS, 0);
}

static void note(u64 v)
{
	for (int i = 0; i < 2; i++, v >>= 32) {
		hash = (hash ^ (u32)v) * 16777619u;
		hash ^= hash >> 15;
	}
}

/* What L1 does with its own registers. */
static bool l1_acts(void)
{
	bool write = rnd(2);
	u64 v = any_value(), answer;

	switch (rnd(4)) {
	case 0:
		l1.pks = !l1.pks;
		write_cr4(CR4_PAE | CR4_VMXE | (l1.pks ? CR4_PKS : 0));
		return true;
	case 1:
		answer = touch_vault(write);
		note(answer);
		return answer == vault_answer(l1.pkrs, l1.pks, write);
	default:
		answer = wrmsr_safe(MSR_PKRS, v);
		note(answer);
		if (!(v >> 32))
			l1.pkrs = v;
		return answer == (v >> 32 ? VEC_GP : NO_FAULT);
	}
}

/* VMWRITEs and the like between two entries: often none at all. */
static bool mutate(struct vm *vm)
{
	bool right = true;

	for (u32 n = rnd(5); n; n--) {
		switch (rnd(10)) {
		case 0: set_controls(vm); break;
		case 1: vm->v.guest = any_value(); vmcs_write(GUEST_PKRS, vm->v.guest); break;
		case 2: vm->v.host = any_value(); vmcs_write(HOST_PKRS, vm->v.host); break;
		case 3: set_half(vm); break;
		case 4: set_entry_list(vm); break;
		case 5: set_exit_lists(vm); break;
		case 6: set_cr4(vm); break;
		case 7: set_exits(vm); break;
		case 8: set_other_exits(vm); break;
		default: right &= l1_acts(); break;
		}
	}
	return right;
}

static bool bad_entry_list(const struct vm *vm)
{
	for (u32 i = 0; i < vm->n_in; i++)
		if (vm->in[i].value >> 32)
			return true;
	return false;
}

/*
 * KVM leaves RFLAGS to the processor to check, which it asks after it has
 * processed the list: reason 34 instead of 33 if both are bad, PKS or not.
 */
static void choose_step(struct step *s)
{
	s->broken = rnd(12) < 2 ? 1 + rnd(4) : NOTHING;
	if (s->broken == GUEST_BY_FLAGS && bad_entry_list(s->vm))
		s->broken = GUEST_BY_CR0;
	s->wrong_instruction = !rnd(24);
	s->n_ops = rnd(MAX_OPS + 1);
	for (u32 i = 0; i < s->n_ops; i++)
		s->ops[i] = (struct op){ .kind = rnd(OP_KINDS), .value = good_value() };
	s->ending = rnd(ENDINGS);
}

static void show(const char *what, const struct outcome *o)
{
	say("#   %s: error %u reason 0x%x qualification %u L1 %08x CR4.PKS %u guest %016lx"
	    " CR4.PKS %u stored %08lx results", what, o->error, o->reason,
	    o->qualification, o->l1_pkrs, o->l1_pks, o->guest, o->guest_pks, o->stored);
	for (u32 i = 0; i < o->done; i++)
		say(" %lx", o->results[i]);
	say("\n");
}

static void show_list(const char *what, const struct msr_entry *list, u32 n)
{
	say(" %s", what);
	for (; n; n--, list++)
		say(" %lx", list->value);
}

static void show_step(u64 number, u32 i, const struct step *s)
{
	const struct vm *vm = s->vm;

	say("# %lu.%u: vm %u E%u X%u guest %016lx host %016lx L1 %08x CR4.PKS %u%u%u exits %u%u%u%u",
	    number, i, vm->index, vm->v.entry, vm->v.exit, vm->v.guest, vm->v.host,
	    l1.pkrs, l1.pks, vm->host_pks, vm->guest_pks, vm->read_exits,
	    vm->write_exits, vm->pf_exits, vm->timer);
	show_list("in", vm->in, vm->n_in);
	show_list("out", vm->out, vm->n_out);
	say(" broken %u wrong %u launched %u ops", s->broken, s->wrong_instruction,
	    vm->l2.launched);
	for (u32 j = 0; j < s->n_ops; j++)
		say(" %u:%08x", s->ops[j].kind, s->ops[j].value);
	say(" end %u\n", s->ending);
}

static bool equal(const struct outcome *a, const struct outcome *b)
{
	bool same = a->error == b->error && a->reason == b->reason &&
		a->qualification == b->qualification && a->l1_pkrs == b->l1_pkrs &&
		a->done == b->done && a->guest == b->guest && a->stored == b->stored &&
		a->l1_pks == b->l1_pks && a->guest_pks == b->guest_pks;

	for (u32 i = 0; same && i < a->done; i++)
		same = a->results[i] == b->results[i];
	return same;
}

static void note_outcome(const struct outcome *o)
{
	note(o->error | (u64)o->reason << 32);
	note(o->qualification | (u64)o->l1_pkrs << 32);
	note(o->guest);
	note(o->stored);
	note(o->done << 2 | o->l1_pks << 1 | o->guest_pks);
	for (u32 i = 0; i < o->done; i++)
		note(o->results[i]);
}

static void report(u64 number, u32 i)
{
	if (reports++ < MAX_REPORTS)
		fail("%lu.%u is not what the rules say", number, i);
}

/* After a difference the model goes on from what the machine has. */
static bool run_step(u64 number, u32 i, struct vm *vm)
{
	struct step s = { .vm = vm };
	struct outcome should, is;

	if (!mutate(vm))
		report(number, i);
	choose_step(&s);
	if (trace)
		show_step(number, i, &s);
	step_model(&s, &l1, &should);
	step_run(&s, &is);
	note_outcome(&is);
	if (trace)
		show("is", &is);
	if (equal(&is, &should))
		return true;
	report(number, i);
	if (reports <= MAX_REPORTS) {
		show("should", &should);
		show("is", &is);
	}
	return false;
}

static void run_sequence(u64 seed, u64 number)
{
	random_state = (seed * 0x9e3779b97f4a7c15 ^ number * 0xbf58476d1ce4e5b9) | 1;
	rnd(2);
	write_pkrs(0);
	write_cr4(CR4_PAE | CR4_VMXE | CR4_PKS);
	l1 = (struct l1){ good_value(), true };
	for (int i = 1; i >= 0; i--) {
		struct l2 l2 = vms[i].l2;

		vms[i] = (struct vm){ .l2 = l2, .index = i, .guest_pks = true, .host_pks = true };
		vm_create(&vms[i]);
	}
	write_pkrs(l1.pkrs);
	for (u32 i = 0, n = 0; i < STEPS; i++) {
		if (!rnd(4)) {
			n = !n;
			l2_current(&vms[n].l2);
		}
		if (!run_step(number, i, &vms[n]))
			return;
	}
}

static void random_sequences(void)
{
	u64 seed = arg_number("seed", 1), count = arg_number("count", 1000);
	u64 from = arg_number("from", 0), to = arg_number("to", from + count);

	trace = arg_number("trace", 0);
	vmx_on();
	for (u64 n = from; n < to; n++) {
		run_sequence(seed, n);
		if ((n + 1) % HASH_EVERY == 0 || n + 1 == to)
			say("# seed %lu, sequences %lu to %lu: %08x\n", seed, from, n, hash);
	}
	if (reports)
		fail("%u differences", reports);
}

static const struct test tests[] = {
	{ "fuzz.nested.random_sequences", random_sequences, 0 },
};

void guest_main(void)
{
	static const char *const numbers[] = { "seed", "count", "from", "to", "trace" };

	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++)
		arg_number(numbers[i], 0);
	args_done("la57, seed=, count=, from=, to=, trace= and machine=bare|kvm");
	cpu_baseline();
	map(VAULT, (u64)page_alloc() | PTE_P | PTE_W | PTE_KEY(VAULT_KEY), 1);
	ktap_plan(1);
	ktap_run(tests, 1, cpu_has_pks() ? vmx_missing() : "a processor with PKS");
	ktap_exit();
}
