// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm/pks.h, the lines that the kernel compiles, against guests/lib/oracle.h,
 * which is written from the spec. Every input is tried; KTAP on stdout.
 */
#include <stdio.h>

#include "../../guests/lib/oracle.h"
#include "../../kvm/pks.h"

static int number, failures;
static unsigned long cases;
static bool good;

static void begin(void)
{
	cases = 0;
	good = true;
}

static void check(bool ok, const char *what, u64 a, u64 b)
{
	cases++;
	if (!ok && good) {
		printf("# %s: input %#llx, %#llx\n", what,
		       (unsigned long long)a, (unsigned long long)b);
		good = false;
	}
}

static void end(const char *id)
{
	printf("# %lu cases\n", cases);
	printf("%sok %d %s\n", good ? "" : "not ", ++number, id);
	failures += !good;
}

/* PKS-10, PKS-15: bits 63:32 are reserved, no other. */
static void test_valid(void)
{
	begin();
	for (int bit = 0; bit < 64; bit++) {
		check(pks_valid(1ull << bit) == (bit < 32), "one bit", bit, 0);
		check(pks_valid(~0ull << bit) == false, "a bit and all above", bit, 0);
		check(pks_valid(~0ull >> bit) == (bit >= 32), "low bits", bit, 0);
	}
	check(pks_valid(0), "none", 0, 0);
	end("unit.pks.valid");
}

static const struct {
	enum oracle_access access;
	int cpl;
	u32 pfec;
} accesses[] = {
	{ ORACLE_READ, 0, 0 },
	{ ORACLE_READ, 3, PKS_PFEC_USER },
	{ ORACLE_WRITE, 0, PKS_PFEC_WRITE },
	{ ORACLE_WRITE, 3, PKS_PFEC_WRITE | PKS_PFEC_USER },
	{ ORACLE_RMW, 0, PKS_PFEC_WRITE },
	{ ORACLE_RMW, 3, PKS_PFEC_WRITE | PKS_PFEC_USER },
	{ ORACLE_FETCH, 0, PKS_PFEC_FETCH },
	{ ORACLE_FETCH, 3, PKS_PFEC_FETCH | PKS_PFEC_USER },
	{ ORACLE_IMPLICIT_READ, 0, 0 },
	{ ORACLE_IMPLICIT_READ, 3, 0 },
	{ ORACLE_IMPLICIT_WRITE, 0, PKS_PFEC_WRITE },
	{ ORACLE_IMPLICIT_WRITE, 3, PKS_PFEC_WRITE },
};

/*
 * As permission_fault() of the kernel uses the mask: the access and the kind of
 * address choose two of its bits, the key two of the register's.
 */
static bool kvm_key_forbids(u32 mask, u32 rights, unsigned int key, u32 pfec,
			    bool user_address)
{
	u32 offset = (pfec & ~1u) | (user_address ? 1u << 3 : 0);

	return (rights >> (key * 2)) & 3 & (mask >> offset);
}

/*
 * PKS-2 to PKS-5, PKS-7, PKS-8: every access, key and value of the key's two
 * bits, with the other keys' bits all clear and all set, for each way in which
 * an address is a supervisor-mode one.
 */
static void test_mask(void)
{
	begin();
	for (int wp = 0; wp < 2; wp++)
	for (size_t i = 0; i < sizeof(accesses) / sizeof(*accesses); i++)
	for (unsigned int key = 0; key < 16; key++)
	for (u32 rights = 0; rights < 8; rights++)
	for (int us = 0; us < 3; us++) {
		u32 others = rights & 4 ? ~(3u << (2 * key)) : 0;
		struct oracle_cpu cpu = {
			.wp = wp, .lma = true, .pks = true, .pke = true,
			.nxe = true, .pkru = ~0u,
			.pkrs = others | (rights & 3) << (2 * key),
		};
		struct oracle_page page = {
			.present = true, .writable = true, .upper_writable = true,
			.user = us & 1, .upper_user = us & 2, .key = key,
		};
		bool want = oracle_key_forbids(&cpu, &page, accesses[i].access,
					       accesses[i].cpl);

		check(kvm_key_forbids(pks_mask(wp), cpu.pkrs, key,
				      accesses[i].pfec, false) == want,
		      "access, key", i, key);
	}
	end("unit.pks.mask");
}

/* PKS-2: a user-mode address is PKRU's, PKRS never has a say in it. */
static void test_user_address(void)
{
	begin();
	for (int wp = 0; wp < 2; wp++)
	for (size_t i = 0; i < sizeof(accesses) / sizeof(*accesses); i++)
		check(!kvm_key_forbids(pks_mask(wp), ~0u, 0, accesses[i].pfec, true),
		      "access, wp", i, wp);
	end("unit.pks.user_address");
}

/* The mask is the table of pks_forbidding_bits(): nothing else is in it. */
static void test_table(void)
{
	begin();
	for (int wp = 0; wp < 2; wp++)
	for (u32 bit = 0; bit < 32; bit += 2) {
		u32 want = bit & 8 ? 0 : pks_forbidding_bits(bit, wp);

		check((pks_mask(wp) >> bit & 3) == want, "index, wp", bit, wp);
	}
	end("unit.pks.table");
}

int main(void)
{
	puts("KTAP version 1\n1..4");
	test_valid();
	test_mask();
	test_user_address();
	test_table();
	return failures != 0;
}
