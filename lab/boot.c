// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the emulated machine finds in its RAM at power-on, so that it needs no
 * boot loader and decompresses nothing:
 *
 *   boot check ELF                       is it a multiboot kernel?
 *   boot flat ELF OUT                    its memory image; prints "ADDRESS ENTRY END"
 *   boot linux OUT MB PROCESSORS IMAGE "A E END" CMDLINE CPIO [JOB]...
 *   boot multiboot OUT MB ELF CMDLINE
 *
 * The last two write OUT/block, which rom.S starts from, and print the lines of
 * the emulator's configuration that load everything. JOB is what L0 asks for
 * later (job.h): only its size is looked at.
 */
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include "job.h"

#define BLOCK		0x10000		/* as in rom.S */
#define BLOCK_SIZE	0x4000
#define INITRD		0x8000000	/* above every kernel's bss */
#define LOW		0x9fc00		/* end of conventional memory, as in rom.S */
#define HIGH		0x100000

#define MAX_PROCESSORS	4		/* threads that the emulated CPU can have */

#define MB_MAGIC	0x1badb002
#define MB_LOADED	0x2badb002
#define MB_ADDRESSES	0x10000		/* header gives addresses: not an ELF's way */
#define PVH_MAGIC	0x336ec578
#define NOTE_PVH_ENTRY	18		/* XEN_ELFNOTE_PHYS32_ENTRY */

struct image {
	uint8_t *file;
	size_t size;
	const char *name;
	uint64_t low, high, end;	/* addresses: first, end of data, end of bss */
	uint32_t entry;
};

static void die(const char *fmt, ...)
{
	va_list ap;

	fputs("lab: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static void read_file(struct image *im, const char *name)
{
	struct stat st;
	FILE *f = fopen(name, "rb");

	if (!f)
		die("cannot read %s: %s", name, strerror(errno));
	if (fstat(fileno(f), &st) || !S_ISREG(st.st_mode))
		die("%s is not a file", name);
	im->name = name;
	im->size = st.st_size;
	im->file = malloc(im->size + 1);
	if (!im->file || fread(im->file, 1, im->size, f) != im->size)
		die("cannot read %s", name);
	fclose(f);
}

/* PVH entry point of a 64-bit Linux, from its ELF notes. */
static void find_pvh(struct image *im, uint64_t off, uint64_t len)
{
	uint64_t at = off;

	while (at + sizeof(Elf64_Nhdr) <= off + len) {
		Elf64_Nhdr *n = (void *)(im->file + at);
		uint64_t desc = at + sizeof(*n) + (((uint64_t)n->n_namesz + 3) & ~3ull);
		uint64_t next = desc + (((uint64_t)n->n_descsz + 3) & ~3ull);

		if (next > off + len)
			return;
		if (n->n_type == NOTE_PVH_ENTRY && n->n_namesz == 4 && n->n_descsz >= 4 &&
		    !memcmp(n + 1, "Xen", 4))
			im->entry = *(uint32_t *)(im->file + desc);
		at = next;
	}
}

/* One program header; with @out, its bytes go to the memory image. */
static void segment(struct image *im, const Elf64_Phdr *p, uint8_t *out)
{
	if (p->p_type == PT_NOTE && p->p_offset + p->p_filesz <= im->size)
		find_pvh(im, p->p_offset, p->p_filesz);
	if (p->p_type != PT_LOAD || !p->p_memsz)
		return;
	if (p->p_filesz > p->p_memsz || p->p_offset > im->size || p->p_filesz > im->size - p->p_offset)
		die("%s is truncated: it ends inside a segment, so build or copy it again", im->name);
	if (p->p_paddr < HIGH || p->p_paddr + p->p_memsz > 0x80000000 || p->p_memsz > 0x80000000)
		die("%s wants to be loaded at 0x%llx: link it at 1 MiB or above", im->name,
		    (unsigned long long)p->p_paddr);
	if (out) {
		memcpy(out + (p->p_paddr - im->low), im->file + p->p_offset, p->p_filesz);
		return;
	}
	if (!im->end || p->p_paddr < im->low)
		im->low = p->p_paddr;
	if (p->p_paddr + p->p_filesz > im->high)
		im->high = p->p_paddr + p->p_filesz;
	if (p->p_paddr + p->p_memsz > im->end)
		im->end = p->p_paddr + p->p_memsz;
}

static void segments(struct image *im, uint8_t *out)
{
	Elf64_Ehdr *e64 = (void *)im->file;
	Elf32_Ehdr *e32 = (void *)im->file;
	int is64 = e64->e_ident[EI_CLASS] == ELFCLASS64;
	uint64_t off = is64 ? e64->e_phoff : e32->e_phoff;
	unsigned int i, n = is64 ? e64->e_phnum : e32->e_phnum;
	size_t each = is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	if (off > im->size || n * each > im->size - off)
		die("%s is truncated: it ends inside the program headers, so build or copy it again",
		    im->name);
	for (i = 0; i < n; i++) {
		Elf64_Phdr p = { 0 };
		Elf32_Phdr *p32 = (void *)(im->file + off + i * each);

		if (is64)
			memcpy(&p, im->file + off + i * each, sizeof(p));
		else
			p = (Elf64_Phdr){ .p_type = p32->p_type, .p_offset = p32->p_offset,
				.p_paddr = p32->p_paddr, .p_filesz = p32->p_filesz,
				.p_memsz = p32->p_memsz };
		segment(im, &p, out);
	}
	if (!im->end)
		die("%s has no segment to load", im->name);
}

static void load(struct image *im, const char *name)
{
	read_file(im, name);
	if (im->size < sizeof(Elf64_Ehdr) || memcmp(im->file, ELFMAG, SELFMAG))
		die("%s is not an ELF file: a guest is a multiboot ELF", name);
	segments(im, NULL);
}

/* The tests that `qemu -kernel` makes, before anything is started. */
static void load_multiboot(struct image *im, const char *name)
{
	Elf32_Ehdr *e = NULL;
	size_t at;

	load(im, name);
	e = (void *)im->file;
	if (e->e_ident[EI_CLASS] != ELFCLASS32 || e->e_machine != EM_386)
		die("%s is a 64-bit ELF: a multiboot guest is a 32-bit one (objcopy -O elf32-i386)", name);
	im->entry = e->e_entry;
	for (at = 0; at + 12 <= im->size && at + 12 <= 8192; at += 4) {
		uint32_t *h = (void *)(im->file + at);

		if (h[0] != MB_MAGIC || h[0] + h[1] + h[2])
			continue;
		if (h[1] & MB_ADDRESSES)
			die("%s gives addresses in its multiboot header: leave bit 16 clear and let the ELF headers tell them",
			    name);
		return;
	}
	die("%s has no multiboot header in its first 8 KiB: a guest is a multiboot ELF", name);
}

static void write_file(const char *name, const void *data, size_t size)
{
	FILE *f = fopen(name, "wb");

	if (!f || fwrite(data, 1, size, f) != size || fclose(f))
		die("cannot write %s: %s", name, strerror(errno));
}

static void write_flat(struct image *im, const char *name)
{
	uint8_t *out = calloc(1, im->high - im->low + 1);

	if (!out)
		die("no memory");
	segments(im, out);
	write_file(name, out, im->high - im->low);
	free(out);
}

/* The block: four words for rom.S, then what EBX and the last of them point to. */
static uint8_t block[BLOCK_SIZE];
static size_t used = 64;

static uint32_t put(const void *data, size_t size)
{
	size_t at = used;

	if (size > sizeof(block) - used)
		die("the command line is too long");
	memcpy(block + at, data, size);
	used = (at + size + 7) & ~7ul;
	return BLOCK + at;
}

static void write_block(const char *out, uint32_t entry, uint32_t eax, uint32_t ebx, uint32_t table)
{
	char name[4096];

	memcpy(block, (uint32_t[]){ entry, eax, ebx, table }, 16);
	snprintf(name, sizeof(name), "%s/block", out);
	write_file(name, block, used);
	printf("optramimage1: file=\"%s\", address=0x%x\n", name, BLOCK);
}

struct pvh_module { uint64_t at, size, cmdline, reserved; };
struct pvh_range { uint64_t at, size; uint32_t type, reserved; };
struct pvh_start {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modules, cmdline, rsdp, memmap;
	uint32_t nr_memmap, reserved;
};

/*
 * The table of Intel's MultiProcessor Specification 1.4, which Linux looks for at
 * LOW: rom.S puts it there. No I/O APIC: the PIC serves the first processor.
 */
struct mp_processor {
	uint8_t type, apic, version, flags;
	uint32_t signature, features, reserved[2];
};
struct mp_table {
	struct { uint32_t name, at; uint8_t units, spec, sum, features[5]; } pointer;
	struct {
		uint32_t name;
		uint16_t length;
		uint8_t spec, sum;
		char oem[20];
		uint32_t more;
		uint16_t more_length, entries;
		uint32_t apics, reserved;
	} header;
	struct { uint8_t type, id; char name[6]; } bus;
	struct { uint8_t type, kind; uint16_t flags; uint8_t bus, irq, apic, pin; } interrupt;
	struct mp_processor processor[MAX_PROCESSORS];
};

static uint8_t sum(const void *data, size_t size)
{
	const uint8_t *p = data;
	uint8_t total = 0;

	while (size--)
		total -= *p++;
	return total;
}

static uint32_t put_processors(unsigned int nr)
{
	struct mp_table t = {
		.pointer = { .name = 0x5f504d5f, .at = LOW + sizeof(t.pointer), .units = 1, .spec = 4 },
		.header = { .name = 0x504d4350, .length = sizeof(t) - sizeof(t.pointer) -
				(MAX_PROCESSORS - nr) * sizeof(*t.processor),
			.spec = 4, .entries = 2 + nr, .apics = 0xfee00000 },
		.bus = { 1, 0, { 'I', 'S', 'A', ' ', ' ', ' ' } },
		.interrupt = { .type = 3, .kind = 3, .apic = 0xff },	/* of the PIC, to all */
	};
	unsigned int i;

	for (i = 0; i < nr; i++)	/* enabled, the first one is the boot processor */
		t.processor[i] = (struct mp_processor){ .apic = i, .version = 0x14, .flags = i ? 1 : 3 };
	t.header.sum = sum(&t.header, t.header.length);
	t.pointer.sum = sum(&t.pointer, sizeof(t.pointer));
	return put(&t, sizeof(t));
}

static void linux_(char **argv)
{
	const char *out = argv[2], *image = argv[5];
	uint64_t bytes = strtoull(argv[3], NULL, 0) << 20;
	struct pvh_range map[] = { { 0, LOW, 1, 0 }, { HIGH, bytes - HIGH, 1, 0 } };
	struct pvh_start start = { .magic = PVH_MAGIC, .version = 1, .nr_modules = 1 };
	unsigned long long at, entry, end;
	unsigned int processors = atoi(argv[4]), i;
	struct stat st, job;

	if (processors < 1 || processors > MAX_PROCESSORS)
		die("%s processors: there are 1 to %d", argv[4], MAX_PROCESSORS);
	if (sscanf(argv[6], "%llx %llx %llx", &at, &entry, &end) != 3 || end > INITRD)
		die("%s: no place for this kernel (%s)", image, argv[6]);
	if (stat(argv[8], &st))
		die("cannot read %s: %s", argv[8], strerror(errno));
	for (i = 9; argv[i]; i++) {
		if (stat(argv[i], &job))
			die("cannot read %s: %s", argv[i], strerror(errno));
		if (job.st_size > JOB_MAX)
			die("the files of this run are more than %u MB", JOB_MAX >> 20);
	}
	if (bytes > JOB || INITRD + (uint64_t)st.st_size > bytes)
		die("%s MB of memory: no place for %s", argv[3], argv[8]);
	printf("memory: guest=%u, host=%u, block_size=1024\n", (JOB + JOB_MAX) >> 20, (JOB + JOB_MAX) >> 20);
	printf("optramimage2: file=\"%s\", address=0x%llx\n", image, at);
	printf("optramimage3: file=\"%s\", address=0x%x\n", argv[8], INITRD);
	start.modules = put(&(struct pvh_module){ INITRD, st.st_size, 0, 0 }, sizeof(struct pvh_module));
	start.cmdline = put(argv[7], strlen(argv[7]) + 1);
	start.memmap = put(map, sizeof(map));
	start.nr_memmap = 2;
	write_block(out, entry, 0, put(&start, sizeof(start)), processors > 1 ? put_processors(processors) : 0);
}

static void multiboot(char **argv)
{
	const char *out = argv[2];
	uint32_t kb = strtoul(argv[3], NULL, 0) * 1024;
	struct { uint32_t size; uint64_t at, len; uint32_t type; } __attribute__((packed)) map[] = {
		{ 20, 0, LOW, 1 }, { 20, HIGH, kb * 1024ull - HIGH, 1 }
	};
	uint32_t info[22] = { 0 };
	struct image im = { 0 };
	char name[4096];

	load_multiboot(&im, argv[4]);
	if (im.end > kb * 1024ull)
		die("%s needs more than the machine's %s MB", argv[4], argv[3]);
	snprintf(name, sizeof(name), "%s/image", out);
	write_flat(&im, name);
	printf("memory: guest=%s, host=%s, block_size=1024\n", argv[3], argv[3]);
	printf("optramimage2: file=\"%s\", address=0x%llx\n", name, (unsigned long long)im.low);
	info[0] = 0x45;			/* valid: memory sizes, command line, map */
	info[1] = LOW / 1024;
	info[2] = kb - 1024;
	info[4] = put(argv[5], strlen(argv[5]) + 1);
	info[11] = sizeof(map);
	info[12] = put(map, sizeof(map));
	write_block(out, im.entry, MB_LOADED, put(info, sizeof(info)), 0);
}

int main(int argc, char **argv)
{
	struct image im = { 0 };

	if (argc == 3 && !strcmp(argv[1], "check")) {
		load_multiboot(&im, argv[2]);
	} else if (argc == 4 && !strcmp(argv[1], "flat")) {
		load(&im, argv[2]);
		if (!im.entry)
			die("%s has no PVH entry: it was built without CONFIG_PVH", argv[2]);
		write_flat(&im, argv[3]);
		printf("%llx %x %llx\n", (unsigned long long)im.low, im.entry,
		       (unsigned long long)im.end);
	} else if (argc >= 9 && !strcmp(argv[1], "linux")) {
		linux_(argv);
	} else if (argc == 6 && !strcmp(argv[1], "multiboot")) {
		multiboot(argv);
	} else {
		die("usage: boot check|flat|linux|multiboot ... (see boot.c)");
	}
	return fflush(stdout) ? 2 : 0;
}
