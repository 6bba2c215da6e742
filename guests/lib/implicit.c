// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implicit supervisor accesses (PKS-6): arrange that one instruction makes the
 * processor itself touch the page at VA. A table under test lies across the
 * page's start: what exceptions need is in the page before it, and only the
 * entry that the instruction uses is in the page under test.
 */
#include "guest.h"

#define IST_UNDER_TEST 7
#define IST_OFFSET __builtin_offsetof(struct tss, ist[IST_UNDER_TEST - 1])
#define VEC_UNDER_TEST 0x31	/* acc_int31() */
#define USER_DATA_DESCRIPTOR 0x00cff3000000ffff

static u8 spare_stack[1024];

void *implicit_neighbour(void)
{
	static u8 page[PAGE_SIZE] __attribute__((aligned(4096)));

	return page;
}

static void arm_ldt(struct implicit *i, u64 *page)
{
	*page = USER_DATA_DESCRIPTOR;
	load_ldt(i->va, 7);
	i->arg = 4 | 3;
	i->size = 8;
}

static void arm_gdt(struct implicit *i, u64 *page)
{
	*page = USER_DATA_DESCRIPTOR;
	memcpy((u8 *)implicit_neighbour() + PAGE_SIZE - sizeof(gdt), gdt, sizeof(gdt));
	load_gdt(i->va - sizeof(gdt), sizeof(gdt) + 7);
	i->arg = sizeof(gdt) | 3;
	i->size = 8;
}

static void arm_idt(struct implicit *i, u64 *page)
{
	const unsigned long below = VEC_UNDER_TEST * sizeof(struct gate);

	set_gate((struct gate *)page, landing, 0, 3);
	memcpy((u8 *)implicit_neighbour() + PAGE_SIZE - below, idt, below);
	load_idt(i->va - below, below + sizeof(struct gate) - 1);
	i->size = sizeof(struct gate);
}

static void arm_tss(struct implicit *i, u64 *page)
{
	*page = (u64)(spare_stack + sizeof(spare_stack));
	memcpy((u8 *)implicit_neighbour() + PAGE_SIZE - IST_OFFSET, &tss, IST_OFFSET);
	load_tss(i->va - IST_OFFSET);
	i->size = 8;
}

/* The frame's first push is at its highest address. */
static void arm_push(struct implicit *i, u64 *page)
{
	(void)page;
	tss.ist[IST_UNDER_TEST - 1] = i->va + PUSH_FRAME_END;
	i->first = PUSH_FRAME_END - 40;
	i->size = 40;
}

struct implicit implicit_arm(enum implicit_kind kind, u64 va, void *page)
{
	static void (*const arm[])(struct implicit *, u64 *) = {
		[IMPLICIT_LDT] = arm_ldt,
		[IMPLICIT_GDT] = arm_gdt,
		[IMPLICIT_IDT] = arm_idt,
		[IMPLICIT_TSS] = arm_tss,
		[IMPLICIT_PUSH] = arm_push,
	};
	struct implicit i = { .va = va };
	bool by_selector = kind <= IMPLICIT_GDT;

	load_own_tables();
	map(va - PAGE_SIZE, (u64)implicit_neighbour() | PTE_P | PTE_W | PTE_A |
	    PTE_D | PTE_KEY(OWN_KEY), 1);
	set_gate(&idt[VEC_UNDER_TEST], landing,
		 kind >= IMPLICIT_TSS ? IST_UNDER_TEST : 0, 3);
	i.fn = by_selector ? (const void *)acc_load_fs : acc_int31;
	arm[kind](&i, page);
	return i;
}
