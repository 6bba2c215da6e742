// SPDX-License-Identifier: GPL-2.0-only
/*
 * pksctl status: what of PKS this host has, from the processor up to what its
 * guests see, and the first thing that is missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include "pksctl.h"

#define SYS SYSROOT "/sys"
#define SECURE_BOOT SYS "/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

#define BIT(n) (1u << (n))
#define ENTRY_LOAD_PKRS 22
#define EXIT_LOAD_PKRS 29
enum { VMX_BASIC = 0x480, VMX_EXIT = 0x483, VMX_ENTRY = 0x484, VMX_TRUE_EXIT = 0x48f, VMX_TRUE_ENTRY = 0x490 };

static void look_at_processor(struct status *s)
{
	uint32_t r[4], max;
	char *line = NULL;
	size_t size = 0;
	FILE *f;

	cpuid(0, 0, r);
	max = r[0];
	memcpy(s->vendor, &r[1], 4);
	memcpy(s->vendor + 4, &r[3], 4);
	memcpy(s->vendor + 8, &r[2], 4);
	cpuid(1, 0, r);
	s->vmx = r[2] & BIT(5);
	s->hypervisor = r[2] & BIT(31);
	s->stepping = r[0] & 15;
	s->family = (r[0] >> 8 & 15) == 15 ? 15 + (r[0] >> 20 & 255) : r[0] >> 8 & 15;
	s->model = (r[0] >> 4 & 15) | (s->family == 6 || s->family >= 15 ? r[0] >> 12 & 0xf0 : 0);
	if (max >= 7) {
		cpuid(7, 0, r);
		s->pks = r[2] & BIT(31);
	}
	if (s->hypervisor) {
		cpuid(0x40000000, 0, r);
		memcpy(s->hypervisor_name, &r[1], 12);
		clean(s->hypervisor_name);
	}
	f = fopen(SYSROOT "/proc/cpuinfo", "re");
	while (f && getline(&line, &size, f) > 0 && *line != '\n') {
		char *value = strstr(line, ": ");

		line[strcspn(line, "\n")] = 0;
		if (value && !strncmp(line, "model name", 10))
			put(s->cpu, sizeof(s->cpu), "%s", value + 2);
		if (value && !strncmp(line, "microcode", 9))
			put(s->microcode, sizeof(s->microcode), "%s", value + 2);
	}
	if (f)
		fclose(f);
	free(line);
}

/* What may be 1 in a control is in the upper half of its capability MSR. */
static void look_at_controls(struct status *s)
{
	uint64_t basic, entry, exit;

	if (s->vmx && read_msr(VMX_BASIC, &basic)) {
		bool truly = basic >> 55 & 1;

		if (read_msr(truly ? VMX_TRUE_ENTRY : VMX_ENTRY, &entry) &&
		    read_msr(truly ? VMX_TRUE_EXIT : VMX_EXIT, &exit)) {
			s->entry = entry >> 32 & BIT(ENTRY_LOAD_PKRS) ? YES : NO;
			s->exit = exit >> 32 & BIT(EXIT_LOAD_PKRS) ? YES : NO;
			s->controls_by = "the processor's MSRs";
			return;
		}
	}
	/* kvm_intel clears its parameter where one of the two is missing. */
	s->entry = s->exit = *s->param_pks == 'Y' ? YES : UNKNOWN;
	s->controls_by = *s->param_pks == 'Y' ? "kvm_intel" : NULL;
}

static void look_at_guests(struct status *s)
{
	uint64_t entry, exit;
	uint32_t ecx;

	s->guests = s->nested_entry = s->nested_exit = UNKNOWN;
	if (!kvm_cpuid_7_ecx(&ecx)) {
		s->kvm_errno = errno;
		return;
	}
	s->guests = ecx & BIT(31) ? YES : NO;
	if (kvm_feature_msr(VMX_TRUE_ENTRY, &entry) && kvm_feature_msr(VMX_TRUE_EXIT, &exit)) {
		s->nested_entry = entry >> 32 & BIT(ENTRY_LOAD_PKRS) ? YES : NO;
		s->nested_exit = exit >> 32 & BIT(EXIT_LOAD_PKRS) ? YES : NO;
	}
}

/* The variable is four bytes of attributes and one of value. */
static void look_at_boot(struct status *s)
{
	FILE *f = fopen(SECURE_BOOT, "re");
	unsigned char v[5];
	char text[LINE_SIZE];

	s->secure_boot = there(SYS "/firmware/efi") ? UNKNOWN : NO;
	if (f && fread(v, 1, sizeof(v), f) == sizeof(v))
		s->secure_boot = v[4] ? YES : NO;
	if (f)
		fclose(f);
	s->lockdown = read_line(text, sizeof(text), SYS "/kernel/security/lockdown") ? !strstr(text, "[none]") : UNKNOWN;
}

static void add_pci(const char *name, void *arg)
{
	char *list = arg;
	size_t n = strlen(list);

	/* Devices have a colon in their name; the driver's own files have none. */
	if (strchr(name, ':'))
		put(list + n, LINE_SIZE - n, "%s%s", n ? " " : "", name);
}

void look(struct status *s)
{
	struct utsname u;

	*s = (struct status){ 0 };
	s->root = is_root();
	uname(&u);
	put(s->release, sizeof(s->release), "%s", u.release);
	put(s->version, sizeof(s->version), "%s", u.version);
	look_at_processor(s);
	look_at_module(&s->kvm, "kvm", s->release);
	look_at_module(&s->intel, "kvm_intel", s->release);
	read_line(s->param_pks, sizeof(s->param_pks), SYS "/module/kvm_intel/parameters/pks");
	read_line(s->param_ept, sizeof(s->param_ept), SYS "/module/kvm_intel/parameters/ept");
	look_at_controls(s);
	look_at_guests(s);
	look_at_boot(s);
	s->iommu_groups = each(SYS "/kernel/iommu_groups", NULL, NULL);
	each(SYS "/bus/pci/drivers/vfio-pci", add_pci, s->vfio);
	s->kvmgt = there(SYS "/module/kvmgt");
	s->mdevs = each(SYS "/bus/mdev/devices", NULL, NULL);
	read_line(s->refused, sizeof(s->refused), SYSROOT "/var/lib/kvm-pks/refused/%s", s->release);
	clean(s->refused);
	judge(s);
}

static const char *answer(enum tri t)
{
	return t == UNKNOWN ? "unknown" : t ? "yes" : "no";
}

static void print_module(FILE *out, const struct module *m)
{
	fprintf(out, "%-12s ", m->name);
	if (m->builtin)
		fprintf(out, "built into the kernel\n");
	else if (!m->loaded)
		fprintf(out, "not loaded\n");
	else if (*m->file)
		fprintf(out, "loaded, from %s\n", m->file);
	else
		fprintf(out, "loaded, from no file of /lib/modules\n");
	if (*m->unread)
		fprintf(out, "%-12s %s\n", "", m->unread);
	else if (*m->next && strcmp(m->next, m->file))
		fprintf(out, "%-12s modprobe would load %s\n", "", m->next);
}

void print_host(FILE *out, const struct status *s)
{
	fprintf(out, "processor    %s, family %u, model %u, stepping %u, microcode %s\n", *s->cpu ? s->cpu : s->vendor,
	       s->family, s->model, s->stepping, *s->microcode ? s->microcode : "unknown");
	fprintf(out, "             PKS %s, VMX %s\n", answer(s->pks), answer(s->vmx));
	fprintf(out, "hypervisor   %s\n", s->hypervisor ? s->hypervisor_name : "none");
	fprintf(out, "controls     load IA32_PKRS at VM entry %s, at VM exit %s%s%s\n", answer(s->entry), answer(s->exit),
	       s->controls_by ? ", by " : "", s->controls_by ? s->controls_by : "");
	fprintf(out, "kernel       %s %s\n", s->release, s->version);
	print_module(out, &s->kvm);
	print_module(out, &s->intel);
	if (s->intel.loaded)
		fprintf(out, "%-12s pks=%s ept=%s\n", "", *s->param_pks ? s->param_pks : "(no such parameter)", s->param_ept);
	if (*s->refused)
		fprintf(out, "refused      %s\n", s->refused);
	fprintf(out, "secure boot  %s, lockdown %s\n", answer(s->secure_boot), answer(s->lockdown));
	fprintf(out, "iommu        %d groups, devices for guests (vfio-pci): %s\n", s->iommu_groups, *s->vfio ? s->vfio : "none");
	fprintf(out, "kvmgt        %s, %d mediated devices\n", s->kvmgt ? "loaded" : "not loaded", s->mdevs);
	fprintf(out, "guests       PKS %s, and as hypervisors the controls for VM entry %s, for VM exit %s\n",
	       answer(s->guests), answer(s->nested_entry), answer(s->nested_exit));
	if (s->guests == UNKNOWN)
		fprintf(out, "             (/dev/kvm: %s)\n", strerror(s->kvm_errno));
}

static void print_text(const struct status *s)
{
	print_host(stdout, s);
	if (s->controls_by == NULL && s->vmx)
		printf("%s would tell the two controls\n", s->root ? "modprobe msr" : "root, after modprobe msr,");
	if (s->guests == UNKNOWN && s->kvm_errno == EACCES)
		printf("root, or a member of the group kvm, would be told what guests see\n");
	printf("%s%s\n", *s->missing ? "not ready: " : "", *s->missing ? s->missing : "ready: guests of qemu -cpu host have PKS");
}

static void json_module(struct json *j, const struct module *m)
{
	json_open(j, m->name, '{');
	json_tri(j, "loaded", m->loaded);
	json_tri(j, "builtin", m->builtin);
	json_text(j, "build_id", *m->id ? m->id : NULL);
	json_text(j, "file", *m->file ? m->file : NULL);
	json_text(j, "next", *m->next ? m->next : NULL);
	json_text(j, "next_build_id", *m->next_id ? m->next_id : NULL);
	json_tri(j, "next_signed", *m->next_id ? (enum tri)m->next_signed : UNKNOWN);
	json_close(j, '}');
}

void json_host(struct json *j, const struct status *s)
{
	json_text(j, "pksctl", VERSION);
	json_open(j, "processor", '{');
	json_text(j, "vendor", s->vendor);
	json_text(j, "name", s->cpu);
	json_number(j, "family", s->family);
	json_number(j, "model", s->model);
	json_number(j, "stepping", s->stepping);
	json_text(j, "microcode", *s->microcode ? s->microcode : NULL);
	json_tri(j, "pks", s->pks);
	json_tri(j, "vmx", s->vmx);
	json_close(j, '}');
	json_text(j, "hypervisor", s->hypervisor ? s->hypervisor_name : NULL);
	json_open(j, "load_pkrs", '{');
	json_tri(j, "entry", s->entry);
	json_tri(j, "exit", s->exit);
	json_close(j, '}');
	json_open(j, "kernel", '{');
	json_text(j, "release", s->release);
	json_text(j, "version", s->version);
	json_close(j, '}');
	json_open(j, "modules", '{');
	json_module(j, &s->kvm);
	json_module(j, &s->intel);
	json_close(j, '}');
	json_open(j, "parameters", '{');
	json_text(j, "pks", *s->param_pks ? s->param_pks : NULL);
	json_text(j, "ept", *s->param_ept ? s->param_ept : NULL);
	json_close(j, '}');
	json_text(j, "refused", *s->refused ? s->refused : NULL);
	json_tri(j, "secure_boot", s->secure_boot);
	json_tri(j, "lockdown", s->lockdown);
	json_number(j, "iommu_groups", s->iommu_groups);
	json_text(j, "vfio_pci", s->vfio);
	json_tri(j, "kvmgt", s->kvmgt);
	json_number(j, "mediated_devices", s->mdevs);
	json_open(j, "guests", '{');
	json_tri(j, "pks", s->guests);
	json_tri(j, "nested_entry", s->nested_entry);
	json_tri(j, "nested_exit", s->nested_exit);
	json_close(j, '}');
}

int cmd_status(bool json)
{
	struct json j = { stdout, false };
	struct status s;

	look(&s);
	if (json) {
		json_open(&j, NULL, '{');
		json_host(&j, &s);
		json_tri(&j, "ready", !*s.missing);
		json_text(&j, "missing", *s.missing ? s.missing : NULL);
		json_close(&j, '}');
		putchar('\n');
	} else {
		print_text(&s);
	}
	return *s.missing ? NOT_SO : OK;
}
