// SPDX-License-Identifier: GPL-2.0-only
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pksctl.h"

void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	__cpuid_count(leaf, sub, r[0], r[1], r[2], r[3]);
}

bool read_msr(uint32_t msr, uint64_t *value)
{
	int fd = open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC), why;
	bool got = fd >= 0 && pread(fd, value, sizeof(*value), msr) == sizeof(*value);

	why = errno;
	if (fd >= 0)
		close(fd);
	errno = why;
	return got;
}

bool kvm_cpuid_7_ecx(uint32_t *ecx)
{
	enum { MAX = 256 };	/* KVM has no more */
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[MAX];
	} c;
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), why;
	bool got;

	*ecx = 0;
	c.head.nent = MAX;
	got = fd >= 0 && !ioctl(fd, KVM_GET_SUPPORTED_CPUID, &c);
	why = errno;
	for (uint32_t i = 0; got && i < c.head.nent; i++)
		if (c.entries[i].function == 7 && !c.entries[i].index)
			*ecx = c.entries[i].ecx;
	if (fd >= 0)
		close(fd);
	errno = why;
	return got;
}

bool kvm_feature_msr(uint32_t msr, uint64_t *value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} m = { .head.nmsrs = 1, .entry.index = msr };
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	bool got = fd >= 0 && ioctl(fd, KVM_GET_MSRS, &m) == 1;

	if (fd >= 0)
		close(fd);
	*value = m.entry.data;
	return got;
}

bool is_root(void)
{
	return !geteuid();
}

bool unload_module(const char *name)
{
	return !syscall(SYS_delete_module, name, O_NONBLOCK);
}

bool load_module(const struct blob *b, const char *options)
{
	return !syscall(SYS_init_module, b->data, b->size, options);
}
