// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which modules are loaded, from where, and what modprobe would load. A module
 * has no version that tells builds apart, but each build has its own ID, in a
 * note that the file and the loaded module both have.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "pksctl.h"

#define MODULE_MAX ((size_t)256 << 20)
#define LIB SYSROOT "/lib/modules"

/* The build ID among the notes in DATA, in hexadecimal. */
static bool note_id(const unsigned char *data, size_t size, char id[41])
{
	while (size >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr n;
		size_t name, desc;

		memcpy(&n, data, sizeof(n));
		name = ((size_t)n.n_namesz + 3) & ~(size_t)3;
		desc = ((size_t)n.n_descsz + 3) & ~(size_t)3;
		data += sizeof(n);
		size -= sizeof(n);
		if (name > size || desc > size - name)
			return false;
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 && !memcmp(data, "GNU", 4) && n.n_descsz <= 20) {
			for (uint32_t i = 0; i < n.n_descsz; i++)
				put(id + 2 * i, 3, "%02x", data[name + i]);
			return true;
		}
		data += name + desc;
		size -= name + desc;
	}
	return false;
}

static bool elf_id(const struct blob *b, char id[41])
{
	Elf64_Ehdr e;
	Elf64_Shdr s;

	if (b->size < sizeof(e))
		return false;
	memcpy(&e, b->data, sizeof(e));
	if (memcmp(e.e_ident, ELFMAG, SELFMAG) || e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_shentsize != sizeof(s) ||
	    e.e_shoff > b->size || e.e_shnum > (b->size - e.e_shoff) / sizeof(s))
		return false;
	for (int i = 0; i < e.e_shnum; i++) {
		memcpy(&s, b->data + e.e_shoff + i * sizeof(s), sizeof(s));
		if (s.sh_type == SHT_NOTE && s.sh_offset <= b->size && s.sh_size <= b->size - s.sh_offset &&
		    note_id(b->data + s.sh_offset, s.sh_size, id))
			return true;
	}
	return false;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

/* Starts the program that writes FD, decompressed, into the pipe that is returned. */
static int unpacker(const char *program, int fd, pid_t *pid)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		return -1;
	*pid = fork();
	if (!*pid) {
		dup2(fd, 0);
		dup2(p[1], 1);
		/* What it says of a damaged file is one more line than one. */
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
		execlp(program, program, "-dc", (char *)NULL);
		_exit(127);
	}
	close(p[1]);
	return p[0];
}

bool read_module(const char *file, struct blob *b, char *why)
{
	const char *program = ends_with(file, ".xz") ? "xz" : ends_with(file, ".zst") ? "zstd" :
			      ends_with(file, ".gz") ? "gzip" : NULL;
	int fd = open(file, O_RDONLY | O_CLOEXEC), from = fd, status = 0;
	pid_t pid = -1;
	bool got;

	if (fd < 0) {
		put(why, LINE_SIZE, "%s cannot be read: %s", file, strerror(errno));
		return false;
	}
	if (program)
		from = unpacker(program, fd, &pid);
	got = from >= 0 && read_all(from, MODULE_MAX, b);
	put(why, LINE_SIZE, "%s cannot be read: %s", file, strerror(errno));
	close(fd);
	if (program && from >= 0)
		close(from);
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (status == 127 << 8)
		put(why, LINE_SIZE, "%s cannot be read without %s: install the package %s", file, program,
		    !strcmp(program, "xz") ? "xz-utils" : program);
	else if (status)
		put(why, LINE_SIZE, "%s is damaged: %s cannot read it", file, program);
	return got && !status;
}

/* kvm_intel is kvm-intel.ko, or kvm-intel.ko.xz. */
bool is_file_of(const struct module *m, const char *file)
{
	const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	size_t n = strlen(m->name);

	for (size_t i = 0; i < n; i++)
		if (base[i] != m->name[i] && !(base[i] == '-' && m->name[i] == '_'))
			return false;
	return !strcmp(base + n, ".ko") || !strncmp(base + n, ".ko.", 4);
}

/* What modprobe would load is in modules.dep, which depmod made. */
static void find_next(struct module *m, const char *folder)
{
	char path[PATH_SIZE], *line = NULL;
	size_t size = 0;
	FILE *f;

	put(path, sizeof(path), "%s/modules.dep", folder);
	f = fopen(path, "re");
	while (f && getline(&line, &size, f) > 0) {
		line[strcspn(line, ":\n")] = 0;
		if (is_file_of(m, line))
			put(m->next, sizeof(m->next), "%s/%s", folder, line);
	}
	if (f)
		fclose(f);
	free(line);
}

struct search {
	struct module *m;
	const char *folder;
};

static void try_file(const char *name, void *arg)
{
	struct search *s = arg;
	char why[LINE_SIZE], id[41] = "";
	struct blob b;

	if (!is_file_of(s->m, name))
		return;
	/* The last folder is the kernel's own. */
	put(s->m->stock, sizeof(s->m->stock), "%s/%s", s->folder, name);
	if (*s->m->file || !*s->m->id || !read_module(s->m->stock, &b, why))
		return;
	if (elf_id(&b, id) && !strcmp(id, s->m->id))
		put(s->m->file, sizeof(s->m->file), "%s", s->m->stock);
	free(b.data);
}

/* Where a module that is loaded may have come from, and the kernel's own. */
static void find_files(struct module *m, const char *folder)
{
	static const char *const places[] = { "updates/dkms", "updates", "extra", "kernel/arch/x86/kvm" };
	char path[PATH_SIZE];

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		*m->stock = 0;
		put(path, sizeof(path), "%s/%s", folder, places[i]);
		each(path, try_file, &(struct search){ m, path });
	}
}

void look_at_module(struct module *m, const char *name, const char *release)
{
	struct blob b = { 0 };
	char path[PATH_SIZE], folder[PATH_SIZE];
	int fd;

	*m = (struct module){ .name = name };
	put(folder, sizeof(folder), LIB "/%s", release);
	m->loaded = there(SYSROOT "/sys/module/%s/initstate", name);
	m->builtin = !m->loaded && there(SYSROOT "/sys/module/%s", name);
	put(path, sizeof(path), SYSROOT "/sys/module/%s/notes/.note.gnu.build-id", name);
	fd = m->loaded ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		if (read_all(fd, 4096, &b))
			note_id(b.data, b.size, m->id);
		free(b.data);
		close(fd);
	}
	find_next(m, folder);
	if (*m->next && read_module(m->next, &b, m->unread)) {
		elf_id(&b, m->next_id);
		m->next_pks = memmem(b.data, b.size, "parmtype=pks:", 13);
		m->next_signed = b.size > 28 && !memcmp(b.data + b.size - 28, "~Module signature appended~\n", 28);
		*m->unread = 0;
		free(b.data);
	}
	if (*m->id && !strcmp(m->id, m->next_id))
		put(m->file, sizeof(m->file), "%s", m->next);
	find_files(m, folder);
}
