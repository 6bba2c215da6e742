// SPDX-License-Identifier: GPL-2.0-only
/*
 * places OURS OURS OTHER OTHER PAGES...: what of two modules was executed.
 *
 * The first four are modules laid out as the kernel lays them out, at addresses
 * of their own (tests/coverage/run): kvm and kvm-intel, ours and the kernel's.
 * PAGES is what the emulator wrote (instrument.cc). A page of it is the page of
 * the four that it has most bytes in common with: a loaded module differs from
 * its file where it refers to the kernel, and where the kernel patches it.
 *
 * Prints "r ADDRESS" for each instruction of ours that was reached, "t ADDRESS"
 * for each conditional jump that was taken, "n ADDRESS" for each that was not;
 * on stderr how sure that is. Exit status 2: a file that cannot be read.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, OURS = 2, MODULES = 4, BITS = 3 };

/* A page whose code is in a module has at least so much in common with it. */
static const double enough = 0.6;

struct page {
	unsigned long long address;
	int module;
	unsigned char content[PAGE], known[PAGE];
	unsigned char bits[BITS][PAGE / 8];
};

/* As the emulator writes it. */
struct executed {
	unsigned char content[PAGE];
	unsigned char bits[BITS][PAGE / 8];
};

static struct page *pages;
static size_t count;

static void bad(const char *name, const char *why)
{
	fprintf(stderr, "places: %s %s\n", name, why);
	exit(2);
}

static char *read_file(const char *name, size_t *size)
{
	FILE *f = fopen(name, "rb");
	char *data = NULL;

	*size = 0;
	if (!f)
		bad(name, "cannot be opened");
	for (;;) {
		data = realloc(data, *size + (1 << 20));
		if (!data)
			bad(name, "is too large for this machine's memory");
		size_t n = fread(data + *size, 1, 1 << 20, f);
		if (!n)
			break;
		*size += n;
	}
	if (ferror(f))
		bad(name, "cannot be read");
	fclose(f);
	return data;
}

static struct page *page_at(int module, unsigned long long address)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (pages[i].module == module && pages[i].address == address)
			return &pages[i];
	}
	pages = realloc(pages, (count + 1) * sizeof(*pages));
	if (!pages)
		bad("a module", "is too large for this machine's memory");
	memset(&pages[count], 0, sizeof(*pages));
	pages[count].module = module;
	pages[count].address = address;
	return &pages[count++];
}

static void read_module(const char *name, int module)
{
	size_t size;
	char *data = read_file(name, &size);
	Elf64_Ehdr *e = (Elf64_Ehdr *)data;
	Elf64_Shdr *s;
	unsigned int i;

	if (size < sizeof(*e) || memcmp(e->e_ident, ELFMAG, SELFMAG) ||
	    e->e_shoff + e->e_shnum * sizeof(*s) > size)
		bad(name, "is no ELF file");
	s = (Elf64_Shdr *)(data + e->e_shoff);
	for (i = 0; i < e->e_shnum; i++, s++) {
		if (!(s->sh_flags & SHF_EXECINSTR))
			continue;
		if (s->sh_offset + s->sh_size > size)
			bad(name, "is cut off");
		for (unsigned long long a = 0; a < s->sh_size; a++) {
			unsigned long long at = s->sh_addr + a;
			struct page *p = page_at(module, at & ~(PAGE - 1ull));

			p->content[at % PAGE] = data[s->sh_offset + a];
			p->known[at % PAGE] = 1;
		}
	}
	free(data);
}

/* The part of the module's bytes that are also in the executed page. */
static double alike(const struct page *p, const struct executed *e)
{
	int i, same = 0, all = 0;

	for (i = 0; i < PAGE; i++) {
		same += p->known[i] && p->content[i] == e->content[i];
		all += p->known[i];
	}
	return (double)same / all;
}

static int number[3];	/* of pages of ours, of others, of no module */
static double least = 1, most;

static void add(const struct executed *e)
{
	double best = 0, a;
	struct page *found = NULL;
	size_t i;
	int b, n;

	for (i = 0; i < count; i++) {
		a = alike(&pages[i], e);
		if (a > best) {
			best = a;
			found = &pages[i];
		}
	}
	if (best < enough) {
		number[2]++;
		most = best > most ? best : most;
		return;
	}
	least = best < least ? best : least;
	number[found->module >= OURS]++;
	for (b = 0; b < BITS; b++)
		for (n = 0; n < PAGE / 8; n++)
			found->bits[b][n] |= e->bits[b][n];
}

int main(int argc, char **argv)
{
	size_t size, i;
	int n, b;

	if (argc <= 1 + MODULES)
		bad("it", "takes four modules and what the emulator wrote");
	for (n = 0; n < MODULES; n++)
		read_module(argv[1 + n], n);
	for (n = 1 + MODULES; n < argc; n++) {
		char *data = read_file(argv[n], &size);

		if (size % sizeof(struct executed))
			bad(argv[n], "is cut off");
		for (i = 0; i < size; i += sizeof(struct executed))
			add((struct executed *)(data + i));
		free(data);
	}
	fprintf(stderr, "pages of code: %d ours, %d of the kernel's own KVM, %d of other modules; "
		"at least %.0f %% of a page's bytes are those of its module, of others' at most %.0f %%\n",
		number[0], number[1], number[2], least * 100, most * 100);
	for (i = 0; i < count; i++)
		for (b = 0; b < BITS && pages[i].module < OURS; b++)
			for (n = 0; n < PAGE; n++)
				if (pages[i].bits[b][n / 8] >> n % 8 & 1)
					printf("%c %llx\n", "rtn"[b], pages[i].address + n);
	return 0;
}
