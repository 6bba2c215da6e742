/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the guest "conformance" share. */
#ifndef GUESTS_CONFORMANCE_H
#define GUESTS_CONFORMANCE_H

#include "guest.h"
#include "oracle.h"

#define KEY 5		/* the tested key, which the registers vary */
#define OTHER_KEY 6	/* always open; all keys but OWN_KEY are always closed */

/* A way to access the page under test. */
struct kind {
	const char *id;
	const void *fn;
	enum oracle_access access;
	int cpl;
	int implicit;		/* enum implicit_kind, or EXPLICIT */
	bool fep;		/* emulated by KVM */
};
#define EXPLICIT (-1)

/* A case by its number: the page varies fastest, the kind slowest. */
enum {
	PAGE_P = 1, PAGE_W = 2, PAGE_U = 4, PAGE_NX = 8, PAGE_KEY = 16,
	PAGE_UPPER_U = 32,
	PAGES = 64,
	PAGE_RESERVED = 64,	/* if reserved_pages */
};

enum {
	REG_PKRS_AD = 1, REG_PKRS_WD = 2, REG_AC = 4, REG_WP = 8,
	REG_PKRU_AD = 16, REG_PKRU_WD = 32, REG_NXE = 64, REG_SMEP = 128,
	REG_SMAP = 256, REG_PKE = 512, REG_PKS = 1024,
	REGS = 2048,
};
#define LEVELS 3

extern bool reserved_pages;	/* the argument "reserved" */

struct outcome {
	bool fault;
	u32 vector, error;
	bool error_hidden;	/* it cannot be seen this way */
	bool dirty;
	bool address_ok;	/* CR2, on a fault */
	bool value_ok;		/* what was read, and what memory holds now */
};

/* access.c: put the processor and the page into a state, and do it. */
void arm(const struct kind *k, int level);
void set_regs(u32 regs);
struct outcome run_case(const struct kind *k, u32 page);

/* deviations.c: what a machine is known to do instead of the rule. */
struct deviation {
	bool (*on)(enum machine m, const struct kind *k);
	const char *reason;
	void (*apply)(const struct oracle_cpu *c, const struct oracle_page *p,
		      const struct kind *k, struct oracle_verdict *v);
};
const char *deviate(enum machine m, const struct oracle_cpu *c,
		    const struct oracle_page *p, const struct kind *k,
		    struct oracle_verdict *v);

#endif
