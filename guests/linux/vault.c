// SPDX-License-Identifier: GPL-2.0-only
/*
 * A demonstration of PKS in a stock Linux guest: a page of the kernel, the vault,
 * that is writable by its page-table entry and yet can only be written between two
 * writes of IA32_PKRS. Loading shows it in the kernel's log; the vault then stays
 * closed, on every CPU, until the module is removed. See guests/linux/README.md
 * for what a stock kernel lacks, and what that means here.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/irqflags.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/set_memory.h>
#include <linux/smp.h>
#include <linux/static_call.h>
#include <linux/timex.h>
#include <linux/vmalloc.h>
#include <asm/desc.h>
#include <asm/tlbflush.h>
#include <asm/trap_pf.h>
#include <asm/trapnr.h>

#define CPUID7_ECX_PKS	BIT(31)
#define CR4_PKS		BIT(24)
#define CR4_FRED	BIT_ULL(32)
#define MSR_PKRS	0x6e1

#define KEY	5
#define OPEN	0u
#define CLOSED	(2u << (2 * KEY))	/* WD: reads only */
#define SEALED	(3u << (2 * KEY))	/* AD and WD: nothing */

#define STRAY	0x666
#define ROUNDS	1000

u64 *vault;

/*
 * What a stock kernel exports to no module, or to KVM alone. Direct calls, for an
 * indirect one needs a landing pad (IBT), which such a function may have lost.
 */
DEFINE_STATIC_CALL_NULL(update_cr4, cr4_update_irqsoff);
DEFINE_STATIC_CALL_NULL(make_ro, set_memory_ro);
DEFINE_STATIC_CALL_NULL(make_rw, set_memory_rw);

/* The function of that name, where a kprobe would be put; NULL if there is none. */
static void *find(const char *name)
{
	struct kprobe probe = { .symbol_name = name };

	if (register_kprobe(&probe)) {
		pr_err("this kernel has no function %s that a kprobe finds\n", name);
		return NULL;
	}
	unregister_kprobe(&probe);
	return probe.addr;
}

static bool find_all(void)
{
	void *cr4 = find("cr4_update_irqsoff");
	void *ro = find("set_memory_ro");
	void *rw = find("set_memory_rw");

	if (!cr4 || !ro || !rw)
		return false;
	static_call_update(update_cr4, cr4);
	static_call_update(make_ro, ro);
	static_call_update(make_rw, rw);
	return true;
}

/* The kernel's own helpers have other names and places in other kernels. */
static bool has_pks(void)
{
	u32 a = 0, b, c, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	if (a < 7)
		return false;
	a = 7;
	c = 0;
	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return c & CPUID7_ECX_PKS;
}

static __always_inline void write_pkrs(u32 value)
{
	asm volatile("wrmsr" : : "c"(MSR_PKRS), "a"(value), "d"(0) : "memory");
}

/*
 * IA32_PKRS belongs to the CPU, and a stock kernel switches it neither between
 * tasks nor at interrupts: a window must not outlive either.
 */
static noinline void write_vault(u64 value)
{
	unsigned long flags;

	local_irq_save(flags);
	write_pkrs(OPEN);
	WRITE_ONCE(*vault, value);
	write_pkrs(CLOSED);
	local_irq_restore(flags);
}

/* fault.S: the last access that was stopped, and whose the other faults are. */
extern bool stray_write(u64 *to, u64 value);
extern bool stray_read(u64 *from);
extern const char vault_page_fault[];
unsigned long fault_ip, fault_code, fault_address, linux_page_fault;

/*
 * Whether an access is done that nobody opened a window for, with @pkrs in
 * IA32_PKRS. A stock kernel does not expect a fault by a key, it would warn and
 * oops: for this one access page faults come to us, on this CPU, with interrupts off.
 */
static bool access_vault(bool write, u32 pkrs)
{
	static gate_desc idt[IDT_ENTRIES] __aligned(PAGE_SIZE);
	const struct desc_ptr ours = { .size = sizeof(idt) - 1, .address = (unsigned long)idt };
	gate_desc *gate = &idt[X86_TRAP_PF];
	struct desc_ptr theirs;
	unsigned long flags;
	bool done;

	fault_ip = 0;
	local_irq_save(flags);
	store_idt(&theirs);
	memcpy(idt, (void *)theirs.address, sizeof(idt));
	linux_page_fault = gate_offset(gate);
	gate->offset_low = (unsigned long)vault_page_fault;
	gate->offset_middle = (unsigned long)vault_page_fault >> 16;
	gate->offset_high = (unsigned long)vault_page_fault >> 32;
	native_load_idt(&ours);
	write_pkrs(pkrs);
	done = write ? stray_write(vault, STRAY) : stray_read(vault);
	write_pkrs(CLOSED);
	native_load_idt(&theirs);
	local_irq_restore(flags);
	return done;
}

static bool take_key(void)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)vault, &level);

	if (!pte || level != PG_LEVEL_4K)
		return false;
	set_pte(pte, __pte(pte_val(*pte) | (pteval_t)KEY << _PAGE_BIT_PKEY_BIT0));
	return true;
}

/*
 * On each CPU, those that come online later too. The kernel's copy of CR4 has to
 * have the bit, or it would be lost at the next change of another one. CR4.PGE flushes
 * the vault's translation without the key, should there be one.
 */
static int close_cpu(unsigned int cpu)
{
	unsigned long flags;
	int ret = 0;

	local_irq_save(flags);
	if (__read_cr4() & CR4_PKS) {
		ret = -EBUSY;
	} else {
		write_pkrs(CLOSED);
		static_call(update_cr4)(CR4_PKS, X86_CR4_PGE);
		static_call(update_cr4)(X86_CR4_PGE, 0);
	}
	local_irq_restore(flags);
	return ret;
}

static int leave_cpu(unsigned int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	static_call(update_cr4)(0, CR4_PKS);
	write_pkrs(0);
	local_irq_restore(flags);
	return 0;
}

static bool stopped(bool write, u32 pkrs, unsigned long expected)
{
	if (access_vault(write, pkrs) || !fault_ip) {
		pr_err("CPU %u: a stray %s was not stopped\n", raw_smp_processor_id(), write ? "write" : "read");
		return false;
	}
	pr_info("CPU %u: %pS was stopped: page fault at vault+%#lx, error code %#lx =%s%s%s\n",
		raw_smp_processor_id(), (void *)fault_ip, fault_address - (unsigned long)vault, fault_code,
		fault_code & X86_PF_PROT ? " P" : "", fault_code & X86_PF_WRITE ? " W" : "",
		fault_code & X86_PF_PK ? " PK" : "");
	return fault_code == expected;
}

static int try_write(void *unused)
{
	return stopped(true, CLOSED, X86_PF_PROT | X86_PF_WRITE | X86_PF_PK);
}

static int try_sealed_read(void *unused)
{
	return stopped(false, SEALED, X86_PF_PROT | X86_PF_PK);
}

/* Whether that was as it has to be on every CPU, one after the other. */
static bool everywhere(int (*try)(void *))
{
	unsigned int cpu;
	bool good = true;

	cpus_read_lock();
	for_each_online_cpu(cpu)
		good = smp_call_on_cpu(cpu, try, NULL, false) == 1 && good;
	cpus_read_unlock();
	return good;
}

/* What a write costs by a window, and by the page tables. */
static bool measure(void)
{
	u64 *page = vzalloc(PAGE_SIZE);
	cycles_t windows, tables;
	int i;

	if (!page) {
		pr_err("there was no memory for a page to measure set_memory_rw() with\n");
		return false;
	}
	windows = get_cycles();
	for (i = 0; i < ROUNDS; i++)
		write_vault(i);
	windows = get_cycles() - windows;

	tables = get_cycles();
	for (i = 0; i < ROUNDS; i++) {
		if (static_call(make_ro)((unsigned long)page, 1) || static_call(make_rw)((unsigned long)page, 1)) {
			/* The page may be read-only: it is not given back. */
			pr_err("set_memory_ro() or set_memory_rw() failed\n");
			return false;
		}
		WRITE_ONCE(*page, i);
	}
	tables = get_cycles() - tables;
	vfree(page);
	pr_info("a write costs %llu ticks of the time stamp counter by a window, %llu by set_memory_rw() and set_memory_ro()\n",
		windows / ROUNDS, tables / ROUNDS);
	return true;
}

static bool demonstrate(void)
{
	const u64 value = 42;

	pr_info("the vault: a page of this kernel, writable by its page-table entry, protection key %u\n", KEY);
	pr_info("CR4.PKS = 1, IA32_PKRS = %#x on each CPU: key %u can be read, not written\n", CLOSED, KEY);
	if (!everywhere(try_write) || *vault)
		return false;
	write_vault(value);
	if (*vault != value)
		return false;
	pr_info("a window: IA32_PKRS = %#x, a write, IA32_PKRS = %#x: the vault has the value %llu\n", OPEN, CLOSED, *vault);
	if (!everywhere(try_write) || *vault != value)
		return false;
	pr_info("IA32_PKRS = %#x: key %u is sealed for reads, too\n", SEALED, KEY);
	if (!everywhere(try_sealed_read))
		return false;
	return measure();
}

static enum cpuhp_state state;
static bool ready;

/* Whatever is written to the parameter: stray writes once more, now. */
static int set_stray(const char *text, const struct kernel_param *kp)
{
	if (!ready)
		return -EAGAIN;
	return everywhere(try_write) ? 0 : -EIO;
}

static const struct kernel_param_ops stray_ops = { .set = set_stray };
module_param_cb(stray, &stray_ops, NULL, 0200);
MODULE_PARM_DESC(stray, "write 1 to it to have every CPU try a stray write again");

static int __init pks_vault_init(void)
{
	int ret = -ENODEV;

	if (!has_pks()) {
		pr_err("this processor has no PKS (CPUID leaf 7, ECX bit 31), and there is nothing to show\n");
		return ret;
	}
	if (__read_cr4() & CR4_FRED) {
		pr_err("this kernel uses FRED, under which this module cannot catch a page fault: boot with fred=off\n");
		return ret;
	}
	if (!find_all())
		return ret;
	vault = vzalloc(PAGE_SIZE);
	if (!vault)
		return -ENOMEM;
	if (!take_key()) {
		pr_err("the page-table entry of the vault was not found\n");
		goto no_cpus;
	}
	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, KBUILD_MODNAME, close_cpu, leave_cpu);
	if (ret < 0) {
		pr_err("%s\n", ret == -EBUSY ? "something in this kernel uses PKS already (CR4.PKS is 1), and is left alone" :
		       "CR4.PKS could not be set on all CPUs");
		goto no_cpus;
	}
	state = ret;
	if (demonstrate()) {
		pr_info("the vault stays closed until this module is removed\n");
		ready = true;
		return 0;
	}
	pr_err("this is not what PKS has to do: see the lines above\n");
	ret = -EIO;
	cpuhp_remove_state(state);
no_cpus:
	vfree(vault);
	return ret;
}

/* The key goes with the mapping. */
static void __exit pks_vault_exit(void)
{
	kernel_param_lock(THIS_MODULE);
	ready = false;
	kernel_param_unlock(THIS_MODULE);
	cpuhp_remove_state(state);
	vfree(vault);
	pr_info("CR4.PKS = 0 and IA32_PKRS = 0 again on all CPUs\n");
}

module_init(pks_vault_init);
module_exit(pks_vault_exit);
MODULE_DESCRIPTION("Demonstration of supervisor protection keys (PKS)");
MODULE_LICENSE("GPL");
