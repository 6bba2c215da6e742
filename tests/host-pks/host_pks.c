// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that uses PKS itself, for tests only: no stock kernel does. Loaded with
 * cr4_pks=1, before kvm_intel, every CPU has CR4.PKS and an IA32_PKRS of its own:
 * pkrs, bits 31:30 inverted by the CPU's number. Each VM exit that kvm_intel
 * handles is counted while watch=1, and those after which the CPU does not have
 * its value, or not that CR4.PKS, too (KVM-10).
 *
 * The kernel's own pages have key 0: a value that denies that ends the host.
 */
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/cpuhotplug.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <asm/tlbflush.h>

#define MSR_PKRS	0x6e1
#define CR4_PKS		BIT(24)

static bool loaded, cr4_pks, watch;
static u32 pkrs;
static DEFINE_PER_CPU(u32, pkrs_here);
static int hotplug;
static atomic_long_t exits, wrong;

/* rdmsrl(), cpuid_ecx() and their kin have other names and places in other kernels. */
static bool has_pks(void)
{
	u32 a = 7, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return c & BIT(31);
}

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
	u32 value = cr4_pks ? pkrs ^ (u32)smp_processor_id() << 30 : pkrs;

	this_cpu_write(pkrs_here, value);
	write_pkrs(value);
	if (cr4_pks)
		cr4_update_irqsoff(CR4_PKS, 0);
	else
		cr4_update_irqsoff(0, CR4_PKS);
}

/* Each CPU that is there, or comes online. */
static int online(unsigned int cpu)
{
	return smp_call_function_single(cpu, apply, NULL, 1);
}

/* Not between an exit that is looked at and its verdict. */
static int set_pkrs(const char *text, const struct kernel_param *kp)
{
	u32 value;
	int ret = kstrtou32(text, 0, &value);

	if (ret)
		return ret;
	if (!loaded || value & 3)
		return -EINVAL;
	preempt_disable();
	pkrs = value;
	on_each_cpu(apply, NULL, 1);
	preempt_enable();
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

static int on_exit(struct kprobe *probe, struct pt_regs *regs)
{
	atomic_long_inc(&exits);
	if (read_pkrs() != this_cpu_read(pkrs_here) || !(__read_cr4() & CR4_PKS) == cr4_pks)
		atomic_long_inc(&wrong);
	return 0;
}

static struct kprobe exit_probe;

static int set_watch(const char *text, const struct kernel_param *kp)
{
	bool was = watch;
	int ret = param_set_bool(text, kp);

	if (ret || was == watch)
		return ret;
	if (!watch) {
		unregister_kprobe(&exit_probe);
		return 0;
	}
	atomic_long_set(&exits, 0);
	atomic_long_set(&wrong, 0);
	exit_probe = (struct kprobe){ .symbol_name = "vmx_handle_exit", .pre_handler = on_exit };
	ret = register_kprobe(&exit_probe);
	watch = !ret;
	return ret;
}

static const struct kernel_param_ops pkrs_ops = { .set = set_pkrs, .get = get_pkrs };
static const struct kernel_param_ops watch_ops = { .set = set_watch, .get = param_get_bool };
static const struct kernel_param_ops counter_ops = { .get = get_counter };

static int __init host_pks_init(void)
{
	if (!has_pks())
		return -ENODEV;
	hotplug = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "host-pks:online", online, NULL);
	loaded = hotplug >= 0;
	return loaded ? 0 : hotplug;
}

static void __exit host_pks_exit(void)
{
	if (watch)
		unregister_kprobe(&exit_probe);
	cpuhp_remove_state_nocalls(hotplug);
	pkrs = 0;
	cr4_pks = false;
	on_each_cpu(apply, NULL, 1);
}

module_init(host_pks_init);
module_exit(host_pks_exit);
module_param(cr4_pks, bool, 0400);
module_param_cb(pkrs, &pkrs_ops, NULL, 0600);
module_param_cb(watch, &watch_ops, &watch, 0600);
module_param_cb(exits, &counter_ops, &exits, 0400);
module_param_cb(wrong, &counter_ops, &wrong, 0400);
MODULE_DESCRIPTION("Test of KVM under a host that uses PKS");
MODULE_LICENSE("GPL");
