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
#include "random.h"

#define STEPS		4
#define HASH_EVERY	1000
#define MAX_REPORTS	10

static struct vm vms[2] = { { .index = 0 }, { .index = 1 } };
static struct l1 l1;
static u64 random_state;
static u32 hash = 2166136261u, reports;
static bool trace;

static u32 rnd(u32 below)
{
	return random_below(&random_state, below);
}

/* A value that leaves the library's key open, often closing the vault's first. */
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
	vm_set(vm, S_ENTRY, vm->start[S_ENTRY] | (vm->v.entry ? ENTRY_LOAD_PKRS : 0));
	vm_set(vm, S_EXIT, vm->start[S_EXIT] | (vm->v.exit ? EXIT_LOAD_PKRS : 0));
}

static void set_half(struct vm *vm)
{
	u32 high = rnd(2) ? 0 : rnd(0x7fffffff);
	bool host = rnd(2);
	u64 *field = host ? &vm->v.host : &vm->v.guest;

	*field = (u32)*field | (u64)high << 32;
	vmcs_write(host ? HOST_PKRS_HIGH : GUEST_PKRS_HIGH, high);
	vm->set[host ? S_HOST_PKRS : S_GUEST_PKRS] = *field;
}

static void set_entry_list(struct vm *vm)
{
	vm->n_in = rnd(3);
	for (u32 i = 0; i < vm->n_in; i++)
		vm->in[i] = (struct msr_entry){ MSR_PKRS, 0, any_value() };
	vm_set(vm, S_N_IN, vm->n_in);
}

/* Good values only: a bad one is a VMX abort. */
static void set_exit_lists(struct vm *vm)
{
	vm->n_out = rnd(3);
	for (u32 i = 0; i < vm->n_out; i++)
		vm->out[i] = (struct msr_entry){ MSR_PKRS, 0, good_value() };
	vm->n_store = rnd(2);
	vm->store[0] = (struct msr_entry){ MSR_PKRS, 0, 0 };
	vm_set(vm, S_N_OUT, vm->n_out);
	vm_set(vm, S_N_STORE, vm->n_store);
}

static void set_cr4(struct vm *vm)
{
	u64 cr4 = cr4_base() | CR4_VMXE;

	vm->guest_pks = rnd(4);
	vm->host_pks = rnd(4);
	vm_set(vm, S_GUEST_CR4, cr4 | (vm->guest_pks ? CR4_PKS : 0));
	vm_set(vm, S_HOST_CR4, cr4 | (vm->host_pks ? CR4_PKS : 0));
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
	vm_set(vm, S_EXCEPTIONS, vm->pf_exits ? 1u << VEC_PF : 0);
	vm_set(vm, S_PIN, vm->start[S_PIN] | (vm->timer ? PIN_PREEMPTION_TIMER : 0));
}

static void set_paging(struct vm *vm)
{
	vm->ept = rnd(ROOTS + 1);
	vm->vpid = rnd(3);
	vm_paging(vm);
}

/* Fewer rights take INVEPT, more do not. Write without read is none at all. */
static void set_rights(void)
{
	u32 root = rnd(ROOTS), rights = rnd(2) ? 3 : rnd(4), how = rnd(3);
	bool more = (rights & 1) && !(l1.rights[root] & ~rights);

	if (!more && !how)
		how = 1;
	l1.rights[root] = rights;
	vault_rights(root, rights, how);
}

static void set_key(u32 key)
{
	l1.key = key;
	l1.stale = true;
	vault_key(key);
}

/* What has a VPID may have kept the vault's old key; an entry without one drops it. */
static void set_vpid_right(const struct vm *vm)
{
	if (l1.stale && vm->vpid)
		vault_forget(rnd(4));
	l1.stale = l1.stale && !vm->vpid;
}

static void note(u64 v)
{
	for (int i = 0; i < 2; i++, v >>= 32) {
		hash = (hash ^ (u32)v) * 16777619u;
		hash ^= hash >> 15;
	}
}

static void set_l1_cr4(bool pks)
{
	l1.pks = pks;
	write_cr4(cr4_base() | CR4_VMXE | (pks ? CR4_PKS : 0));
}

/* What L1 does with its own registers. */
static bool l1_acts(void)
{
	bool write = rnd(2);
	u64 v = any_value(), answer;

	switch (rnd(4)) {
	case 0:
		set_l1_cr4(!l1.pks);
		return true;
	case 1:
		invlpg(VAULT);
		answer = touch_vault(write);
		note(answer);
		return answer == vault_answer(l1.pkrs, l1.pks, l1.key, write);
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
		switch (rnd(15)) {
		case 0: set_controls(vm); break;
		case 1: vm->v.guest = any_value(); vm_set(vm, S_GUEST_PKRS, vm->v.guest); break;
		case 2: vm->v.host = any_value(); vm_set(vm, S_HOST_PKRS, vm->v.host); break;
		case 3: set_half(vm); break;
		case 4: set_entry_list(vm); break;
		case 5: set_exit_lists(vm); break;
		case 6: set_cr4(vm); break;
		case 7: set_exits(vm); break;
		case 8: set_other_exits(vm); break;
		case 9: set_paging(vm); break;
		case 10: set_rights(); break;
		case 11: case 12: case 13: set_key(3 - l1.key); break;
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

static u32 traits(const struct vm *vm)
{
	return (vm->timer ? TIMER : NO_TIMER) | (vm->ept ? EPT : NO_EPT) | (vm->vpid ? HAS_VPID : 0) |
		(vm->n_in ? LIST_IN : 0) | (vm->n_out ? LIST_OUT : 0) | (vm->n_store ? LIST_STORE : 0) |
		(pkrs_bad_guest(&vm->v) ? 0 : GOOD_PKRS) | (bad_entry_list(vm) ? 0 : GOOD_LIST);
}

static u64 one_of(u64 bits)
{
	u32 n = rnd(64);

	while (!(bits >> n & 1))
		n = (n + 1) % 64;
	return 1ull << n;
}

/*
 * KVM leaves much to the processor to check, which it asks after it has
 * processed the list: reason 34 instead of 33 if both are bad, PKS or not.
 */
static void choose_variation(struct step *s)
{
	const struct variation *v = &variations[rnd(nr_variations)];
	u32 needs = v->needs | (v->verdict == BAD_GUEST_LATE ? GOOD_LIST : 0);

	if (needs & ~traits(s->vm))
		return;
	s->vary = v;
	s->bit = v->change == SET_ONE || v->change == CLEAR_ONE ? one_of(v->value) : 0;
}

/* An entry like others that succeed comes after each that has been varied. */
static void choose_step(struct step *s, u32 i)
{
	static const u8 kinds[] = {
		READ, WRITE, WRITE_BAD, LOAD, LOAD, STORE, STORE, TOGGLE_CR4, CHANGE_KEY,
	};

	if (i % 2)
		choose_variation(s);
	s->wrong_instruction = !rnd(24);
	s->n_ops = rnd(MAX_OPS + 1);
	for (u32 j = 0; j < s->n_ops; j++)
		s->ops[j] = (struct op){ .kind = kinds[rnd(ARRAY_SIZE(kinds))], .value = good_value() };
	s->ending = rnd(ENDINGS);
}

static void show(const char *what, const struct outcome *o)
{
	say("#   %s: error %u reason 0x%x qualification %u L1 %08x CR4.PKS %u guest %016lx"
	    " CR4.PKS %u stored %08lx events %u results", what, o->error, o->reason,
	    o->qualification, o->l1_pkrs, o->l1_pks, o->guest, o->guest_pks, o->stored, o->events);
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

static void show_variation(const struct step *s)
{
	if (s->vary)
		say(" field 0x%x change %u value %lx bit %lx verdict %u", s->vary->field,
		    s->vary->change, s->vary->value, s->bit, s->vary->verdict);
}

static void show_step(u64 number, u32 i, const struct step *s)
{
	const struct vm *vm = s->vm;

	say("# %lu.%u: vm %u E%u X%u guest %016lx host %016lx L1 %08x CR4.PKS %u%u%u exits %u%u%u%u",
	    number, i, vm->index, vm->v.entry, vm->v.exit, vm->v.guest, vm->v.host,
	    l1.pkrs, l1.pks, vm->host_pks, vm->guest_pks, vm->read_exits,
	    vm->write_exits, vm->pf_exits, vm->timer);
	say(" EPT %u rights %u%u VPID %u key %u", vm->ept, l1.rights[0], l1.rights[1], vm->vpid, l1.key);
	show_list("in", vm->in, vm->n_in);
	show_list("out", vm->out, vm->n_out);
	show_variation(s);
	say(" wrong %u launched %u ops", s->wrong_instruction, vm->l2.launched);
	for (u32 j = 0; j < s->n_ops; j++)
		say(" %u:%08x", s->ops[j].kind, s->ops[j].value);
	say(" end %u\n", s->ending);
}

static bool equal(const struct outcome *a, const struct outcome *b)
{
	bool same = a->error == b->error && a->reason == b->reason &&
		a->qualification == b->qualification && a->l1_pkrs == b->l1_pkrs &&
		a->done == b->done && a->guest == b->guest && a->stored == b->stored &&
		a->l1_pks == b->l1_pks && a->guest_pks == b->guest_pks && a->events == b->events;

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
	note(o->events << 8 | o->done << 2 | o->l1_pks << 1 | o->guest_pks);
	for (u32 i = 0; i < o->done; i++)
		note(o->results[i]);
}

static void report(u64 number, u32 i)
{
	if (reports++ < MAX_REPORTS)
		fail("%lu.%u is not what the rules say", number, i);
}

static bool run_step(u64 number, u32 i, struct vm *vm)
{
	struct step s = { .vm = vm };
	struct outcome should, is;

	if (!mutate(vm))
		report(number, i);
	set_vpid_right(vm);
	choose_step(&s, i);
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
		say("#  ");
		show_variation(&s);
		say("\n");
		show("should", &should);
		show("is", &is);
	}
	return false;
}

/* The state that each sequence starts from. After a difference nothing is sure. */
static void start_sequence(bool sure)
{
	struct l1 first = { good_value(), true, 1, { 3, 3 }, false };

	if (!sure || !l1.pks)
		set_l1_cr4(true);
	if (!sure || l1.key != first.key)
		set_key(first.key);
	if (l1.stale)
		vault_forget(2);
	for (u32 i = 0; i < ROOTS; i++)
		if (!sure || l1.rights[i] != first.rights[i])
			vault_rights(i, first.rights[i], 2);
	l1 = first;
	write_pkrs(l1.pkrs);
	vms[0].used = vms[1].used = false;
}

static void use(struct vm *vm)
{
	if (vm->used)
		return l2_current(&vm->l2);
	vm_use(vm);
	vm->used = vm->guest_pks = vm->host_pks = true;
	vm->v = (struct pkrs_vmcs){ 0 };
	vm->read_exits = vm->write_exits = vm->pf_exits = vm->timer = vm->clean = false;
	vm->n_in = vm->n_out = vm->n_store = 0;
	set_paging(vm);
}

/* Whether all was as it should be. */
static bool run_sequence(u64 seed, u64 number, bool sure)
{
	random_state = random_start(seed, number);
	rnd(2);
	start_sequence(sure);
	use(&vms[0]);
	for (u32 i = 0, n = 0; i < STEPS; i++) {
		if (!rnd(4)) {
			n = !n;
			use(&vms[n]);
		}
		if (!run_step(number, i, &vms[n]))
			return false;
	}
	return true;
}

static void random_sequences(void)
{
	u64 seed = arg_number("seed", 1), count = arg_number("count", 1000);
	u64 from = arg_number("from", 0), to = arg_number("to", from + count);
	bool sure = false;

	trace = arg_number("trace", 0);
	machine_init();
	for (u64 n = from; n < to; n++) {
		sure = run_sequence(seed, n, sure);
		if ((n + 1) % HASH_EVERY == 0 || n + 1 == to)
			say("# seed %lu, sequences %lu to %lu: %08x\n", seed, from, n, hash);
	}
	if (reports)
		fail("%u differences", reports);
}

static const struct test tests[] = {
	{ "fuzz.nested.random_sequences", random_sequences, 0 },
};

static const char *missing(void)
{
	const char *lack = cpu_has_pks() ? vmx_missing() : "a processor with PKS";

	if (lack || vmx_allows(MSR_VMX_PROC2_CTLS, PROC2_EPT | PROC2_VPID))
		return lack;
	return "VMX with VPID and EPT";
}

void guest_main(void)
{
	static const char *const numbers[] = { "seed", "count", "from", "to", "trace" };

	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++)
		arg_number(numbers[i], 0);
	args_done("la57, seed=, count=, from=, to=, trace= and machine=bare|kvm");
	cpu_baseline();
	ktap_plan(1);
	ktap_run(tests, 1, missing());
	ktap_exit();
}
