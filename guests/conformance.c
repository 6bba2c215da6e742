// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every combination of the registers, the page's flags, the leaf's size and
 * the kind of access, compared with the oracle: fault or none, error code,
 * CR2, the value, the dirty bit.
 *
 * Arguments:
 *   fep		by KVM's emulator (needs kvm.force_emulation_prefix=1)
 *   reserved	also pages whose address has the bit above the processor's
 *			MAXPHYADDR set: for a guest with fewer bits than its
 *			processor (kvm_intel.allow_smaller_maxphyaddr=1)
 *   limit=N		at most N cases: every s-th one, s the smallest number
 *			that keeps to N and has no factor 2 or 3, so that the
 *			sample goes through all values of every dimension
 *   shard=I/N		the I-th of N parts; the parts' totals add up to the whole
 *   machine=NAME	expect the known deviations of tcg, of the emulated CPU
 *			(bare), or of KVM on the emulated CPU (kvm)
 */
#include "conformance/conformance.h"

#define SHOWN 10	/* mismatches described */
#define CHUNK 64	/* consecutive samples that stay in one shard */

u32 fep_read(u32 *p);
void fep_write(u32 *p, u32 v);
void fep_rmw(u32 *p, u32 v);
u32 fep_load_fs(u32 selector);
void fep_nop(void);

#define BOTH_CPL(id, ...) \
	{ "conformance." id "~cpl0", __VA_ARGS__, .cpl = 0 }, \
	{ "conformance." id "~cpl3", __VA_ARGS__, .cpl = 3 }
#define DATA_KIND(id, f, a) \
	BOTH_CPL(id, .fn = f, .access = a, .implicit = EXPLICIT)
#define IMPLICIT_READ(id, f, i) \
	BOTH_CPL(id, .fn = f, .access = ORACLE_IMPLICIT_READ, .implicit = i)

static const struct kind native_kinds[] = {
	DATA_KIND("native.read", acc_read, ORACLE_READ),
	DATA_KIND("native.write", acc_write, ORACLE_WRITE),
	DATA_KIND("native.rmw", acc_rmw, ORACLE_RMW),
	DATA_KIND("native.fetch", acc_jump, ORACLE_FETCH),
	IMPLICIT_READ("native.ldt", acc_load_fs, IMPLICIT_LDT),
	IMPLICIT_READ("native.gdt", acc_load_fs, IMPLICIT_GDT),
	IMPLICIT_READ("native.idt", acc_int31, IMPLICIT_IDT),
	IMPLICIT_READ("native.tss", acc_int31, IMPLICIT_TSS),
	BOTH_CPL("native.push", .fn = acc_int31, .access = ORACLE_IMPLICIT_WRITE,
		 .implicit = IMPLICIT_PUSH),
};

/* KVM emulates no event delivery in long mode: no IDT, TSS and push. */
#define FEP .fep = true
static const struct kind fep_kinds[] = {
	BOTH_CPL("fep.read", .fn = fep_read, .access = ORACLE_READ, .implicit = EXPLICIT, FEP),
	BOTH_CPL("fep.write", .fn = fep_write, .access = ORACLE_WRITE, .implicit = EXPLICIT, FEP),
	BOTH_CPL("fep.rmw", .fn = fep_rmw, .access = ORACLE_RMW, .implicit = EXPLICIT, FEP),
	BOTH_CPL("fep.fetch", .fn = acc_jump, .access = ORACLE_FETCH, .implicit = EXPLICIT, FEP),
	BOTH_CPL("fep.ldt", .fn = fep_load_fs, .access = ORACLE_IMPLICIT_READ,
		 .implicit = IMPLICIT_LDT, FEP),
	BOTH_CPL("fep.gdt", .fn = fep_load_fs, .access = ORACLE_IMPLICIT_READ,
		 .implicit = IMPLICIT_GDT, FEP),
};

static enum machine machine;
bool reserved_pages;
static u64 mismatches, compared;

static struct oracle_cpu oracle_cpu(u32 r)
{
	return (struct oracle_cpu) {
		.wp = r & REG_WP, .ac = r & REG_AC, .nxe = r & REG_NXE,
		.smep = r & REG_SMEP, .smap = r & REG_SMAP,
		.pke = r & REG_PKE, .pks = r & REG_PKS, .lma = true,
		.pkru = (r & REG_PKRU_AD ? KEY_AD(KEY) : 0) |
			(r & REG_PKRU_WD ? KEY_WD(KEY) : 0),
		.pkrs = (r & REG_PKRS_AD ? KEY_AD(KEY) : 0) |
			(r & REG_PKRS_WD ? KEY_WD(KEY) : 0),
	};
}

static struct oracle_page oracle_page(u32 p)
{
	return (struct oracle_page) {
		.present = p & PAGE_P, .reserved = p & PAGE_RESERVED,
		.writable = p & PAGE_W,
		.upper_writable = true, .user = p & PAGE_U,
		.upper_user = p & PAGE_UPPER_U, .nx = p & PAGE_NX,
		.key = p & PAGE_KEY ? KEY : OTHER_KEY,
	};
}

static bool agrees(const struct outcome *o, const struct oracle_verdict *v)
{
	return o->fault == v->fault && o->dirty == v->dirty && o->value_ok &&
	       o->address_ok &&
	       (!o->fault || (o->vector == VEC_PF &&
			      (o->error_hidden || o->error == v->error)));
}

static void describe(const struct kind *k, int level, u32 r, u32 p,
		     const struct outcome *o, const struct oracle_verdict *v)
{
	static const char *const sizes[] = { "4K", "2M", "1G" };

	say("# mismatch in %s, %s leaf P=%u W=%u U=%u NX=%u key=%s upper U=%u%s,\n",
	    k->id, sizes[level - 1], !!(p & PAGE_P), !!(p & PAGE_W),
	    !!(p & PAGE_U), !!(p & PAGE_NX), p & PAGE_KEY ? "tested" : "other",
	    !!(p & PAGE_UPPER_U), p & PAGE_RESERVED ? " reserved" : "");
	say("#   WP=%u AC=%u NXE=%u SMEP=%u SMAP=%u PKE=%u PKS=%u",
	    !!(r & REG_WP), !!(r & REG_AC), !!(r & REG_NXE), !!(r & REG_SMEP),
	    !!(r & REG_SMAP), !!(r & REG_PKE), !!(r & REG_PKS));
	say(" PKRU AD=%u WD=%u PKRS AD=%u WD=%u:\n",
	    !!(r & REG_PKRU_AD), !!(r & REG_PKRU_WD),
	    !!(r & REG_PKRS_AD), !!(r & REG_PKRS_WD));
	say("#   expected %s 0x%x dirty=%u; got %s %u 0x%x dirty=%u%s%s\n",
	    v->fault ? "#PF" : "no fault", v->error, v->dirty,
	    o->fault ? "vector" : "no fault", o->vector, o->error, o->dirty,
	    o->value_ok ? "" : ", wrong value", o->address_ok ? "" : ", wrong CR2");
}

/*
 * Whether the stack pushes of an event delivery are implicit accesses for
 * SMAP is not in the rules: they may be like one, or like the CPL 0 code's.
 */
static bool push_agrees(const struct outcome *o, const struct oracle_cpu *c,
			const struct oracle_page *p)
{
	struct oracle_verdict v = oracle(c, p, ORACLE_WRITE, 0);

	return agrees(o, &v);
}

/* Why the case is known to deviate, or NULL. */
static const char *compare(const struct kind *k, int level, u32 regs, u32 page)
{
	struct oracle_cpu c = oracle_cpu(regs);
	struct oracle_page p = oracle_page(page);
	struct oracle_verdict v = oracle(&c, &p, k->access, k->cpl);
	const char *deviation = deviate(machine, &c, &p, k, &v);
	struct outcome o = run_case(k, page);

	compared++;
	if (agrees(&o, &v))
		return deviation;
	if (k->implicit == IMPLICIT_PUSH && push_agrees(&o, &c, &p))
		return 0;
	if (mismatches++ < SHOWN)
		describe(k, level, regs, page, &o, &v);
	return 0;
}

/* Which cases this run takes. */
struct sample {
	u64 stride, total;	/* of all shards */
	u64 shard, shards;
	u64 mine;
};

static u64 min(u64 a, u64 b)
{
	return a < b ? a : b;
}

static void parse_shard(const char *s, struct sample *m)
{
	const char *end = parse_number(s, &m->shard);

	end = end && *end == '/' ? parse_number(end + 1, &m->shards) : 0;
	if (!end || *end || !m->shard || m->shard > m->shards)
		die("shard=%s is not I/N with I from 1 to N", s);
	m->shard--;
}

static struct sample parse_sample(u64 cases)
{
	u64 limit = arg_number("limit", cases);
	const char *s = arg_value("shard");
	struct sample m = { .stride = 1, .shard = 0, .shards = 1 };

	if (!limit)
		die("limit=0 leaves nothing to do: give a positive number");
	while (cases > limit * m.stride || (m.stride > 1 && !(m.stride % 2 && m.stride % 3)))
		m.stride++;
	m.total = (cases + m.stride - 1) / m.stride;
	if (s)
		parse_shard(s, &m);
	for (u64 i = m.shard * CHUNK; i < m.total; i += m.shards * CHUNK)
		m.mine += min(CHUNK, m.total - i);
	return m;
}

static void progress(u64 mine)
{
	static u64 next;

	if (compared < next)
		return;
	say("# %lu/%lu cases\n", compared, mine);
	next = compared + mine / 20 + 1;
}

/* An event's delivery takes KVM's emulator for such a page, which has none. */
static bool left_out(const struct kind *k, u32 page)
{
	return page & PAGE_RESERVED && machine == MACHINE_KVM && k->implicit >= IMPLICIT_IDT;
}

/* The kind's part of the sample, as one KTAP result. */
static void run_kind(const struct kind *kinds, unsigned int index, const struct sample *m)
{
	const struct kind *k = &kinds[index];
	u32 pages = PAGES << reserved_pages;
	u64 all = (u64)LEVELS * REGS * pages, first = index * all, end = first + all;
	u64 i = (first + m->stride - 1) / m->stride;
	u64 before = mismatches, ran = compared, known = 0;
	const char *why = 0;
	u32 armed = 0;

	for (; i * m->stride < end; i++) {
		u64 n = i * m->stride - first;
		u32 page = n % pages, regs = n / pages % REGS;
		u32 level = n / pages / REGS + 1;
		const char *deviation;

		if ((m->shards > 1 && i / CHUNK % m->shards != m->shard) || left_out(k, page))
			continue;
		if (level != armed)
			arm(k, armed = level);
		set_regs(regs);
		deviation = compare(k, level, regs, page);
		if (deviation) {
			known++;
			why = deviation;
		}
		if (!(compared % 4096))
			progress(m->mine);
	}
	cpu_baseline();
	load_own_tables();
	before = mismatches - before;
	ran = compared - ran;
	say("# %s: %lu cases, %lu mismatches, %lu known deviations\n",
	    k->id, ran, before, known);
	if (!ran)
		ktap_skip(k->id, "a case of it in this sample");
	else if (before || !why)
		ktap_result(k->id, !before, 0);
	else
		ktap_result(k->id, false, why);
}

static const char *missing(bool fep)
{
	if (!cpu_has_pks() || !cpu_has_pku() || !cpu_has_smep() || !cpu_has_smap() ||
	    !cpu_has_1g())
		return "a processor with PKS, PKU, SMEP, SMAP and 1 GiB pages";
	if (fep && !call_at(0, fep_nop, 0, 0))
		return "KVM's forced emulation prefix (kvm.force_emulation_prefix=1)";
	return 0;
}

void guest_main(void)
{
	bool fep = arg_flag("fep");
	const struct kind *kinds = fep ? fep_kinds : native_kinds;
	unsigned int n = fep ? ARRAY_SIZE(fep_kinds) : ARRAY_SIZE(native_kinds);
	struct sample m;
	const char *lacks;
	u64 start;

	reserved_pages = arg_flag("reserved");
	m = parse_sample((u64)n * LEVELS * REGS * PAGES << reserved_pages);
	machine = arg_machine();
	args_done("la57, fep, reserved, limit=N, shard=I/N and machine=tcg|bare|kvm");
	lacks = missing(fep);
	ktap_plan(n);
	start = rdtsc();
	for (unsigned int i = 0; i < n; i++) {
		if (lacks)
			ktap_skip(kinds[i].id, lacks);
		else
			run_kind(kinds, i, &m);
	}
	if (!lacks)
		say("# %lu of %lu cases, every %lu, %lu mismatches, tsc per case %lu\n",
		    compared, m.total, m.stride, mismatches,
		    (rdtsc() - start) / (compared ? compared : 1));
	ktap_exit();
}
