// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that uses PKS itself, for tests only: no stock kernel does. With
 * cr4_pks=1 every CPU has CR4.PKS, and pkrs is its IA32_PKRS. Each VM exit that
 * kvm_intel handles is counted, and those after which the CPU does not have that
 * value, or not CR4.PKS, too (KVM-10). Load it after kvm_intel, unload it before.
 *
 * The kernel's own pages have key 0: a value that denies that ends the host.
 */
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <asm/tlbflush.h>

#define MSR_PKRS	0x6e1
#define CR4_PKS		BIT(24)

static bool cr4_pks;
static u32 pkrs;
static atomic_long_t exits, wrong;

/* rdmsrl() and its kin have other names in other kernels. */
static u64 read_pkrs(void)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_PKRS));
	return (u64)high << 32 | low;
}

static void write_pkrs(u32 value)
{
	asm volatile("wrmsr" : : "c"(MSR_PKRS), "a"(value), "d"(0) : "memory");
}

/* By an IPI, with interrupts off: cr4_update_irqsoff() keeps the CPU's shadow right. */
static void apply(void *unused)
{
	write_pkrs(pkrs);
	if (cr4_pks)
		cr4_update_irqsoff(CR4_PKS, 0);
	else
		cr4_update_irqsoff(0, CR4_PKS);
}

static int set_cr4_pks(const char *text, const struct kernel_param *kp)
{
	int ret = param_set_bool(text, kp);

	if (!ret)
		on_each_cpu(apply, NULL, 1);
	return ret;
}

static int set_pkrs(const char *text, const struct kernel_param *kp)
{
	u32 value;
	int ret = kstrtou32(text, 0, &value);

	if (ret)
		return ret;
	if (value & 3)
		return -EINVAL;
	pkrs = value;
	on_each_cpu(apply, NULL, 1);
	return 0;
}

/* What the CPU has, not what it was told. */
static int get_pkrs(char *text, const struct kernel_param *kp)
{
	return sprintf(text, "%#llx\n", read_pkrs());
}

static int get_counter(char *text, const struct kernel_param *kp)
{
	return sprintf(text, "%ld\n", atomic_long_read((atomic_long_t *)kp->arg));
}

static const struct kernel_param_ops cr4_pks_ops = { .set = set_cr4_pks, .get = param_get_bool };
static const struct kernel_param_ops pkrs_ops = { .set = set_pkrs, .get = get_pkrs };
static const struct kernel_param_ops counter_ops = { .get = get_counter };

static int on_exit(struct kprobe *probe, struct pt_regs *regs)
{
	bool right = !cr4_pks || (read_pkrs() == pkrs && __read_cr4() & CR4_PKS);

	atomic_long_inc(&exits);
	if (!right)
		atomic_long_inc(&wrong);
	return 0;
}

static struct kprobe exit_probe = { .symbol_name = "vmx_handle_exit", .pre_handler = on_exit };

static int __init host_pks_init(void)
{
	if (!(cpuid_ecx(7) & BIT(31)))
		return -ENODEV;
	return register_kprobe(&exit_probe);
}

static void __exit host_pks_exit(void)
{
	unregister_kprobe(&exit_probe);
	pkrs = 0;
	cr4_pks = false;
	on_each_cpu(apply, NULL, 1);
}

module_init(host_pks_init);
module_exit(host_pks_exit);
module_param_cb(cr4_pks, &cr4_pks_ops, &cr4_pks, 0600);
module_param_cb(pkrs, &pkrs_ops, NULL, 0600);
module_param_cb(exits, &counter_ops, &exits, 0400);
module_param_cb(wrong, &counter_ops, &wrong, 0400);
MODULE_DESCRIPTION("Test of KVM under a host that uses PKS");
MODULE_LICENSE("GPL");
