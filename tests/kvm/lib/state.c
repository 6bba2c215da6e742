// SPDX-License-Identifier: GPL-2.0-only
/* What a test asks KVM about a vCPU, and sets. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ktap.h"
#include "vm.h"

union one_msr {
	struct kvm_msrs msrs;
	char room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
};

bool msr_get(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	union one_msr u;

	memset(&u, 0, sizeof(u));
	u.msrs.nmsrs = 1;
	u.msrs.entries[0].index = msr;
	if (ioctl(vcpu->fd, KVM_GET_MSRS, &u.msrs) != 1)
		return false;
	*value = u.msrs.entries[0].data;
	return true;
}

bool msr_set(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	union one_msr u;

	memset(&u, 0, sizeof(u));
	u.msrs.nmsrs = 1;
	u.msrs.entries[0].index = msr;
	u.msrs.entries[0].data = value;
	return ioctl(vcpu->fd, KVM_SET_MSRS, &u.msrs) == 1;
}

uint64_t pkrs_get(struct vcpu *vcpu)
{
	uint64_t value = 0;

	REQUIRE(msr_get(vcpu, MSR_PKRS, &value), "KVM_GET_MSRS refuses IA32_PKRS");
	return value;
}

void pkrs_set(struct vcpu *vcpu, uint64_t value)
{
	REQUIRE(msr_set(vcpu, MSR_PKRS, value), "KVM_SET_MSRS refuses IA32_PKRS = %#llx",
		(unsigned long long)value);
}

struct kvm_sregs sregs_get(struct vcpu *vcpu)
{
	struct kvm_sregs sregs;

	REQUIRE(!ioctl(vcpu->fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS: %s",
		strerror(errno));
	return sregs;
}

bool sregs_set(struct vcpu *vcpu, const struct kvm_sregs *sregs)
{
	return !ioctl(vcpu->fd, KVM_SET_SREGS, sregs);
}

bool translates(struct vcpu *vcpu, uint64_t va)
{
	struct kvm_translation t = { .linear_address = va };

	REQUIRE(!ioctl(vcpu->fd, KVM_TRANSLATE, &t), "KVM_TRANSLATE: %s", strerror(errno));
	return t.valid;
}

static void read_at(int fd, void *to, size_t size, off_t at)
{
	REQUIRE(pread(fd, to, size, at) == (ssize_t)size, "KVM's binary statistics: %s",
		strerror(errno));
}

uint64_t vcpu_stat(struct vcpu *vcpu, const char *name)
{
	int fd = ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL);
	struct kvm_stats_header header;
	struct kvm_stats_desc *desc;
	uint64_t value = 0;
	bool found = false;
	size_t size;
	uint32_t i;

	REQUIRE(fd >= 0, "KVM_GET_STATS_FD: %s", strerror(errno));
	read_at(fd, &header, sizeof(header), 0);
	size = sizeof(*desc) + header.name_size;
	desc = malloc(size);
	for (i = 0; i < header.num_desc && !found; i++) {
		read_at(fd, desc, size, header.desc_offset + i * size);
		found = !strcmp(desc->name, name);
	}
	if (found)
		read_at(fd, &value, sizeof(value), header.data_offset + desc->offset);
	free(desc);
	close(fd);
	REQUIRE(found, "KVM has no vCPU statistic %s", name);
	return value;
}
