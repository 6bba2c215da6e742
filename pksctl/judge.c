// SPDX-License-Identifier: GPL-2.0-only
/* The first thing that a host lacks for its guests to have PKS, and the command that helps. */
#include <glob.h>
#include <string.h>
#include "pksctl.h"

#define LACKS(...) do { put(s->missing, sizeof(s->missing), __VA_ARGS__); return true; } while (0)

static bool lacks_processor(struct status *s)
{
	if (strcmp(s->vendor, "GenuineIntel"))
		LACKS("PKS is a feature of Intel's processors, and this one is of %s", s->vendor);
	if (!s->pks && s->hypervisor)
		LACKS("this is a virtual machine, and its hypervisor (%s) gives it no PKS: where that is KVM, "
		      "it takes kvm-pks itself, and qemu -cpu host", s->hypervisor_name);
	if (!s->pks)
		LACKS("this processor has no PKS: Sapphire Rapids, Alder Lake and later ones have it");
	if (!s->vmx)
		LACKS("there is no VMX: turn it on in %s", s->hypervisor ?
		      "the hypervisor (nested virtualization)" : "the firmware's setup");
	if (s->entry == NO || s->exit == NO)
		LACKS("the %s cannot load IA32_PKRS at VM %s", s->hypervisor ? "hypervisor" : "processor",
		      s->entry == NO ? "entry" : "exit");
	return false;
}

/* The package's own tree for DKMS. */
static bool installed(void)
{
	glob_t g;
	bool found = !glob(SYSROOT "/usr/src/kvm-pks-*/dkms.conf", 0, NULL, &g);

	globfree(&g);
	return found;
}

/* Modules with PKS are neither loaded nor would modprobe load them. */
static bool lacks_modules(struct status *s)
{
	if (*s->refused)
		LACKS("there is no kvm-pks for the kernel %s: %s", s->release, s->refused);
	if (*s->intel.unread)
		LACKS("%s", s->intel.unread);
	if (!installed())
		LACKS("kvm-pks is not installed: apt-get install kvm-pks-dkms");
	LACKS("kvm-pks is not built for the kernel %s: dpkg-reconfigure kvm-pks-dkms", s->release);
}

/* Our kvm does not fit the kernel's own kvm_intel, nor the other way round. */
static bool half_a_set(const struct status *s)
{
	size_t kvm = strrchr(s->kvm.next, '/') - s->kvm.next, intel = strrchr(s->intel.next, '/') - s->intel.next;

	return kvm != intel || strncmp(s->kvm.next, s->intel.next, kvm);
}

static bool lacks_loading(struct status *s)
{
	bool next = s->intel.next_pks && !*s->intel.unread;

	if (s->intel.builtin)
		LACKS("KVM is built into the kernel %s: it takes a kernel that has it as modules", s->release);
	if (*s->kvm.next && *s->intel.next && half_a_set(s))
		LACKS("modprobe would load %s and %s, which do not go together: dpkg-reconfigure kvm-pks-dkms",
		      s->kvm.next, s->intel.next);
	if (s->intel.loaded && *s->param_pks)
		return false;
	if (!next)
		return lacks_modules(s);
	if (s->secure_boot == YES && !s->intel.next_signed)
		LACKS("Secure Boot is on and %s is not signed: dpkg-reconfigure kvm-pks-dkms", s->intel.next);
	if (s->intel.loaded)
		LACKS("the modules that are loaded have no PKS: pksctl reload");
	LACKS("kvm_intel is not loaded: modprobe kvm_intel");
}

static bool lacks_exposure(struct status *s)
{
	if (*s->param_pks == 'Y' && s->guests == NO)
		LACKS("KVM offers no PKS although kvm_intel.pks is Y: dmesg may tell why");
	if (*s->param_pks == 'Y')
		return false;
	if (*s->param_ept == 'N')
		LACKS("kvm_intel was loaded with ept=0, which hides PKS: take it out of /etc/modprobe.d and "
		      "the kernel's command line, then pksctl reload");
	LACKS("kvm_intel hides PKS: take pks=0 out of /etc/modprobe.d and the kernel's command line, then "
	      "pksctl reload");
}

void judge(struct status *s)
{
	if (!lacks_processor(s) && !lacks_loading(s))
		lacks_exposure(s);
}
