// SPDX-License-Identifier: GPL-2.0-only
/*
 * In the place of pksctl/machine.c: a processor and a KVM that are what the file
 * root/machine says, lines "NAME VALUE", numbers in hexadecimal:
 *   vendor WORD, 1.ecx, 7.ecx, hypervisor WORD, root 0 or 1
 *   msr.480 and so on; where there is none, reading it fails
 *   kvm.7.ecx, what KVM offers; kvm.errno where /dev/kvm cannot be used
 *   feature.490 and so on, what a guest hypervisor gets
 * and modules that the scripts root/unload NAME and root/load FILE OPTIONS
 * unload and load; they exit with an errno.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "pksctl.h"

static bool find(const char *name, char value[64])
{
	FILE *f = fopen(SYSROOT "/machine", "re");
	char key[64];
	bool found = false;

	while (f && !found && fscanf(f, "%63s %63s", key, value) == 2)
		found = !strcmp(key, name);
	if (f)
		fclose(f);
	return found;
}

static bool number(uint64_t *v, const char *fmt, unsigned int n)
{
	char name[64], value[64] = "0";
	bool found;

	snprintf(name, sizeof(name), fmt, n);
	found = find(name, value);
	*v = strtoull(value, NULL, 16);
	return found;
}

void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	char text[64] = "";
	uint64_t v = 0;

	(void)sub;
	memset(r, 0, 4 * sizeof(*r));
	if (leaf == 0) {
		find("vendor", text);
		r[0] = 7;
		memcpy(&r[1], text, 4);
		memcpy(&r[3], text + 4, 4);
		memcpy(&r[2], text + 8, 4);
	} else if (leaf == 0x40000000) {
		find("hypervisor", text);
		memcpy(&r[1], text, 12);
	} else {
		number(&v, "%x.ecx", leaf);
		r[2] = v;
		/* A Sapphire Rapids. */
		r[0] = leaf == 1 ? 0x806f8 : 0;
	}
}

bool read_msr(uint32_t msr, uint64_t *value)
{
	errno = EACCES;
	return number(value, "msr.%x", msr);
}

bool kvm_cpuid_7_ecx(uint32_t *ecx)
{
	uint64_t v, why;

	number(&v, "kvm.7.ecx", 0);
	*ecx = v;
	return !number(&why, "kvm.errno", 0) || (errno = why, false);
}

bool kvm_feature_msr(uint32_t msr, uint64_t *value)
{
	return number(value, "feature.%x", msr);
}

bool is_root(void)
{
	uint64_t v;

	number(&v, "root", 0);
	return v;
}

static bool script(const char *command)
{
	int status = system(command);

	errno = WEXITSTATUS(status);
	return !status;
}

bool unload_module(const char *name)
{
	char command[256];

	snprintf(command, sizeof(command), "sh root/unload %s", name);
	return script(command);
}

bool load_module(const struct blob *b, const char *options)
{
	char command[512];
	FILE *f = fopen("root/loading.ko", "we");

	if (!f || fwrite(b->data, b->size, 1, f) != 1 || fclose(f))
		return false;
	snprintf(command, sizeof(command), "sh root/load root/loading.ko %s", options);
	return script(command);
}
