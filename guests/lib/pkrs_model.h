/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What becomes of PKRS at VM entries and exits, by PKS-13 to PKS-16 and KVM-17
 * to KVM-19: the processor's register, and what a VMCS holds of it.
 */
#ifndef GUESTS_LIB_PKRS_MODEL_H
#define GUESTS_LIB_PKRS_MODEL_H

#include "x86.h"

struct pkrs_vmcs {
	bool entry, exit;	/* the two "load PKRS" controls */
	u64 guest, host;	/* the fields */
};

static inline bool pkrs_bad_host(const struct pkrs_vmcs *v)
{
	return v->exit && v->host >> 32;
}

static inline bool pkrs_bad_guest(const struct pkrs_vmcs *v)
{
	return v->entry && v->guest >> 32;
}

static inline void pkrs_entry(u32 *pkrs, const struct pkrs_vmcs *v)
{
	if (v->entry)
		*pkrs = v->guest;
}

static inline void pkrs_exit(u32 *pkrs, struct pkrs_vmcs *v)
{
	v->guest = *pkrs;
	if (v->exit)
		*pkrs = v->host;
}

/* An entry that failed in its guest state: no state is saved. */
static inline void pkrs_failed_entry(u32 *pkrs, const struct pkrs_vmcs *v)
{
	if (v->exit)
		*pkrs = v->host;
}

#endif
