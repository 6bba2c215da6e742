// SPDX-License-Identifier: GPL-2.0-only
/* KVM's dump of a VMCS shows PKRS of the guest and of the host (KVM-11). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>

#include "ktap.h"
#include "vmx.h"

enum { VALUE = 0x0badcafe, READ_ALL = 3, SIZE = 1 << 20 };

static char *kernel_log(void)
{
	char *text = calloc(1, SIZE + 1);

	REQUIRE(text && klogctl(READ_ALL, text, SIZE) >= 0, "cannot read the kernel's log");
	return text;
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int n = 0;

	while ((text = strstr(text, what))) {
		text++;
		n++;
	}
	return n;
}

static void nothing(uint64_t unused)
{
	(void)unused;
}

static void want_dumps(void)
{
	static const char path[] = "/sys/module/kvm_intel/parameters/dump_invalid_vmcs";
	FILE *file;

	file = fopen(path, "w");
	if (!file || fputs("1", file) < 0 || fclose(file))
		ktap_skip("kvm_intel.dump_invalid_vmcs can be set");
}

/* What KVM dumps of a VM whose state VM entry refuses, but not KVM. */
static char *dump_of(struct vcpu *vcpu, const struct kvm_sregs *s)
{
	size_t before = strlen(kernel_log());

	REQUIRE(sregs_set(vcpu, s), "KVM_SET_SREGS refuses the wrong state");
	ioctl(vcpu->fd, KVM_RUN, 0);
	CHECK(vcpu->run->exit_reason == KVM_EXIT_FAIL_ENTRY, "exit reason %u",
	      vcpu->run->exit_reason);
	return kernel_log() + before;
}

static void both_fields(void)
{
	struct vcpu *vcpu;
	struct kvm_sregs s;
	struct vm *vm;
	char value[16], *dump;

	need_pks();
	want_dumps();
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_ON, nothing, 0);
	pkrs_set(vcpu, VALUE);
	s = sregs_get(vcpu);
	s.gdt.base = 1ull << 63;
	dump = dump_of(vcpu, &s);
	snprintf(value, sizeof(value), "%x", VALUE);
	CHECK(count(dump, "PKRS") == 2, "PKRS is there %u times", count(dump, "PKRS"));
	CHECK(count(dump, value) == 1, "the guest's value is there %u times", count(dump, value));
	vcpu_free(vcpu);
	vm_free(vm);
}

/*
 * With paging off, hardware has the guest's CR4.PKS only if it runs the guest so.
 * Otherwise it has tables of KVM's and paging on.
 */
static void cr4_of_hardware(void)
{
	const char *unrestricted = module_param("kvm_intel", "unrestricted_guest");
	struct kvm_sregs s;
	struct vcpu *vcpu;
	struct vm *vm;
	unsigned long actual = 0;
	char *at;

	need_pks();
	want_dumps();
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_ON, nothing, 0);
	s = sregs_get(vcpu);
	s.cr0 &= ~CR0_PG;
	s.efer = 0;
	s.cr4 |= CR4_PKS;
	s.cs.l = 0;
	s.cs.db = 1;
	s.gdt.base = 1ull << 63;
	at = strstr(dump_of(vcpu, &s), "CR4: actual=");
	REQUIRE(at && sscanf(at, "CR4: actual=%lx", &actual) == 1, "no CR4 in the dump");
	CHECK(!(actual & CR4_PKS) == (*unrestricted == 'N'),
	      "unrestricted_guest is %c, and hardware has CR4 = %#lx", *unrestricted, actual);
	vcpu_free(vcpu);
	vm_free(vm);
}

/*
 * An L1 without PKS in its CPUID has set the controls: they have moved nothing
 * into PKRS, which it cannot read itself (KVM-26).
 */
static struct vmx *vmx;

static void l1_loads(uint64_t controls)
{
	vmx_start(vmx);
	vmx_load_controls(controls);
	vmwrite(GUEST_PKRS, VALUE);
	vmwrite(HOST_PKRS, VALUE);
	guest_sync(vmx_run(vmx, nothing, 0));
}

static void l1_without_pks(void)
{
	char value[16], *dump;
	int controls;

	need_pks();
	want_dumps();
	need_nested();
	snprintf(value, sizeof(value), "%x", VALUE);
	for (controls = 0; controls < 4; controls++) {
		struct vm *vm = vm_new();
		struct kvm_sregs s;
		struct vcpu *vcpu;

		vmx = vmx_new(vm, false);
		vcpu = vcpu_new(vm, PKS_OFF, l1_loads, controls);
		CHECK(vcpu_sync(vcpu) == EXIT_VMCALL, "controls %d: L2 has not run", controls);
		vcpu_complete(vcpu);
		s = sregs_get(vcpu);
		s.gdt.base = 1ull << 63;
		dump = dump_of(vcpu, &s);
		CHECK(count(dump, "PKRS") == 2, "PKRS is there %u times", count(dump, "PKRS"));
		CHECK(!count(dump, value), "controls %d: PKRS of L1 is %s", controls, value);
		vcpu_free(vcpu);
		vm_free(vm);
	}
}

/* expect=hidden: a processor without the controls has no such fields (KVM-20). */
static void hidden(void)
{
	struct vcpu *vcpu;
	struct kvm_sregs s;
	struct vm *vm;
	char *dump;

	want_dumps();
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_OFF, nothing, 0);
	s = sregs_get(vcpu);
	s.gdt.base = 1ull << 63;
	dump = dump_of(vcpu, &s);
	CHECK(count(dump, "CR4: actual="), "there is no dump");
	CHECK(!count(dump, "PKRS"), "PKRS is there %u times", count(dump, "PKRS"));
	vcpu_free(vcpu);
	vm_free(vm);
}

static const struct test hidden_tests[] = {
	{ "kvm.dump.hidden", "KVM-11, KVM-20", hidden, NULL },
};

static const struct test tests[] = {
	{ "kvm.dump.both_fields", "KVM-11", both_fields, NULL },
	{ "kvm.dump.l1_without_pks", "KVM-26", l1_without_pks, NULL },
	{ "kvm.dump.cr4_of_hardware", "KVM-12", cr4_of_hardware, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "expect", "variation", NULL };
	const char *expect;

	ktap_arguments(argc, argv, keys);
	expect = ktap_argument("expect");
	if (expect && !strcmp(expect, "hidden"))
		return ktap_run(hidden_tests, COUNT(hidden_tests));
	return ktap_run(tests, COUNT(tests));
}
