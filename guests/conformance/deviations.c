// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the machines are known to do instead of the rules. A deviation changes
 * the expectation exactly: the rule's own answer, should the machine ever give
 * it, is then a mismatch, and the entry has to go.
 */
#include "conformance.h"

static bool on_tcg(enum machine m, const struct kind *k)
{
	(void)k;
	return m == MACHINE_TCG;
}

/* KVM with fewer physical bits for the guest than the processor has. */
static bool on_narrow_kvm(enum machine m, const struct kind *k)
{
	return m == MACHINE_KVM && !k->fep && reserved_pages;
}

/* On every machine. It does not share what the processor under it does wrong. */
static bool on_kvm_emulator(enum machine m, const struct kind *k)
{
	(void)m;
	return k->fep;
}

/* The load of a read-modify-write is checked first, and as a read. */
static void rmw_reads_first(const struct oracle_cpu *c, const struct oracle_page *p,
			    const struct kind *k, struct oracle_verdict *v)
{
	struct oracle_verdict read = oracle(c, p, ORACLE_READ, k->cpl);

	if (k->access == ORACLE_RMW && read.fault)
		*v = read;
}

/* The same, with W set afterwards: PK is the read's. */
static void rmw_reads_key_first(const struct oracle_cpu *c, const struct oracle_page *p,
				const struct kind *k, struct oracle_verdict *v)
{
	rmw_reads_first(c, p, k, v);
	if (k->access == ORACLE_RMW && v->fault)
		v->error |= ORACLE_W;
}

/* The U/S check comes first and ends the walk. */
static void no_pk_with_us(const struct oracle_cpu *c, const struct oracle_page *p,
			  const struct kind *k, struct oracle_verdict *v)
{
	(void)c;
	if (oracle_is_user_access(k->access, k->cpl) && !oracle_is_user_address(p))
		v->error &= ~ORACLE_PK;
}

static void reserved_without_p(const struct oracle_cpu *c, const struct oracle_page *p,
			       const struct kind *k, struct oracle_verdict *v)
{
	(void)c, (void)p, (void)k;
	if (v->error & ORACLE_RSVD)
		v->error &= ~ORACLE_P;
}

/* EFLAGS.AC lifts SMAP from implicit accesses too, if they come from CPL 0. */
static void ac_lifts_implicit(const struct oracle_cpu *c, const struct oracle_page *p,
			      const struct kind *k, struct oracle_verdict *v)
{
	if (k->access == ORACLE_IMPLICIT_READ && k->cpl == 0)
		*v = oracle(c, p, ORACLE_READ, 0);
}

/* The processor finds nothing reserved, and writes; EPT stops it afterwards. */
static void reserved_is_dirty(const struct oracle_cpu *c, const struct oracle_page *p,
			      const struct kind *k, struct oracle_verdict *v)
{
	struct oracle_page seen = *p;

	seen.reserved = false;
	if (p->reserved)
		v->dirty = oracle(c, &seen, k->access, k->cpl).dirty;
}

/* KVM looks again who is at fault, and takes the push for an explicit write. */
static void push_looks_explicit(const struct oracle_cpu *c, const struct oracle_page *p,
				const struct kind *k, struct oracle_verdict *v)
{
	if (k->implicit == IMPLICIT_PUSH && v->fault)
		v->dirty = oracle(c, p, ORACLE_WRITE, 0).dirty;
}

/* In the order in which they apply: the first two ask the oracle anew. */
static const struct deviation deviations[] = {
	{ on_tcg, "EFLAGS.AC lifts SMAP from implicit accesses at CPL 0", ac_lifts_implicit },
	{ on_tcg, "the read of a read-modify-write faults as a read", rmw_reads_first },
	{ on_tcg, "no PK on a user access to a supervisor address", no_pk_with_us },
	{ on_tcg, "a reserved bit is reported without P", reserved_without_p },
	{ on_kvm_emulator, "the key is asked for the read of a read-modify-write only",
	  rmw_reads_key_first },
	{ on_narrow_kvm, "a page beyond the guest's physical bits is dirty", reserved_is_dirty },
	{ on_narrow_kvm, "KVM's own walk lets EFLAGS.AC lift SMAP from a push, and sets D",
	  push_looks_explicit },
};

/* The last reason why V is not what the rules say, or NULL. */
const char *deviate(enum machine m, const struct oracle_cpu *c,
		    const struct oracle_page *p, const struct kind *k,
		    struct oracle_verdict *v)
{
	const char *reason = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(deviations); i++) {
		struct oracle_verdict before = *v;

		if (!deviations[i].on(m, k))
			continue;
		deviations[i].apply(c, p, k, v);
		if (v->fault != before.fault || v->error != before.error ||
		    v->dirty != before.dirty)
			reason = deviations[i].reason;
	}
	return reason;
}
