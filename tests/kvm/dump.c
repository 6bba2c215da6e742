// SPDX-License-Identifier: GPL-2.0-only
/* KVM's dump of a VMCS shows PKRS of the guest and of the host (KVM-11). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>

#include "ktap.h"
#include "vm.h"

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

/* A task register that VM entry refuses makes KVM dump. */
static void both_fields(void)
{
	static const char path[] = "/sys/module/kvm_intel/parameters/dump_invalid_vmcs";
	char value[16], *before, *after;
	struct kvm_sregs s;
	struct vcpu *vcpu;
	struct vm *vm;
	FILE *file;

	need_pks();
	file = fopen(path, "w");
	if (!file || fputs("1", file) < 0 || fclose(file))
		ktap_skip("kvm_intel.dump_invalid_vmcs can be set");
	vm = vm_new();
	vcpu = vcpu_new(vm, PKS_ON, nothing, 0);
	pkrs_set(vcpu, VALUE);
	s = sregs_get(vcpu);
	s.tr.type = 3;
	REQUIRE(sregs_set(vcpu, &s), "KVM_SET_SREGS refuses the wrong TR");
	before = kernel_log();
	ioctl(vcpu->fd, KVM_RUN, 0);
	CHECK(vcpu->run->exit_reason == KVM_EXIT_FAIL_ENTRY, "exit reason %u",
	      vcpu->run->exit_reason);
	after = kernel_log();
	snprintf(value, sizeof(value), "%x", VALUE);
	CHECK(count(after, "PKRS") == count(before, "PKRS") + 2, "PKRS is there %u times",
	      count(after, "PKRS") - count(before, "PKRS"));
	CHECK(count(after, value) > count(before, value), "the guest's value is not there");
	free(before);
	free(after);
	vcpu_free(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	{ "kvm.dump.both_fields", "KVM-11", both_fields, NULL },
};

int main(int argc, char **argv)
{
	static const char *const keys[] = { "variation", NULL };

	ktap_arguments(argc, argv, keys);
	return ktap_run(tests, COUNT(tests));
}
