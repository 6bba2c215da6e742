// SPDX-License-Identifier: GPL-2.0-only
/*
 * For CBMC: kvm/pks.h, as it is in a kernel's tree, forbids what the oracle does,
 * for every access, every PKRS and every key.
 */
#include "oracle.h"
#include "pks.h"

enum oracle_access nondet_access(void);
uint64_t nondet_u64(void);
uint32_t nondet_u32(void);
bool nondet_bool(void);

int main(void)
{
	enum oracle_access access = nondet_access();
	int cpl = nondet_bool() ? 3 : 0;
	struct oracle_cpu cpu = {
		.lma = true, .pks = true, .pke = nondet_bool(), .wp = nondet_bool(),
		.pkru = nondet_u32(), .pkrs = nondet_u32(),
	};
	struct oracle_page page = {
		.present = true, .user = nondet_bool(), .upper_user = nondet_bool(),
		.key = nondet_u32() & 15,
	};
	uint32_t pfec = (oracle_is_write(access) ? ORACLE_W : 0) |
		(oracle_is_user_access(access, cpl) ? ORACLE_U : 0) |
		(access == ORACLE_FETCH ? ORACLE_I : 0);
	uint32_t rights = cpu.pkrs >> (2 * page.key) & 3;
	uint64_t value = nondet_u64();

	__CPROVER_assume(access <= ORACLE_IMPLICIT_WRITE);
	__CPROVER_assert(pks_valid(value) == (value <= UINT32_MAX), "PKS-10: the valid values");
	if (oracle_is_user_address(&page))
		__CPROVER_assert(!(pks_mask(cpu.wp) >> (pfec | 8) & 3),
				 "PKS-2: PKRS has no say in a user-mode address");
	else
		__CPROVER_assert(oracle_key_forbids(&cpu, &page, access, cpl) ==
				 ((pks_mask(cpu.wp) >> pfec & rights) != 0),
				 "PKS-3 to PKS-5, PKS-8: what a key forbids");
}
