// SPDX-License-Identifier: GPL-2.0-only
/* Page tables, of four levels or five. */
#include "guest.h"

#define POOL_PAGES 128
#define USER_VA 0x400000000000ull
#define SHIFT(level) (12 + 9 * ((level) - 1))

static u8 pool[POOL_PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned int pool_used;
static u64 *user_leafs[3];
extern u64 boot_pd[512], user_code, user_stack;
extern u8 user_start[], user_end[], user_exit[];
int root_level = 4;

void *page_alloc(void)
{
	if (pool_used == POOL_PAGES)
		die("no page left: raise POOL_PAGES");
	return pool[pool_used++];
}

static u64 *slot(u64 *table, u64 va, int level)
{
	return &table[va >> SHIFT(level) & 511];
}

u64 *map(u64 va, u64 leaf, int level)
{
	u64 *table = root_level == 5 ? boot_pml5 : boot_pml4;

	for (int l = root_level; l > level; l--) {
		u64 *e = slot(table, va, l);

		if (!*e)
			*e = (u64)page_alloc() | PTE_P | PTE_W | PTE_U | PTE_A;
		table = phys(*e & PTE_ADDR);
	}
	*slot(table, va, level) = leaf | (level > 1 ? PTE_PS : 0);
	invlpg(va);
	return slot(table, va, level);
}

u64 *entry(u64 va, int level)
{
	u64 *table = root_level == 5 ? boot_pml5 : boot_pml4;

	for (int l = root_level; l > level; l--)
		table = phys(*slot(table, va, l) & PTE_ADDR);
	return slot(table, va, level);
}

void own_key(int key)
{
	for (int i = 0; i < 512; i++)
		boot_pd[i] = (boot_pd[i] & ~PTE_KEY(15)) | PTE_KEY(key);
	for (unsigned int i = 0; i < ARRAY_SIZE(user_leafs); i++)
		*user_leafs[i] = (*user_leafs[i] & ~PTE_KEY(15)) | PTE_KEY(key);
	flush_all();
}

/* The user-mode aliases: USER_CODE, then a stack that ends in user_exit. */
void mmu_init(void)
{
	u64 flags = PTE_P | PTE_U | PTE_A | PTE_D | PTE_KEY(OWN_KEY);
	u64 code = (u64)user_start, size = user_end - user_start;
	u8 *stack = page_alloc();

	if (size > 2 * PAGE_SIZE)
		die("USER_CODE takes more than two pages: raise user_leafs");
	user_leafs[0] = map(USER_VA, code | flags, 1);
	user_leafs[1] = map(USER_VA + PAGE_SIZE, (code + PAGE_SIZE) | flags, 1);
	user_leafs[2] = map(USER_VA + 3 * PAGE_SIZE, (u64)stack | flags | PTE_W, 1);
	user_code = USER_VA;
	user_stack = USER_VA + 4 * PAGE_SIZE - 8;
	*(u64 *)(stack + PAGE_SIZE - 8) = USER_VA + (user_exit - user_start);
}

void mmu_five_levels(void)
{
	if (!cpu_has_la57())
		die("la57: this processor has no 5-level paging: leave the argument out, or --cpu -la57");
	root_level = 5;
	use_root(boot_pml5, cr4_base());
}
