/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page-fault oracle: what an access through long-mode paging has to do,
 * written from spec/pks.md and the architecture, one branch a rule. Slow and
 * plain on purpose: the product's own code is a bit mask, and only two
 * different ways of writing the same rules can check each other.
 */
#ifndef GUESTS_LIB_ORACLE_H
#define GUESTS_LIB_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

enum oracle_access {
	ORACLE_READ,
	ORACLE_WRITE,
	ORACLE_RMW,		/* read-modify-write: one access, as a write */
	ORACLE_FETCH,
	ORACLE_IMPLICIT_READ,	/* descriptor tables, TSS: supervisor at any CPL */
	ORACLE_IMPLICIT_WRITE,
};

struct oracle_cpu {
	bool wp;			/* CR0 */
	bool smep, smap, pke, pks;	/* CR4 */
	bool nxe, lma;			/* EFER */
	bool ac;			/* EFLAGS */
	uint32_t pkru, pkrs;
};

struct oracle_page {
	bool present;			/* in every level */
	bool reserved;			/* a reserved bit set in some level */
	bool writable, upper_writable;	/* W: of the leaf; of all levels above */
	bool user, upper_user;		/* U/S: likewise */
	bool nx;			/* bit 63 in some level */
	unsigned int key;		/* of the leaf */
};

struct oracle_verdict {
	bool fault;
	uint32_t error;
	bool dirty;			/* the leaf's D is set, else it must not be */
};

/* Bits of the page-fault error code. */
#define ORACLE_P	0x01
#define ORACLE_W	0x02
#define ORACLE_U	0x04
#define ORACLE_RSVD	0x08
#define ORACLE_I	0x10
#define ORACLE_PK	0x20

static inline bool oracle_is_write(enum oracle_access a)
{
	return a == ORACLE_WRITE || a == ORACLE_RMW || a == ORACLE_IMPLICIT_WRITE;
}

static inline bool oracle_is_implicit(enum oracle_access a)
{
	return a == ORACLE_IMPLICIT_READ || a == ORACLE_IMPLICIT_WRITE;
}

/* Made by the program at CPL 3; what the processor does by itself is not. */
static inline bool oracle_is_user_access(enum oracle_access a, int cpl)
{
	return cpl == 3 && !oracle_is_implicit(a);
}

/* PKS-2: user-mode if U/S is 1 in every entry of the walk, the leaf included. */
static inline bool oracle_is_user_address(const struct oracle_page *p)
{
	return p->user && p->upper_user;
}

/* The key alone forbids the access, whatever else does (PKS-7). */
static inline bool oracle_key_forbids(const struct oracle_cpu *c,
				      const struct oracle_page *p,
				      enum oracle_access a, int cpl)
{
	uint32_t reg;
	bool ad, wd;

	if (!c->lma)			/* PKS-1: keys are of long mode */
		return false;
	if (a == ORACLE_FETCH)		/* PKS-3: data accesses only */
		return false;
	if (oracle_is_user_address(p)) {
		if (!c->pke)		/* PKS-2: PKRU, if CR4.PKE */
			return false;
		reg = c->pkru;
	} else {
		if (!c->pks)		/* PKS-1, PKS-2: PKRS, if CR4.PKS */
			return false;
		reg = c->pkrs;
	}
	ad = reg >> (2 * p->key) & 1;	/* PKS-8: key 0 like any other */
	wd = reg >> (2 * p->key + 1) & 1;

	if (ad)				/* PKS-4: whatever CR0.WP */
		return true;
	if (wd && oracle_is_write(a)) {
		if (c->wp)		/* PKS-5 */
			return true;
		if (oracle_is_user_access(a, cpl))	/* PKS-5 */
			return true;
	}
	return false;
}

/* What forbids the access to a present page, keys aside. */
static inline bool oracle_rights_forbid(const struct oracle_cpu *c,
					const struct oracle_page *p,
					enum oracle_access a, int cpl)
{
	bool writable = p->writable && p->upper_writable;

	if (a == ORACLE_FETCH && c->nxe && p->nx)
		return true;
	if (oracle_is_user_access(a, cpl)) {
		if (!oracle_is_user_address(p))
			return true;
		return oracle_is_write(a) && !writable;
	}
	if (oracle_is_user_address(p)) {
		if (a == ORACLE_FETCH && c->smep)
			return true;
		/* EFLAGS.AC lifts SMAP from explicit accesses only. */
		if (a != ORACLE_FETCH && c->smap && (!c->ac || oracle_is_implicit(a)))
			return true;
	}
	return oracle_is_write(a) && !writable && c->wp;
}

static inline struct oracle_verdict oracle(const struct oracle_cpu *c,
					   const struct oracle_page *p,
					   enum oracle_access a, int cpl)
{
	struct oracle_verdict v = { .fault = true };

	if (oracle_is_write(a))
		v.error |= ORACLE_W;
	if (oracle_is_user_access(a, cpl))	/* PKS-6: implicit is supervisor */
		v.error |= ORACLE_U;
	if (a == ORACLE_FETCH && (c->nxe || c->smep))
		v.error |= ORACLE_I;

	if (!p->present)			/* PKS-7: never PK */
		return v;
	v.error |= ORACLE_P;
	if (p->reserved || (p->nx && !c->nxe)) {
		v.error |= ORACLE_RSVD;		/* PKS-7: never PK */
		return v;
	}
	if (oracle_key_forbids(c, p, a, cpl)) {	/* PKS-7: beside other causes */
		v.error |= ORACLE_PK;
		return v;			/* PKS-9: not dirty */
	}
	if (oracle_rights_forbid(c, p, a, cpl))
		return v;

	v.fault = false;
	v.error = 0;
	v.dirty = oracle_is_write(a);
	return v;
}

#endif
