/* SPDX-License-Identifier: GPL-2.0-only */
/* What spec/pks.md says an access does, branch by branch. */
#ifndef TESTS_KVM_ORACLE_H
#define TESTS_KVM_ORACLE_H

#include <stdbool.h>

#include "guest.h"

struct access {
	/* The walk: 4 KiB, 2 MiB or 1 GiB leaf; U/S of the entry above it and its own */
	int level, key;
	bool upper_user, leaf_user, leaf_write;
	/* The processor */
	bool wp, pks, pke;
	unsigned int pkrs, pkru;	/* the key's two bits */
	/* The access */
	bool write, cpl3;
};

/* NO_FAULT or the error code of the #PF, for a present entry and a data access. */
static inline int oracle(const struct access *a)
{
	bool user_address = a->upper_user && a->leaf_user;	/* PKS-2 */
	bool key_forbids = false, paging_forbids = false;
	bool checked = user_address ? a->pke : a->pks;
	unsigned int bits = user_address ? a->pkru : a->pkrs;

	if (checked) {
		if (bits & KEY_AD)				/* PKS-4 */
			key_forbids = true;
		if (bits & KEY_WD && a->write && (a->wp || a->cpl3))	/* PKS-5 */
			key_forbids = true;
	}
	if (a->cpl3 && !user_address)
		paging_forbids = true;
	if (a->write && !a->leaf_write && (a->wp || a->cpl3))
		paging_forbids = true;

	if (!key_forbids && !paging_forbids)
		return NO_FAULT;
	/* PKS-7: PK whatever else forbids it. */
	return PF_P | (a->write ? PF_W : 0) | (a->cpl3 ? PF_U : 0) | (key_forbids ? PF_PK : 0);
}

#endif
